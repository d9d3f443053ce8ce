/* Sets light or dark before the first paint, so that nothing flashes. Loaded in <head>, not deferred.
   The choice (light, dark or auto) is kept in this browser only. */
(() => {
  const KEY = "theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function chosen() {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto";
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    root.setAttribute("data-theme-choice", choice);
    if (root.getAttribute("data-bs-theme") === theme) return;
    root.setAttribute("data-bs-theme", theme);
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  }

  window.setTheme = (choice) => {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      root.setAttribute("data-theme-choice", choice);
    }
    apply();
  };

  system.addEventListener("change", apply);
  apply();
})();
