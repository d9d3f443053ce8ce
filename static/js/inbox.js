/* The inbox's keys, scrolling and drafts. j and k move through the list, Enter opens or sends, e closes,
   a assigns, u marks as unread. The page works without it, a reload at a time. */
(() => {
  "use strict";
  const thread = document.getElementById("thread");

  // ---- The newest text stays in sight, unless somebody scrolled up to read -----------------------
  let follows = true;
  const toEnd = () => { thread.scrollTop = thread.scrollHeight; };
  if (thread) {
    toEnd();
    thread.addEventListener("scroll", () => {
      follows = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
    }, { passive: true });
    addEventListener("resize", () => { if (follows) toEnd(); });
  }
  document.querySelector(".inbox-row.active")?.scrollIntoView({ block: "nearest" });

  // ---- Live parts: not while nobody looks, and not when nothing changed (it would end a selection) --
  const last = new Map();
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.hasAttribute("data-live") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.elt;
    if (!part.hasAttribute("data-live")) { last.clear(); return; }
    if (!event.detail.shouldSwap) return; // something in it is pressed
    const answer = event.detail.xhr.responseText;
    if (last.get(part.id) === answer) event.detail.shouldSwap = false;
    last.set(part.id, answer);
  });
  document.addEventListener("htmx:afterSettle", () => { if (thread && follows) toEnd(); });

  // ---- A draft outlives a reload; it is this window's alone ----------------------------------------
  const name = (box) => `draft-${box.dataset.draft}`;
  const box = () => document.querySelector("textarea[data-draft]");
  const kept = box() && sessionStorage.getItem(name(box()));
  if (kept && !box().value) box().value = kept;
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-draft]")) sessionStorage.setItem(name(event.target), event.target.value);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    // The form alone: a picture that is added sends nothing yet.
    if (event.detail.successful && event.detail.elt.matches("#reply form, #reply") && box()) {
      sessionStorage.removeItem(name(box()));
      follows = true;
    }
  });

  // ---- Keys ----------------------------------------------------------------------------------------
  function move(step) {
    const rows = [...document.querySelectorAll("[data-inbox-row]")];
    const focused = rows.indexOf(document.activeElement);
    const current = focused >= 0 ? focused : rows.findIndex((row) => row.classList.contains("active"));
    rows[Math.max(0, Math.min(rows.length - 1, current + step))]?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const field = event.target.closest("input, textarea, select");
    if (field) {
      if (event.key === "Enter" && !event.shiftKey && field.matches("[data-enter-sends]")) {
        event.preventDefault();
        if (field.value.trim() || field.form.elements.media_ids) field.form.requestSubmit();
      }
      if (event.key === "Escape") field.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "r") { if (box()) { event.preventDefault(); box().focus(); } }
    else if (/^[a-z]$/.test(event.key)) {
      const chosen = document.querySelector(`[data-key-focus="${event.key}"]`);
      if (chosen) {
        event.preventDefault();
        if (!chosen.checkVisibility()) location.hash = "about";
        chosen.focus();
      } else document.querySelector(`[data-key="${event.key}"]`)?.click();
    }
  });
})();
