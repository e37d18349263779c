// A button at the head of each page that copies the page as Markdown.

import { copy } from "./copy.js";

const SHOWN_MS = 1500;

function enable() {
  const button = document.querySelector(".page-copy");
  if (!button) return;
  const source = button.parentElement.querySelector("a");
  button.onclick = async () => {
    button.textContent = (await copyPage(source.href)) ? "Copied" : "Open Markdown and copy it there";
    setTimeout(() => (button.textContent = "Copy page"), SHOWN_MS);
  };
}

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
