// dialog.over opens by its address without script. With script the same link opens it as a modal, which keeps the
// focus inside and gives it back on closing.
const sheet = (hash) => {
  const found = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
  return found && found.matches("dialog.over") ? found : null;
};

function show(dialog) {
  if (dialog.matches(":modal")) return;
  dialog.removeAttribute("open");  // a page that came back with errors carries it open, but not as a modal
  dialog.showModal();
}

function byAddress() {
  const dialog = sheet(location.hash);
  if (dialog) show(dialog);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href*='#']");
  if (link && link.pathname === location.pathname && link.search === location.search) {
    const dialog = sheet(link.hash);
    if (dialog) {
      event.preventDefault();
      show(dialog);
      return;
    }
  }
  const dialog = event.target.closest("dialog.over[open]");
  if (!dialog) return;
  const beside = event.target === dialog;
  // A link out of the sheet keeps things as they are; one to a field in it, as in a list of errors, only leads there.
  const out = event.target.closest("a[href^='#']");
  const keep = event.target.closest("[data-close]") || (out && !dialog.contains(document.getElementById(out.hash.slice(1))));
  if (beside || keep) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener("close", (event) => {
  // Else the same link would not change the address a second time, and a reload would open the sheet again.
  if (sheet(location.hash) === event.target) history.replaceState(null, "", location.pathname + location.search);
}, true);

function start() {
  for (const dialog of document.querySelectorAll("dialog.over[open]")) show(dialog);
  byAddress();
}

window.addEventListener("hashchange", byAddress);
document.addEventListener("DOMContentLoaded", start);
document.addEventListener("htmx:afterSettle", () => {
  for (const dialog of document.querySelectorAll("dialog.over[open]")) show(dialog);
});
