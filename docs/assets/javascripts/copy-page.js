// At the head of each page: a button that copies it as Markdown, and other ways to read it.

import { copy } from "./shared/copy.js";

const SHOWN_MS = 1500;

function enable() {
  const actions = document.querySelector(".page-actions");
  /** @type {HTMLButtonElement | null | undefined} */
  const button = actions?.querySelector(".page-copy");
  const source = actions?.querySelector("a");
  if (!actions || !button || !source) return;
  button.onclick = async () => {
    button.textContent = (await copyPage(source.href)) ? "Copied" : "Open Markdown and copy it there";
    setTimeout(() => (button.textContent = "Copy page"), SHOWN_MS);
  };
  const question = questionAbout(source.href);
  for (const link of question ? actions.querySelectorAll("a[data-asks]") : []) {
    link.setAttribute("href", `${link.getAttribute("data-asks")}${encodeURIComponent(question)}`);
    link.parentElement?.removeAttribute("hidden");
  }
}

/**
 * What an agent is asked about a page. Nothing about a page of this machine or of a private network: no agent could read it.
 * @param {string} source the address of the page as Markdown
 */
export function questionAbout(source) {
  const { protocol, hostname } = new URL(source);
  const isPublic = hostname.includes(".") && !/^[\d.]+$|\.(localhost|local|internal|test)$/.test(hostname);
  return protocol === "https:" && isPublic ? `Read ${source} and answer my questions about it.` : "";
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
