// Programs and commands name the sandbox that serves this page, on whatever host and port it runs.

import { origin, writtenOrigin } from "./session.js";

const written = writtenOrigin();

/** Puts the address of this sandbox in the place of the one that the build wrote. */
export function rewrite() {
  if (written === origin()) return;
  for (const code of document.querySelectorAll(".md-typeset code")) {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = /** @type {Text} */ (texts.currentNode);
      if (text.data.includes(written)) text.data = text.data.replaceAll(written, origin());
    }
  }
}

if (window.document$) window.document$.subscribe(rewrite);
else rewrite();
