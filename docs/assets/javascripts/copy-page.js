// At the head of each page: a button that copies it as Markdown, and other ways to read it.

import { copy } from "./shared/copy.js";

const SHOWN_MS = 1500;
const AGENTS = { ChatGPT: "https://chatgpt.com/?q=", Claude: "https://claude.ai/new?q=" };

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
  const list = actions.querySelector("ul");
  for (const [name, address] of agentLinks(source.href)) {
    const link = document.createElement("a");
    Object.assign(link, { href: address, target: "_blank", rel: "noopener", textContent: `Open in ${name}` });
    list?.appendChild(document.createElement("li")).append(link);
  }
}

/**
 * Where to ask an agent about a page. There is none for a page of this machine or of a private network: no agent could read it.
 * @param {string} source the address of the page as Markdown
 * @returns {[name: string, address: string][]}
 */
export function agentLinks(source) {
  const { protocol, hostname } = new URL(source);
  const isPublic = hostname.includes(".") && !/^[\d.]+$|\.(localhost|local|internal|test)$/.test(hostname);
  if (protocol !== "https:" || !isPublic) return [];
  const question = encodeURIComponent(`Read ${source} and answer my questions about it.`);
  return Object.entries(AGENTS).map(([name, address]) => [name, address + question]);
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
