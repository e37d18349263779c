// Tabs after the ARIA pattern: one stop for the Tab key, arrows choose.

import { around, findAll } from "../shared/dom.js";

export class Tabs {
  /**
   * `chosen(panel)` is called with the panel that comes into view.
   * @param {HTMLElement} list
   * @param {{ chosen: (panel: HTMLElement | null) => void, signal: AbortSignal }} options
   */
  constructor(list, { chosen, signal }) {
    this.tabs = findAll(list, "[role=tab]", HTMLElement);
    this.chosen = chosen;
    list.addEventListener("click", (event) => this.choose(around(event, "[role=tab]")), { signal });
    list.addEventListener("keydown", (event) => this.keyed(event), { signal });
  }

  /** @param {HTMLElement | null | undefined} tab */
  choose(tab) {
    if (!tab) return;
    for (const other of this.tabs) {
      const current = other === tab;
      other.setAttribute("aria-selected", String(current));
      other.tabIndex = current ? 0 : -1;
      const panel = panelOf(other);
      if (panel) panel.hidden = !current;
    }
    this.chosen(panelOf(tab));
  }

  /**
   * Brings the panel with this id into view.
   * @param {string} id
   */
  open(id) {
    this.choose(this.tabs.find((tab) => tab.getAttribute("aria-controls") === id));
  }

  /** @param {KeyboardEvent} event */
  keyed(event) {
    const current = around(event, "[role=tab]");
    const place = this.tabs.findIndex((tab) => tab === current);
    /** @type {Record<string, number>} */
    const places = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: this.tabs.length - 1 };
    const next = places[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    const tab = this.tabs.at(next % this.tabs.length);
    tab?.focus();
    this.choose(tab);
  }
}

/** @param {HTMLElement} tab */
function panelOf(tab) {
  return document.getElementById(tab.getAttribute("aria-controls") ?? "");
}
