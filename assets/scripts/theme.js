// Runs in the head before the first paint, so that a dark page never flashes light. Kept apart from app.js for that reason.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const KEY = "baton-theme";

function kept() {
  try { return localStorage.getItem(KEY); } catch { return null; }  // storage may be barred
}

function keep(theme) {
  try {
    if (theme) localStorage.setItem(KEY, theme);
    else localStorage.removeItem(KEY);
  } catch { /* then the choice lasts for this page */ }
}

const wanted = () => (system.matches ? "dark" : "light");
const show = () => { root.dataset.bsTheme = kept() ?? wanted(); };

root.dataset.js = "";
show();
system.addEventListener("change", show);
window.addEventListener("storage", (event) => { if (event.key === KEY) show(); });

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
  keep(theme === wanted() ? null : theme);  // back to what the system says: follow it again
  root.dataset.bsTheme = theme;
});
