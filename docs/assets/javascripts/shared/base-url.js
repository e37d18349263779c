// Programs and commands name the sandbox that serves this page, on whatever host and port it runs, and
// the key of this browser: what they do shows up on the cards and in the inspector.

import { DEMO_KEY, key, on, origin, writtenOrigin } from "./session.js";

const written = writtenOrigin();
let shown = DEMO_KEY; // the key in the text of the page

/** Puts the address of this sandbox and the key in use in the place of those that the build wrote. */
export function rewrite() {
  replace(".md-typeset code", written, origin());
  replace(".md-typeset pre > code", DEMO_KEY, key());
  shown = key();
}

/**
 * @param {string} selector
 * @param {string} before
 * @param {string} after
 */
function replace(selector, before, after) {
  if (before === after) return;
  for (const code of document.querySelectorAll(selector)) {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = /** @type {Text} */ (texts.currentNode);
      if (text.data.includes(before)) text.data = text.data.replaceAll(before, after);
    }
  }
}

on("key", (changed) => {
  replace(".md-typeset pre > code", shown, changed);
  shown = changed;
});
if (window.document$) window.document$.subscribe(rewrite);
else rewrite();
