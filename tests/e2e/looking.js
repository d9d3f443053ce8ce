/* Run in an open page by tests/e2e/looking.py: waits until the page has drawn itself, and tells what a
   person would stumble over. Answers {wrong: [sentence], links: [address]}. */
async (scheme) => {
  const MIN_CONTRAST = 4.5; // WCAG 2.2 AA, 1.4.3
  const MIN_CONTRAST_LARGE = 3;
  const PATIENCE_FRAMES = 300;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const wrong = [];

  const root = document.documentElement;
  const asWanted = () => root.dataset.bsTheme === scheme && matchMedia(`(prefers-color-scheme: ${scheme})`).matches;
  for (let tries = 0; !asWanted() && tries < PATIENCE_FRAMES; tries += 1) await frame();
  if (!asWanted()) wrong.push(`does not turn ${scheme}`);

  const undrawn = () =>
    [...document.querySelectorAll("[data-chart]")].filter(
      (one) => one.clientWidth && !one.querySelector("svg"),
    );
  for (let tries = 0; undrawn().length && tries < PATIENCE_FRAMES; tries += 1) await frame();
  if (undrawn().length) wrong.push("a chart was not drawn");
  await frame();
  // Colours may fade in; what counts is where they come to rest.
  for (const animation of document.getAnimations()) {
    if (animation instanceof CSSTransition) animation.finish();
  }

  function name(element) {
    const id = element.id ? `#${element.id}` : "";
    const kind = typeof element.className === "string" ? element.className.trim() : "";
    return element.tagName.toLowerCase() + id + (kind ? `.${kind.split(/\s+/).join(".")}` : "");
  }

  // ---- Outline -----------------------------------------------------------------------------------
  const headings = document.querySelectorAll("h1").length;
  if (headings !== 1) wrong.push(`${headings} h1 headings`);
  if (!root.lang) wrong.push("no language");
  const ids = new Set();
  for (const { id } of document.querySelectorAll("[id]")) {
    if (ids.has(id)) wrong.push(`the id ${id} twice`);
    ids.add(id);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) wrong.push(`${image.src} has no alt`);

  // ---- Width -------------------------------------------------------------------------------------
  const width = root.clientWidth;
  const over = root.scrollWidth - width;
  if (over > 0) {
    const wide = [...document.body.querySelectorAll("*")]
      .filter((one) => one.getBoundingClientRect().right > width + 0.5)
      .slice(-3);
    wrong.push(`${over} px too wide: ${wide.map(name).join(", ")}`);
  }

  // ---- Links -------------------------------------------------------------------------------------
  const links = new Set();
  for (const link of document.querySelectorAll("a[href]")) {
    const href = link.getAttribute("href");
    if (href.startsWith("#")) {
      if (href === "#" || !document.getElementById(href.slice(1))) wrong.push(`a link to ${href}`);
    } else if (!href || href.startsWith("javascript:")) wrong.push(`a link to nothing: ${link.outerHTML}`);
    else if (link.origin === location.origin) links.add(link.pathname + link.search);
  }

  // ---- Contrast ----------------------------------------------------------------------------------
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(colour) {
    if (!known.has(colour)) {
      pixel.clearRect(0, 0, 1, 1);
      pixel.fillStyle = colour;
      pixel.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const blend = ([r, g, b, a], under) => [r, g, b].map((one, at) => one * a + under[at] * (1 - a));
  // What stands behind an element; null where a picture does, which nothing here can judge.
  function behind(element) {
    if (!element) return [255, 255, 255];
    const style = getComputedStyle(element);
    if (style.backgroundImage !== "none") return null;
    const own = rgba(style.backgroundColor);
    if (own[3] === 1) return own.slice(0, 3);
    const under = behind(element.parentElement);
    return under && blend(own, under);
  }
  function light(colour) {
    const [r, g, b] = colour.map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(one, other) {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }
  const pale = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest("svg, script, style, option, [disabled], [aria-hidden=true], .visually-hidden")) continue;
    const style = getComputedStyle(element);
    const under = behind(element);
    if (!under) continue;
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = contrast(blend(rgba(style.color), under), under);
    if (ratio < (large ? MIN_CONTRAST_LARGE : MIN_CONTRAST)) {
      pale.set(name(element), `pale in ${scheme}, ${ratio.toFixed(2)}: ${name(element)} “${walker.currentNode.data.trim().slice(0, 30)}”`);
    }
  }
  wrong.push(...pale.values());

  return { wrong, links: [...links] };
}
