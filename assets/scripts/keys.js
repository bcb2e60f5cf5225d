// One-key verbs: data-key="t" on a button, link, radio or field. A key works only where its part is seen and in use.
const typing = (element) => element.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
const usable = (element) => element.getClientRects().length && !element.disabled && element.getAttribute("aria-disabled") !== "true";

// While a sheet is open its own keys count, not those of the page behind it.
const ground = () => [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
const keyed = (key) => [...ground().querySelectorAll(key ? `[data-key="${CSS.escape(key)}"]` : "[data-key]")].filter(usable);

function press(element) {
  if (element.matches("input[type=radio], input[type=checkbox]")) {
    element.focus();
    element.click();
  } else if (element.matches("input, textarea, select")) {
    element.focus();
  } else {
    element.click();
  }
}

function named(element) {
  if (element.dataset.keyLabel) return element.dataset.keyLabel;
  const source = element.labels?.[0] ?? element;
  const copy = source.cloneNode(true);
  copy.querySelectorAll("kbd, svg").forEach((part) => part.remove());
  return copy.textContent.trim() || element.getAttribute("aria-label") || "";
}

function row(keys, what) {
  const term = document.createElement("dt");
  for (const key of keys) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  return [term, Object.assign(document.createElement("dd"), { textContent: what })];
}

function fill(list) {
  const rows = [];
  if (document.querySelector(".desk-list a.do")) rows.push(row(["J", "K"], "Next, previous"));
  const seen = new Set();
  for (const element of keyed()) {
    const key = element.dataset.key;
    if (seen.has(key) || !named(element)) continue;
    seen.add(key);
    rows.push(row([key.toUpperCase()], named(element)));
  }
  rows.push(row(["?"], "All keys of this page"), row(["Esc"], "Close what is open"));
  list.replaceChildren(...rows.flat());
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (typing(event.target) || (event.shiftKey && event.key !== "?")) return;
  const key = event.key.toLowerCase();
  if (key === "?" && ground() === document) {
    document.querySelector("a[href='#keys']")?.click();
    event.preventDefault();
    return;
  }
  const [element] = keyed(key);
  if (!element) return;
  event.preventDefault();
  press(element);
});

// The list is made when it is asked for: what a page offers changes as it is used.
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("a[href='#keys']")) return;
  const list = document.querySelector("#keys [data-keys]");
  if (list) fill(list);
}, true);
