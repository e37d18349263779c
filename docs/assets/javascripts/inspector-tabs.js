// Tabs after the ARIA pattern: one stop for the Tab key, arrows choose.

export class Tabs {
  /** `chosen(panel)` is called with the panel that comes into view. */
  constructor(list, { chosen, signal }) {
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    this.chosen = chosen;
    list.addEventListener("click", (event) => this.choose(event.target.closest("[role=tab]")), { signal });
    list.addEventListener("keydown", (event) => this.keyed(event), { signal });
  }

  choose(tab) {
    if (!tab) return;
    for (const other of this.tabs) {
      const current = other === tab;
      other.setAttribute("aria-selected", String(current));
      other.tabIndex = current ? 0 : -1;
      panelOf(other).hidden = !current;
    }
    this.chosen(panelOf(tab));
  }

  /** Brings the panel with this id into view. */
  open(id) {
    this.choose(this.tabs.find((tab) => tab.getAttribute("aria-controls") === id));
  }

  keyed(event) {
    const place = this.tabs.indexOf(event.target.closest("[role=tab]"));
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: this.tabs.length - 1 }[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    const tab = this.tabs.at(next % this.tabs.length);
    tab.focus();
    this.choose(tab);
  }
}

function panelOf(tab) {
  return document.getElementById(tab.getAttribute("aria-controls"));
}
