// The inbox's keys and scrolling: j/k move, Enter opens or sends, e closes, a assigns, u marks unread.
(() => {
  const thread = document.getElementById("thread");
  const atEnd = () => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
  const toEnd = () => { thread.scrollTop = thread.scrollHeight; };
  let follow = true;
  if (thread) {
    toEnd();
    thread.addEventListener("scroll", () => { follow = atEnd(); }, { passive: true });
    document.body.addEventListener("htmx:afterSwap", () => { if (follow) toEnd(); });
  }

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select");
    if (field) {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && field.matches("[data-enter-sends]")) {
        event.preventDefault();
        field.form.requestSubmit();
      }
      if (event.key === "Escape") field.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-inbox-row]")];
      const here = rows.indexOf(document.activeElement);
      const current = here >= 0 ? here : rows.findIndex((row) => row.classList.contains("active"));
      const next = rows[Math.max(0, Math.min(rows.length - 1, current + (event.key === "j" ? 1 : -1)))];
      if (next) next.focus();
      return;
    }
    const focus = document.querySelector(`[data-key-focus="${CSS.escape(event.key)}"]`);
    if (focus) { event.preventDefault(); focus.focus(); return; }
    const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (button) { event.preventDefault(); button.click(); }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
})();
