"use strict";
(() => {
  const root = document.documentElement;

  // The choice lives and dies with the page: nothing is stored.
  document.getElementById("theme-switch").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const codeSwitch = document.getElementById("code-switch");
  codeSwitch.addEventListener("click", () => {
    const shown = root.classList.toggle("show-code");
    codeSwitch.setAttribute("aria-pressed", String(shown));
    for (const code of document.querySelectorAll("details.code")) code.open = shown;
  });

  const links = [...document.querySelectorAll("nav .links a")];
  const targets = links.map((link) => document.getElementById(link.hash.slice(1)));
  let here = null;
  const markHere = () => {
    const atEnd = innerHeight + scrollY >= root.scrollHeight - 2;
    let index = 0;
    targets.forEach((target, place) => { if (place && target.getBoundingClientRect().top < 130) index = place; });
    if (atEnd && scrollY > 0) index = links.length - 1;
    if (links[index] === here) return;
    here = links[index];
    for (const link of links) {
      link.classList.toggle("here", link === here);
      if (link === here) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
    const strip = here.parentElement;
    if (strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - strip.offsetLeft - 24;
  };
  addEventListener("scroll", markHere, { passive: true });
  addEventListener("resize", markHere);
  markHere();

  // Vega-Lite follows its container for one view or layers; views side by side or stacked get their widths here.
  const fit = (spec, width) => {
    const own = { ...spec };
    if (own.vconcat) own.vconcat = own.vconcat.map((view) => fit({ ...view }, width - 70));
    else if (own.hconcat) own.hconcat = own.hconcat.map((view) => fit({ ...view }, width / spec.hconcat.length - 70));
    else if (own.concat) own.concat = own.concat.map((view) => fit({ ...view }, width / (spec.columns || spec.concat.length) - 70));
    else if (own.spec) own.spec = fit({ ...own.spec }, width / (spec.columns || 1) - 90);
    else own.width = Math.max(120, Math.floor(width));
    return own;
  };
  const isSingle = (spec) => !(spec.vconcat || spec.hconcat || spec.concat || spec.spec || spec.facet || spec.repeat || hasFacet(spec));
  const hasFacet = (spec) => Boolean(spec.encoding && (spec.encoding.row || spec.encoding.column || spec.encoding.facet));
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
    tooltip: { disableDefaultStyle: true }, loader: { target: "_blank" }, logLevel: 1,
  };
  // On a phone, names leave room for the data: legends take two columns and long labels end in an ellipsis.
  const narrowed = (spec, width) => {
    if (width > 520) return spec;
    const config = spec.config || {};
    return { ...spec, config: {
      ...config,
      legend: { ...config.legend, columns: 2, labelLimit: width / 3 },
      axisY: { ...config.axisY, labelLimit: width / 3.2, title: null },
    } };
  };
  const draw = async (figure) => {
    const plot = figure.querySelector(".plot");
    const spec = JSON.parse(figure.querySelector("script.spec").textContent);
    const width = plot.clientWidth;
    const own = isSingle(spec)
      ? { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" } }
      : fit(spec, width - 10);
    try {
      if (figure.chart) figure.chart.finalize();
      figure.chart = await vegaEmbed(plot, narrowed(own, width), options);
      figure.drawnWidth = width;
      figure.dataset.drawn = isSingle(spec) ? "follows" : "fixed";
    } catch (error) {
      const note = document.createElement("p");
      note.className = "failed";
      note.textContent = `This chart could not be drawn (${error.message}); its data is below.`;
      plot.replaceChildren(note);
      figure.dataset.drawn = "failed";
    }
  };
  const figures = [...document.querySelectorAll("figure.chart")];
  (async () => {
    for (const figure of figures) await draw(figure);
    root.dataset.charts = "drawn";
  })();
  let pending = 0;
  addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      for (const figure of figures) {
        const changed = Math.abs(figure.querySelector(".plot").clientWidth - figure.drawnWidth) > 8;
        if (figure.dataset.drawn === "fixed" && changed) draw(figure);
      }
    }, 200);
  });
})();
