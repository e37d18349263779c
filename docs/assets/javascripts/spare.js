// What a closed <details> keeps in <noscript>: open to a reader without scripts. With them it is one text
// until somebody opens it, so that nineteen cards nobody looks at cost the page nothing.

import { rewrite } from "./base-url.js";
import { addButtons } from "./copy.js";

// Heard on its way down, since this event does not bubble.
document.addEventListener("toggle", ({ target }) => target.open && show(target.querySelector(":scope > noscript")), true);

function show(spare) {
  if (!spare) return;
  // A page that came by instant navigation was parsed without scripts: its elements are there already.
  const made = spare.firstElementChild ? spare : new DOMParser().parseFromString(spare.textContent, "text/html").body;
  spare.replaceWith(...made.childNodes);
  rewrite();
  addButtons();
}
