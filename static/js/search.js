/* The search palette: Ctrl-K, Cmd-K or / opens it, arrows choose, Enter opens, Escape closes.
   Without this script the same link leads to the page /search/. */
(() => {
  "use strict";
  const palette = document.getElementById("search");
  if (!palette?.showModal) return;
  const input = palette.querySelector("[name=q]");
  const found = document.getElementById("search-found");
  const hits = () => [...found.querySelectorAll("[role=option]")];
  const chosen = () => found.querySelector("[aria-selected=true]");
  const isCurrent = () => found.firstElementChild?.dataset.found === input.value.trim();
  let opensFirst = false;

  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const key of document.querySelectorAll("[data-search-key]")) key.textContent = "⌘ K";
  }

  function open() {
    if (palette.open || document.querySelector("dialog[open]")) return;
    palette.showModal();
    input.select();
    window.htmx.trigger(input, "palette");
  }

  function choose(hit) {
    chosen()?.setAttribute("aria-selected", "false");
    hit?.setAttribute("aria-selected", "true");
    hit?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", hit?.id || "");
  }

  function move(step) {
    const all = hits();
    if (all.length) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey) return;
    const isK = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k";
    const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey &&
      !event.target.closest("input, textarea, select, [contenteditable]");
    if (!isK && !isSlash) return;
    event.preventDefault();
    if (palette.open && isK) palette.close();
    else open();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-search-open]");
    if (opener && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open();
    } else if (event.target === palette || event.target.closest("[data-search-close]")) palette.close();
  });

  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      // What was typed last may not be answered yet; then Enter holds for what comes.
      if (isCurrent()) chosen()?.click();
      else opensFirst = true;
    } else if (event.key === "Escape" && input.value) {
      event.preventDefault(); // a search box would only be emptied
      palette.close();
    } else opensFirst = false;
  });

  found.addEventListener("htmx:afterSwap", () => {
    choose(hits()[0]);
    if (opensFirst && isCurrent()) chosen()?.click();
  });
  palette.addEventListener("close", () => { opensFirst = false; });
})();
