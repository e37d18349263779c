// A button at the head of each page that copies the page as Markdown.

import { copy } from "./shared/copy.js";

const SHOWN_MS = 1500;

function enable() {
  /** @type {HTMLButtonElement | null} */
  const button = document.querySelector(".page-copy");
  const source = button?.parentElement?.querySelector("a");
  if (!button || !source) return;
  button.onclick = async () => {
    button.textContent = (await copyPage(source.href)) ? "Copied" : "Open Markdown and copy it there";
    setTimeout(() => (button.textContent = "Copy page"), SHOWN_MS);
  };
}

/** @param {string} url */
async function copyPage(url) {
  try {
    const response = await fetch(url);
    return response.ok && (await copy(await response.text()));
  } catch {
    return false;
  }
}

if (window.document$) window.document$.subscribe(enable);
else enable();
