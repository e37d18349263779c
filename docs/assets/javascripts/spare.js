// What a closed <details> keeps in <noscript>: open to a reader without scripts. With them it is one text
// until somebody opens it, so that cards nobody looks at cost the page nothing.

import { rewrite } from "./base-url.js";
import { addButtons } from "./copy.js";

// Heard on its way down, since this event does not bubble.
document.addEventListener("toggle", ({ target }) => target.open && show(target.querySelector(":scope > noscript")), true);

function show(spare) {
  if (!spare) return;
  spare.replaceWith(...new DOMParser().parseFromString(spare.textContent, "text/html").body.childNodes);
  rewrite();
  addButtons();
}
