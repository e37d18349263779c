// A button that copies, in the corner of every block of code.

import { node } from "./dom.js";

const SHOWN_MS = 1500;

/**
 * The button that copies the text of a block of code.
 * @param {Element} code
 */
export function copyButton(code) {
  const button = node("button", { type: "button", class: "copy", "aria-label": "Copy to the clipboard" });
  button.addEventListener("click", () => copied(button, code));
  return button;
}

/** Adds the button to each block of the page, and lets the keyboard scroll the wide ones. */
export function addButtons() {
  for (const code of document.querySelectorAll(".md-typeset pre > code")) {
    const block = code.closest(".card-json") ?? code.parentElement;
    if (block && !block.querySelector(".copy")) block.append(copyButton(code));
    widths.observe(code);
  }
}

// Told after the layout is made, and only of blocks that are shown: to ask for widths would force one.
const widths = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    // The theme does this too, but only for blocks that came into view.
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
  }
});

/**
 * @param {HTMLButtonElement} button
 * @param {Element} code
 */
async function copied(button, code) {
  const done = await copy((code.textContent ?? "").trimEnd());
  button.dataset.copied = done ? "yes" : "no";
  button.setAttribute("aria-label", done ? "Copied" : "Select the text and copy it by hand");
  setTimeout(() => {
    delete button.dataset.copied;
    button.setAttribute("aria-label", "Copy to the clipboard");
  }, SHOWN_MS);
}

/**
 * True when the text is on the clipboard. The clipboard's own interface needs a secure context.
 * @param {string} text
 */
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
