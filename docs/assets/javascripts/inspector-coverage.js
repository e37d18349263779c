// What the requests of the key in use have met of the contract and the catalogue of scenarios.

import { words } from "./call-life.js";
import { node } from "./nodes.js";

export class CoverageView {
  constructor(element, { count, phrases, ask }) {
    Object.assign(this, { element, count, phrases, ask });
    this.figure = node("span", { class: "inspector-percent" }, "0 %");
    this.bar = node("progress", { max: "100", value: "0", "aria-label": "Covered" });
    this.sum = node("span", { class: "inspector-note" });
    this.missing = node("input", { type: "checkbox", onchange: () => this.draw() });
    this.table = node(
      "table",
      { class: "rows" },
      node("thead", {}, node("tr", {}, node("th", { scope: "col" }, "Operation, answer, problem or scenario"), node("th", { scope: "col", class: "inspector-figure" }, "Exchanges"))),
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
      node("div", { class: "table-scroll inspector-coverage-table", tabindex: "0", role: "region", "aria-label": "Coverage" }, this.table),
    );
  }

  async read() {
    const coverage = await this.ask({ method: "GET", path: "/sandbox/coverage" }, { quietly: true });
    if (!coverage) return;
    this.coverage = coverage;
    this.count.textContent = `${Math.round(coverage.percent)} %`;
    this.draw();
  }

  draw() {
    if (!this.coverage || this.element.hidden) return;
    const { percent, items } = this.coverage;
    const met = items.filter((item) => item.exchanges > 0).length;
    this.figure.textContent = `${percent} %`;
    this.bar.value = percent;
    this.sum.textContent = `${met} of ${items.length} met`;
    for (const body of this.table.querySelectorAll("tbody")) body.remove();
    this.table.append(...groups(items).map((group) => this.body(group)).filter(Boolean));
  }

  label({ kind, name }) {
    const [, status, code] = name.split(" ");
    if (kind === "scenario") return words(name);
    if (kind === "operation") return "Any answer";
    return kind === "problem" ? node("code", {}, code) : `${status} ${this.phrases[status] ?? ""}`;
  }

  body({ name, items }) {
    const met = items.filter((item) => item.exchanges > 0).length;
    const shown = this.missing.checked ? items.filter((item) => item.exchanges === 0) : items;
    if (shown.length === 0) return null;
    return node(
      "tbody",
      {},
      node("tr", {}, node("th", { scope: "rowgroup" }, name), node("td", { class: "inspector-figure" }, `${met} of ${items.length}`)),
      ...shown.map((item) =>
        node(
          "tr",
          { class: `inspector-item inspector-item-${item.kind}` },
          node("td", {}, this.label(item)),
          node("td", { class: `inspector-figure${item.exchanges > 0 ? " inspector-met" : ""}` }, item.exchanges > 0 ? `✓ ${item.exchanges}` : "never"),
        ),
      ),
    );
  }
}

/** The items of each operation, and those of the catalogue. */
function groups(items) {
  const found = new Map();
  for (const item of items) {
    const name = item.kind === "scenario" ? "Scenarios" : item.name.split(" ")[0];
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(item);
  }
  return [...found].map(([name, members]) => ({ name, items: members }));
}
