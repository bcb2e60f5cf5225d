// details.menu works without script; this closes it again on Escape and on a click beside it.
const open = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  // A sheet over the page closes first, and gives the focus back to the menu that opened it.
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  for (const menu of open()) {
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
  if (location.hash === "#side") location.hash = "#main";  // the navigation as a drawer, on a phone
});

// On a low screen the places scroll: the present one is brought into sight, with the next one, and nothing else moves.
const places = document.querySelector(".side-nav"), here = places?.querySelector("[aria-current]");
if (here) {
  const below = here.getBoundingClientRect().bottom + here.offsetHeight - places.getBoundingClientRect().bottom;
  if (below > 0) places.scrollTop += below;
}
