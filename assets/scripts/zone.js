// A visitor reads times on their own clock. Where nobody has chosen one, the page is asked for again with the browser's,
// before anything of it is seen; the address then names it, so it is asked for once. A clock that the server doesn't
// know changes nothing, and without this script the page is as it came.
const named = (timeZone) => new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
const mine = named();
const address = new URL(location.href);
if (mine && address.searchParams.get("here") !== mine && named(document.currentScript.dataset.shown) !== mine) {
  document.documentElement.hidden = true;
  address.searchParams.set("here", mine);
  location.replace(address);
}
