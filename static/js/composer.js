/* Small conveniences of the composer and of the form of saved texts: inserting merge fields and saved texts, replacing
   odd characters, naming a new campaign, finding a group. Counting and cost come from the server (hx-post on the form). */
(() => {
  "use strict";

  const form = document.getElementById("composer");
  const text = form.querySelector("#id_body");

  function recount() {
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function insert(words, from, to) {
    text.focus();
    text.setSelectionRange(from, to);
    // Keeps the browser's undo, which setting `value` would lose.
    if (!document.execCommand("insertText", false, words)) {
      text.setRangeText(words, from, to, "end");
    }
    recount();
  }

  // A template brings its pictures in place of those that stand there.
  function showPictures(media) {
    if (!media.length && !form.elements.media_ids) return;
    const url = form.querySelector(".pictures").dataset.url;
    htmx.ajax("POST", url, { target: "#pictures", swap: "outerHTML", values: { media_ids: media } });
  }

  document.addEventListener("click", (event) => {
    const field = event.target.closest("[data-insert]");
    if (field) {
      const name = field.dataset.insert;
      const words = name === "first_name" ? "{{first_name|there}}" : `{{${name}}}`;
      insert(words, text.selectionStart, text.selectionEnd);
      return;
    }
    const snippet = event.target.closest("[data-snippet]");
    if (snippet) {
      insert(snippet.dataset.snippet, text.selectionStart, text.selectionEnd);
      return;
    }
    const template = event.target.closest("[data-template]");
    if (template) {
      insert(template.dataset.template, 0, text.value.length);
      showPictures(JSON.parse(template.dataset.media));
      return;
    }
    const replace = event.target.closest("[data-replace]");
    if (replace) {
      let words = text.value;
      for (const [odd, plain] of Object.entries(JSON.parse(replace.dataset.replace))) {
        words = words.replaceAll(odd, plain);
      }
      insert(words, 0, text.value.length);
    }
  });

  // A picture that came or went changes what every text costs.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "pictures") recount();
  });

  // Leaving the text counts it anew. A press takes a moment, and a count that replaced the button under it
  // meanwhile would swallow the click: it is left out then, and made once the button is let go.
  let missed = false;
  form.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "told" || !form.querySelector(":active")) return;
    event.detail.shouldSwap = false;
    missed = true;
  });
  for (const end of ["pointerup", "pointercancel", "keyup"]) {
    document.addEventListener(end, () => {
      if (missed) setTimeout(() => htmx.trigger(form, "recount"));
      missed = false;
    });
  }

  const campaign = form.querySelector("[data-new-campaign]");
  const name = form.querySelector("[data-new-campaign-name]");
  function showName() {
    name.hidden = campaign.value !== "";
  }
  if (campaign) {
    campaign.addEventListener("change", showName);
    showName();
  }

  const find = form.querySelector("[data-filter]");
  find?.addEventListener("input", (event) => {
    event.stopPropagation();
    const wanted = find.value.trim().toLowerCase();
    for (const pick of form.querySelectorAll(".pick")) {
      pick.hidden = !pick.dataset.words.includes(wanted);
    }
  });

  // Why a test did not go holds for the words it was asked for.
  text.addEventListener("input", () => form.querySelector("#tested.told-error")?.replaceChildren());

  // What is typed and not kept is not lost by a slip.
  let changed = false;
  text.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => {
    if (changed && text.value.trim()) event.preventDefault();
  });
})();
