// Dragging a card does what its menu does: it presses the button of the stage, or opens the sheet of won or lost.
import Sortable from "sortablejs";

const wide = matchMedia("(min-width: 900px)");
let moved;

function press(card, stage) {
  moved = card.id;
  card.querySelector(`form.menu-panel button[value="${stage}"]`).click();
}

// The card goes back to its place at once: only the answer of the server moves it for good.
function dropped(event) {
  const { item, from, to, oldIndex } = event;
  if (from === to) return;
  from.insertBefore(item, from.children[oldIndex] ?? null);
  document.querySelectorAll(".drop.is-over").forEach((drop) => drop.classList.remove("is-over"));
  if (to.dataset.drop) item.querySelector(`[data-ends="${to.dataset.drop}"]`).click();
  else press(item, to.dataset.stage);
}

function begin() {
  if (!wide.matches) return;
  const shared = {
    draggable: "[data-moves]", sort: false, animation: 120, chosenClass: "is-lifted", filter: ".menu",
    preventOnFilter: false, onAdd: dropped,
  };
  for (const list of document.querySelectorAll("#board .cards")) {
    if (!Sortable.get(list)) Sortable.create(list, { ...shared, group: "deals" });
  }
  for (const drop of document.querySelectorAll("#board .drop")) {
    if (!Sortable.get(drop)) Sortable.create(drop, { ...shared, group: { name: "deals", pull: false } });
    drop.addEventListener("dragenter", () => drop.classList.add("is-over"));
    drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
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
