// Cards in a closed <details> stand in its <noscript>: open to a reader without scripts. With scripts they
// are one text until somebody opens it, so that cards nobody looks at cost the page nothing.

import { rewrite } from "../shared/base-url.js";
import { addButtons } from "../shared/copy.js";

// Heard on its way down, since this event does not bubble.
document.addEventListener("toggle", ({ target }) => target instanceof HTMLDetailsElement && target.open && show(target), true);

/** @param {HTMLDetailsElement} details */
function show(details) {
  const deferred = details.querySelector(":scope > noscript");
  if (!deferred) return;
  const text = deferred.textContent ?? "";
  deferred.replaceWith(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
  rewrite();
  addButtons();
}
