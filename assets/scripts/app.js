import Alpine from "@alpinejs/csp";
import htmx from "htmx.org";
import "./chosen.js";
import "./copy.js";
import "./desk.js";
import "./dialogs.js";
import "./frame.js";
import "./keys.js";
import "./menus.js";
import "./narrow.js";
import "./requests.js";
import "./title.js";
import "./toasts.js";

window.htmx = htmx;
window.Alpine = Alpine;
Alpine.start();
