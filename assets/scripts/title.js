// The page's title carries the number of the element with data-title-count, so that a hidden tab shows what is new.
const plain = () => document.title.replace(/^\(\d+\) /, "");

function count() {
  const source = document.querySelector("[data-title-count]");
  if (!source) return;
  const number = Number.parseInt(source.dataset.titleCount, 10) || 0;
  const title = number > 0 ? `(${number}) ${plain()}` : plain();
  if (document.title !== title) document.title = title;
}

document.addEventListener("DOMContentLoaded", count);
document.addEventListener("htmx:afterSettle", count);
