// Runs in every page before its own scripts: measures the web vitals, and reads out what the page tells its visitor.
(() => {
  if (window.top !== window) return;
  const observers = [];
  const watch = (type, options, take) => {
    try {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
      observer.observe({ type, buffered: true, ...options });
      observers.push([observer, take]);
    } catch {
      // A browser without this kind of entry measures the others.
    }
  };

  let lcp = null;
  let fcp = null;
  let shift = { score: 0, first: 0, last: 0 };
  let cls = 0;
  const reactions = new Map();
  watch("largest-contentful-paint", {}, (entry) => { lcp = entry.startTime; });
  watch("paint", {}, (entry) => { if (entry.name === "first-contentful-paint") fcp = entry.startTime; });
  watch("layout-shift", {}, (entry) => {
    if (entry.hadRecentInput) return;
    // Shifts count together while less than 1 s lies between them and 5 s in all; the worst such group is the score.
    const together = shift.score && entry.startTime - shift.last < 1000 && entry.startTime - shift.first < 5000;
    if (!together) shift = { score: 0, first: entry.startTime, last: 0 };
    shift.score += entry.value;
    shift.last = entry.startTime;
    cls = Math.max(cls, shift.score);
  });
  watch("event", { durationThreshold: 16 }, (entry) => {
    if (entry.interactionId) {
      reactions.set(entry.interactionId, Math.max(reactions.get(entry.interactionId) ?? 0, entry.duration));
    }
  });

  const settled = () => Promise.race([
    new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))),
    new Promise((done) => setTimeout(done, 500)),
  ]);
  const measure = async () => {
    await settled();
    for (const [observer, take] of observers) observer.takeRecords().forEach(take);
    const [navigation] = performance.getEntriesByType("navigation");
    const slowest = [...reactions.values()].sort((a, b) => b - a);
    return {
      loaded_url: navigation ? navigation.name : "",
      lcp_ms: lcp,
      inp_ms: slowest.length ? slowest[Math.floor(slowest.length / 50)] : null,
      cls_score: cls,
      fcp_ms: fcp,
      ttfb_ms: navigation ? navigation.responseStart : null,
    };
  };

  const described = (field) => (field.getAttribute("aria-errormessage") || field.getAttribute("aria-describedby") || "")
    .split(/\s+/).map((id) => id && document.getElementById(id)?.textContent).filter(Boolean).join(" ");
  const said = () => {
    const told = [...document.querySelectorAll("[role=alert], [aria-live=assertive]")].map((each) => each.innerText);
    for (const field of document.querySelectorAll("[aria-invalid=true], :user-invalid")) {
      if ("name" in field) told.push(described(field) || field.validationMessage);
    }
    return [...new Set(told.map((each) => (each || "").trim()).filter(Boolean))].slice(0, 5);
  };
  Object.defineProperty(window, "__replay", { value: Object.freeze({ measure, said }) });
})();
