// data-copy="#id" copies a field's value or an element's text; data-copy-text copies its own value.
const SAYS = "Copied";

async function put(text) {
  // The clipboard API is missing on plain http, which an office network uses.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "visually-hidden" });
  const before = document.activeElement;
  (before?.closest("dialog") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  if (!done) throw new Error("copy refused");
}

function wanted(button) {
  if (button.dataset.copyText !== undefined) return button.dataset.copyText;
  const source = document.querySelector(button.dataset.copy);
  return source?.value ?? source?.textContent ?? "";
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || button.dataset.label) return;
  event.preventDefault();
  const label = [...button.childNodes].findLast((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  let said = SAYS;
  try {
    await put(wanted(button).trim());
  } catch {
    said = "Select and copy by hand";
    document.querySelector(button.dataset.copy)?.select?.();
  }
  if (!label) return;
  button.setAttribute("aria-live", "polite");
  button.dataset.label = label.data;
  label.data = ` ${said}`;
  setTimeout(() => {
    label.data = button.dataset.label;
    delete button.dataset.label;
  }, 2500);
});
