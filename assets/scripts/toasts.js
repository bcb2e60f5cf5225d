// A toast stays ten seconds, or as long as it is pointed at or has the focus.
const STAYS = 10_000;
const place = () => document.getElementById("toasts");

function time(toast) {
  let timer;
  const start = () => { clearTimeout(timer); timer = setTimeout(() => toast.remove(), STAYS); };
  const stop = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusout", start);
  start();
}

function all() {
  for (const toast of document.querySelectorAll("#toasts .toast-bar:not([data-timed])")) {
    toast.dataset.timed = "";
    time(toast);
  }
}

export function say(text) {
  const toast = Object.assign(document.createElement("div"), { className: "toast-bar", textContent: text });
  toast.setAttribute("role", "status");
  place()?.append(toast);
  all();
}

document.addEventListener("DOMContentLoaded", all);
document.addEventListener("htmx:afterSettle", all);
