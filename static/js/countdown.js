/* Seconds until <element data-countdown="ISO time">; shown only in the last two minutes. */
(() => {
  "use strict";
  const elements = document.querySelectorAll("[data-countdown]");
  function tick() {
    for (const element of elements) {
      const left = Math.ceil((new Date(element.dataset.countdown) - Date.now()) / 1000);
      element.hidden = left > 120;
      element.textContent = String(Math.max(left, 0));
    }
  }
  tick();
  setInterval(tick, 250);
})();
