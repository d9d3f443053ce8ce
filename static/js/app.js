/* Behaviour that every page shares: theme buttons, confirmations, flash lines, tooltips, rows that open,
   and what htmx reports. Pages stay usable without it. */
(() => {
  "use strict";

  // ---- Theme -------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-set]");
    if (!button) return;
    event.stopPropagation();
    window.setTheme(button.dataset.themeSet);
  });

  // ---- Confirmation ------------------------------------------------------------------------------
  // <form data-confirm="Cancel the rest?" data-confirm-text="..." data-confirm-yes="Cancel 512 texts">
  const dialog = document.getElementById("confirm");

  function ask(source, title) {
    dialog.querySelector("#confirm-title").textContent = title;
    dialog.querySelector("#confirm-text").textContent = source.dataset.confirmText || "";
    const yes = dialog.querySelector("[data-confirm-yes]");
    yes.textContent = source.dataset.confirmYes || "Yes";
    yes.classList.toggle("btn-danger", "confirmDanger" in source.dataset);
    yes.classList.toggle("btn-primary", !("confirmDanger" in source.dataset));
    dialog.querySelector("[data-confirm-no]").textContent =
      source.dataset.confirmNo || "Keep as it is";
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((answer) => {
      dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
    });
  }

  // A live part of the page may have been replaced while the question stood open.
  function stillThere(button, form) {
    if (!button || button.isConnected) return button;
    return [...form.elements].find((one) => one.name === button.name && one.value === button.value);
  }

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const source = event.submitter?.dataset.confirm ? event.submitter : form;
      if (!dialog || !source.dataset?.confirm || form.dataset.confirmed) return;
      event.preventDefault();
      event.stopPropagation();
      ask(source, source.dataset.confirm).then((yes) => {
        if (!yes) return;
        const current = form.isConnected
          ? form
          : [...document.forms].find((one) => one.action === form.action);
        if (!current) return;
        const button = stillThere(event.submitter, current);
        // What was asked may be out of date by now; the new button then asks again.
        const asked = source === form ? current : button;
        if (asked?.dataset.confirm === source.dataset.confirm) current.dataset.confirmed = "yes";
        current.requestSubmit(button || undefined);
        delete current.dataset.confirmed;
      });
    },
    true,
  );

  document.addEventListener("htmx:confirm", (event) => {
    if (!dialog || !event.detail.question) return;
    event.preventDefault();
    ask(event.detail.elt, event.detail.question).then((yes) => {
      if (yes) event.detail.issueRequest(true);
    });
  });

  // ---- Flash lines and toasts --------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest(".flash-line")?.remove();
  });

  window.toast = (words, kind = "info") => {
    const line = document.createElement("div");
    line.className = `flash-line flash-${kind}`;
    const text = document.createElement("span");
    text.textContent = words;
    line.append(text);
    document.getElementById("toasts")?.append(line);
    setTimeout(() => line.remove(), 6000);
  };

  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 403) window.toast("Your role does not allow this. Nothing was changed.", "error");
    else if (status === 404) window.toast("This is no longer there. Reload the page.", "error");
    else window.toast("The server could not answer. Nothing was lost; try again.", "error");
  });
  // What was uploaded can be chosen again after it was taken out.
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.matches("input[type=file]")) event.detail.elt.value = "";
  });
  document.addEventListener("htmx:sendError", () => {
    window.toast("No connection to the server. What you typed is still here.", "error");
  });
  // A form answered 422 brings its own sentences; show them.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status !== 422) return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });

  // What is asked for again and again waits for its next turn while something in it is pressed: replaced under
  // the pointer, a button would swallow the click.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const polls = detail.requestConfig.elt.matches('[hx-trigger^="every"]');
    if (polls && detail.target.querySelector(":active")) detail.shouldSwap = false;
  });

  // Who has been logged out is answered with the log-in page, which is no part of this one.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (requestConfig.verb !== "post" || !xhr.responseURL.includes("/auth/login/")) return;
    event.detail.shouldSwap = false;
    window.toast("You were logged out. What you typed is still here, but not saved. Log in in another tab, then go on.", "error");
  });

  // ---- Rows that open, copy buttons, tooltips ----------------------------------------------------
  // Outside https and one's own machine there is no clipboard; `async` makes that a refusal too.
  const copyText = async (text) => navigator.clipboard.writeText(text);

  document.addEventListener("click", (event) => {
    // data-copy holds what is copied; without a value it is this page's address.
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const words = copy.dataset.copied || "Copied.";
      copyText(copy.dataset.copy || window.location.href).then(
        () => window.toast(words, "success"),
        () => window.toast("This browser does not let the page copy. Copy it by hand.", "error"),
      );
      return;
    }
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, label, select")) return;
    if (window.getSelection().toString()) return;
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else window.location.assign(row.dataset.href);
  });

  // Filters and choices that act as soon as they are made.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  // One tick for all rows of a page: <input type="checkbox" data-tick-all="the form's id">
  document.addEventListener("change", (event) => {
    const form = event.target.dataset.tickAll;
    if (!form) return;
    const table = event.target.closest("table");
    const boxes = table.querySelectorAll(`tbody input[form="${form}"]`);
    for (const box of boxes) box.checked = event.target.checked;
  });

  function dress(root) {
    for (const box of root.querySelectorAll("[data-tick-all]")) box.hidden = false;
    const Tooltip = window.tabler?.Tooltip;
    if (!Tooltip) return;
    for (const element of root.querySelectorAll('[data-bs-toggle="tooltip"]')) {
      Tooltip.getOrCreateInstance(element, { trigger: "hover focus" });
    }
  }
  dress(document);
  document.addEventListener("htmx:load", (event) => dress(event.detail.elt));
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    const Tooltip = window.tabler?.Tooltip;
    Tooltip?.getInstance(event.detail.elt)?.dispose();
  });

  // On a phone the sections stand in one row; the open one is in sight.
  document.querySelector(".settings-nav .active")?.scrollIntoView({ block: "nearest", inline: "center" });

  // A form that came back: the first thing to mend.
  document.querySelector(
    '[aria-invalid="true"]:not([type="hidden"]), .field-bad :is(input:not([type="hidden"]), select, textarea)',
  )?.focus();

  // Whoever logged in again in another tab goes on in this one: the token is that of the new session.
  const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (!token()) return;
    detail.headers["X-CSRFToken"] = token();
    if (detail.parameters.csrfmiddlewaretoken) detail.parameters.csrfmiddlewaretoken = token();
  });
  document.addEventListener("submit", ({ target }) => {
    const field = target.elements.csrfmiddlewaretoken;
    if (field && token()) field.value = token();
  }, true);

  // A blocked double press: a form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    const button = event.submitter;
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[disabled][type=submit], form button[disabled]")) {
      if (!button.hasAttribute("data-stays-disabled")) button.disabled = false;
    }
  });
})();
