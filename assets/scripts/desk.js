// J and K walk the desk's list. Where the lead stands beside the list, walking opens it; on a phone it only moves.
const beside = matchMedia("(min-width: 900px)");
const rows = () => [...document.querySelectorAll(".desk-list a.do")];

function mark(row) {
  for (const other of rows()) {
    if (other === row) other.setAttribute("aria-current", "true");
    else other.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const row = event.target.closest(".desk-list a.do");
  if (!row) return;
  mark(row);
  // On a phone the lead is shown by its place in the address, which only a plain visit sets; htmx must not catch it.
  if (!beside.matches) event.stopPropagation();
}, true);

// Ctrl Enter sends the form one is typing in, where the form says so.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form[data-ctrl-enter]");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const step = { j: 1, k: -1 }[event.key];
  if (!step || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]")) return;
  const all = rows();
  if (!all.length) return;
  const here = all.includes(document.activeElement) ? document.activeElement : all.find((row) => row.hasAttribute("aria-current"));
  // Where nobody stands further on, the keyboard goes to the row whose lead is open already.
  const next = (here && all[all.indexOf(here) + step]) ?? here ?? all[0];
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  if (beside.matches && next !== here) next.click();
});
