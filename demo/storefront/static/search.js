// Suggests products while somebody types into the search box (the combobox pattern of ARIA's authoring practices).
"use strict";

(() => {
  const WAIT_MS = 120;
  const box = document.getElementById("q");
  const list = document.getElementById("suggestions");
  let waiting;

  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };

  const choose = (option) => {
    location.href = option.dataset.url;
  };

  const show = (suggestions) => {
    close();
    for (const [at, { name, url }] of suggestions.entries()) {
      const option = document.createElement("li");
      Object.assign(option, { id: `suggestion-${at}`, role: "option", textContent: name });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.url = url;
      option.dataset.testid = "suggestion";
      option.addEventListener("click", () => choose(option));
      list.append(option);
    }
    list.hidden = !suggestions.length;
    box.setAttribute("aria-expanded", `${!!suggestions.length}`);
  };

  const ask = async () => {
    const words = box.value.trim();
    if (words.length < 2) return close();
    const answer = await fetch(`/api/suggest?q=${encodeURIComponent(words)}`);
    const { suggestions } = await answer.json();
    if (words === box.value.trim()) show(suggestions);
  };

  const move = (step) => {
    const options = [...list.children];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const next = (at + step + options.length) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", `${place === next}`));
    box.setAttribute("aria-activedescendant", options[next].id);
  };

  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, WAIT_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const selected = list.querySelector("[aria-selected=true]");
    if (event.key === "Escape") close();
    if (event.key === "ArrowDown") move(1);
    if (event.key === "ArrowUp") move(selected ? -1 : 0);
    if (event.key === "Enter" && selected) {
      event.preventDefault();
      choose(selected);
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".search")) close();
  });
})();
