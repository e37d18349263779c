// A button that copies, in the corner of every block of code.

import { node } from "./nodes.js";

const SHOWN_MS = 1500;

/** Adds the button to each block of the page that has none yet, and lets the keyboard scroll wide ones. */
export function addButtons() {
  const codes = [...document.querySelectorAll(".md-typeset pre > code")];
  // The theme does this too, but only for blocks that came into view.
  const wide = codes.filter((code) => code.scrollWidth > code.clientWidth);
  for (const code of wide) code.tabIndex = 0;
  for (const code of codes) {
    const block = code.closest(".card-json") ?? code.parentElement;
    if (block.querySelector(".copy")) continue;
    const button = node("button", { type: "button", class: "copy", "aria-label": "Copy to the clipboard" });
    button.addEventListener("click", () => copied(button, code));
    block.append(button);
  }
}

async function copied(button, code) {
  const done = await copy(code.textContent.trimEnd());
  button.dataset.copied = done ? "yes" : "no";
  button.setAttribute("aria-label", done ? "Copied" : "Select the text and copy it by hand");
  setTimeout(() => {
    delete button.dataset.copied;
    button.setAttribute("aria-label", "Copy to the clipboard");
  }, SHOWN_MS);
}

/** True when the text is on the clipboard. The clipboard's own interface needs a secure context. */
export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }
  const area = node("textarea", { class: "visually-hidden", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

// Material emits the document after each instant navigation; without it the page stays as it is.
if (window.document$) window.document$.subscribe(addButtons);
else addButtons();
