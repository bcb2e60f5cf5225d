// Dragging a card does what its menu does: it presses the button of the stage, or opens the sheet of won or lost.
import Sortable from "sortablejs";

const wide = matchMedia("(min-width: 900px)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let moved;

function press(card, stage) {
  moved = card.id;
  card.querySelector(`form.menu-panel button[value="${stage}"]`).click();
}

// The card goes back to its place at once: only the answer of the server moves it for good.
function dropped(event) {
  const { item, from, to, oldIndex } = event;
  from.insertBefore(item, from.children[oldIndex] ?? null);
  if (to.dataset.stage === from.dataset.stage) return;
  if (to.dataset.drop) item.querySelector(`[data-ends="${to.dataset.drop}"]`).click();
  else press(item, to.dataset.stage);
}

function begin() {
  if (!wide.matches) return;
  const shared = {
    draggable: "[data-moves]", sort: false, animation: still.matches ? 0 : 120, chosenClass: "is-lifted", filter: ".menu",
    preventOnFilter: false, onAdd: dropped,
  };
  for (const list of document.querySelectorAll("#board .cards")) {
    if (!Sortable.get(list)) Sortable.create(list, { ...shared, group: "deals" });
  }
  // A column takes a card wherever it is let go: on its heading and below its last card too.
  for (const column of document.querySelectorAll("#board .col[data-stage], #board [data-drop]")) {
    if (!Sortable.get(column)) Sortable.create(column, { ...shared, group: { name: "deals", pull: false } });
  }
}

document.addEventListener("submit", (event) => {
  const card = event.target.closest?.(".card-deal");
  if (card) moved = card.id;
});

// After a move the board is drawn anew; whoever works by keyboard goes on where the card is now.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "board") return;
  begin();
  // Settling is told once for each part that was swapped, so the card is remembered until the next one moves.
  const card = moved && document.getElementById(moved);
  (card?.querySelector("summary") ?? document.getElementById("board")).focus();
});

begin();
