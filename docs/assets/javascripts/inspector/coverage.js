// What the requests of the key in use have covered of the contract and the catalogue of scenarios.

import { node, present } from "../shared/dom.js";
import { words } from "../shared/timeline.js";

/** @typedef {Coverage["items"][number]} Item */

export class CoverageView {
  /**
   * @param {HTMLElement} element
   * @param {{ count: HTMLElement, phrases: Record<string, string>, fetchJson: FetchJson }} options
   */
  constructor(element, { count, phrases, fetchJson }) {
    this.element = element;
    this.count = count;
    this.phrases = phrases;
    this.fetchJson = fetchJson;
    /** @type {Coverage | null} */
    this.coverage = null;
    this.figure = node("span", { class: "inspector-percent" }, "0 %");
    this.bar = node("progress", { max: "100", value: "0", "aria-label": "Covered" });
    this.sum = node("span", { class: "inspector-note" });
    this.missing = node("input", { type: "checkbox", onchange: () => this.draw() });
    this.table = node(
      "table",
      { class: "rows" },
      node("thead", {}, node("tr", {}, node("th", { scope: "col" }, "Operation, response, problem or scenario"), node("th", { scope: "col", class: "inspector-figure" }, "Exchanges"))),
    );
    element.replaceChildren(
      node(
        "div",
        { class: "inspector-coverage-head" },
        this.figure,
        this.bar,
        this.sum,
        node("label", { class: "inspector-check" }, this.missing, " Only what is missing"),
      ),
      node("div", { class: "table-scroll inspector-table inspector-coverage-table", tabindex: "0", role: "region", "aria-label": "Coverage" }, this.table),
    );
  }

  async read() {
    const response = await this.fetchJson({ method: "GET", path: "/sandbox/coverage" }, { quietly: true });
    if (!response) return;
    this.coverage = /** @type {Coverage} */ (response);
    this.count.textContent = `${Math.round(this.coverage.percent)} %`;
    this.draw();
  }

  draw() {
    if (!this.coverage || this.element.hidden) return;
    const { percent, items } = this.coverage;
    const covered = items.filter((item) => item.exchanges > 0).length;
    this.figure.textContent = `${percent} %`;
    this.bar.value = percent;
    this.sum.textContent = `${covered} of ${items.length} covered`;
    for (const body of this.table.querySelectorAll("tbody")) body.remove();
    this.table.append(...present(groups(items).map((group) => this.body(group))));
  }

  /** @param {Item} item */
  label({ kind, name }) {
    const [, status = "", code = ""] = name.split(" ");
    if (kind === "scenario") return words(name);
    if (kind === "operation") return "Any response";
    return kind === "problem" ? node("code", {}, code) : `${status} ${this.phrases[status] ?? ""}`;
  }

  /** @param {{ name: string, items: Item[] }} group */
  body({ name, items }) {
    const covered = items.filter((item) => item.exchanges > 0).length;
    const shown = this.missing.checked ? items.filter((item) => item.exchanges === 0) : items;
    if (shown.length === 0) return null;
    return node(
      "tbody",
      {},
      node("tr", {}, node("th", { scope: "rowgroup" }, name), node("td", { class: "inspector-figure" }, `${covered} of ${items.length}`)),
      ...shown.map((item) =>
        node(
          "tr",
          { class: `inspector-item inspector-item-${item.kind}` },
          node("td", {}, this.label(item)),
          node("td", { class: `inspector-figure${item.exchanges > 0 ? " inspector-covered" : ""}` }, item.exchanges > 0 ? `✓ ${item.exchanges}` : "never"),
        ),
      ),
    );
  }
}

/**
 * The items of each operation, and those of the catalogue.
 * @param {Item[]} items
 */
function groups(items) {
  /** @type {Map<string, Item[]>} */
  const found = new Map();
  for (const item of items) {
    const name = item.kind === "scenario" ? "Scenarios" : (item.name.split(" ")[0] ?? "");
    found.set(name, [...(found.get(name) ?? []), item]);
  }
  return [...found].map(([name, members]) => ({ name, items: members }));
}
