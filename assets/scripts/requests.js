// What a page does when a request of htmx does not come back as it should.
import { say } from "./toasts.js";

// A session that ended answers with the log-in page; it must not be put into the middle of this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const came = event.detail.xhr.responseURL && new URL(event.detail.xhr.responseURL);
  if (!came || came.pathname !== document.body.dataset.login || came.pathname === location.pathname) return;
  event.detail.shouldSwap = false;
  const next = encodeURIComponent(location.pathname + location.search);
  location.assign(`${came.pathname}?next=${next}`);
});

// A page that asks again by itself must not say so each time: only what a person did is answered with a sentence.
const asked = (event) => !event.detail.elt.matches("[hx-trigger*='every']");

document.addEventListener("htmx:responseError", (event) => {
  if (!asked(event)) return;
  const status = event.detail.xhr.status;
  say(status === 403 ? "Your role does not allow this. Nothing was changed."
    : status === 404 ? "This is no longer here. Load the page again."
    : status === 429 || status === 503 ? "Baton is busy. Nothing was changed; try again in a moment."
    : "That did not work. Nothing was changed; try again.");
});
document.addEventListener("htmx:sendError", (event) => {
  if (asked(event)) say("Baton can’t be reached. Nothing was changed; try again.");
  else away();
});
document.addEventListener("htmx:timeout", (event) => {
  if (asked(event)) say("Baton takes too long to answer. Look again before you repeat it.");
  else away();
});

// A page that asks in vain would go on saying that it is up to date; said once, and beside it until somebody answers.
let before;
function away() {
  if (before) return;
  const hint = document.querySelector(".worker");
  before = { hint, content: [...(hint?.childNodes ?? [])], late: hint?.classList.contains("is-late") };
  hint?.replaceChildren("Baton can’t be reached: this page may be old");
  hint?.classList.add("is-late");
  say("Baton can’t be reached. What you see here may be old.");
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (!before || !event.detail.xhr?.status) return;
  before.hint?.replaceChildren(...before.content);
  before.hint?.classList.toggle("is-late", before.late);
  before = undefined;
});

// After "Show more" the focus goes to the first new row; else a keyboard would start again at the top.
let grown;
document.addEventListener("htmx:beforeSwap", (event) => {
  const list = event.detail.target;
  if (event.detail.requestConfig?.elt.closest(".more")) grown = { list, had: list.children.length };
});
document.addEventListener("htmx:afterSettle", () => {
  const row = grown?.list.children[grown.had];
  if (!row) return;
  grown = null;
  (row.querySelector("a, button, input") ?? row).focus();
});
