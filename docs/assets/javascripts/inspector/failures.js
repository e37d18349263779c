// What fails for the key in use: arms and disarms faults, says which have struck, and counts the rings.

import { node } from "../shared/dom.js";
import { words } from "../shared/timeline.js";

const JSON_TYPE = "application/json";

/** @typedef {FaultList["faults"][number]} ArmedFault */
/** @typedef {RingList["rings"][number]} Ring */

export class FailuresView {
  /**
   * @param {HTMLElement} element
   * @param {{ count: HTMLElement, faults: InspectorData["faults"], problems: InspectorData["problems"], fetchJson: FetchJson, announce: Announce }} options
   */
  constructor(element, { count, faults, problems, fetchJson, announce }) {
    this.element = element;
    this.count = count;
    this.faults = faults;
    this.problems = problems;
    this.fetchJson = fetchJson;
    this.announce = announce;
    this.operation = select("Requests that fail", Object.keys(problems));
    this.kind = select("What strikes", faults.map(({ kind }) => kind));
    this.code = select("Code of the problem", []);
    this.status = select("Response of the gateway", ["502", "504"]);
    this.seconds = figure("Seconds", { min: "0.1", max: "60", step: "any", value: "2" });
    this.times = figure("Times", { min: "1", max: "1000", value: "1" });
    this.line = node("p", { class: "inspector-note", id: "inspector-fault-line" });
    this.kind.setAttribute("aria-describedby", "inspector-fault-line");
    this.armed = node("tbody");
    this.rings = node("tbody");
    this.disarm = node("button", { type: "button", class: "inspector-button", onclick: () => this.remove("") }, "Disarm all");
    this.form = node(
      "form",
      { class: "inspector-fault-form", "aria-label": "Arm a fault", onsubmit: (event) => this.arm(event), onchange: () => this.choose() },
      node(
        "div",
        { class: "inspector-row" },
        this.operation,
        this.kind,
        this.code,
        this.status,
        labelled("seconds", this.seconds),
        labelled("times", this.times),
        node("button", { type: "submit", class: "inspector-button inspector-primary" }, "Arm"),
        this.disarm,
      ),
      this.line,
    );
    element.replaceChildren(
      this.form,
      table("Armed faults", ["Operation", "Fault", "Struck", ""], this.armed),
      table("Rings", ["Number", "Rang", "Calls"], this.rings),
    );
    this.choose();
    this.show([], []);
  }

  /** Shows what the chosen fault does, and asks for what it needs to know. */
  choose() {
    const chosen = this.faults.find(({ kind }) => kind === this.kind.value);
    const members = chosen?.members ?? [];
    const code = this.code.value;
    this.code.replaceChildren(...(this.problems[this.operation.value] ?? []).map((name) => node("option", {}, name)));
    if (code) this.code.value = code;
    if (!this.code.value) this.code.selectedIndex = 0;
    this.code.hidden = !members.includes("code");
    this.status.hidden = !members.includes("status");
    this.seconds.parentElement?.toggleAttribute("hidden", !members.includes("seconds"));
    this.line.textContent = chosen?.line ?? "";
  }

  /** @param {Event} event */
  async arm(event) {
    event.preventDefault();
    const fault = {
      kind: this.kind.value,
      ...(this.code.hidden ? {} : { code: this.code.value }),
      ...(this.status.hidden ? {} : { status: Number(this.status.value) }),
      ...(this.seconds.parentElement?.hidden ? {} : { seconds: this.seconds.valueAsNumber }),
    };
    const body = { operation: this.operation.value, fault, times: this.times.valueAsNumber };
    const armed = await this.fetchJson({ method: "POST", path: "/sandbox/faults", body: JSON.stringify(body), mediaType: JSON_TYPE });
    if (!armed) return;
    this.announce(`Armed: ${words(fault.kind)}`);
    await this.read();
  }

  /** @param {string} id of the fault; all of them when it is empty */
  async remove(id) {
    const done = await this.fetchJson({ method: "DELETE", path: `/sandbox/faults${id && `/${id}`}` });
    if (done === null) return;
    this.announce(id ? "The fault is disarmed" : "All faults are disarmed");
    await this.read();
  }

  async read() {
    const quietly = { quietly: true };
    const faults = await this.fetchJson({ method: "GET", path: "/sandbox/faults" }, quietly);
    const rings = await this.fetchJson({ method: "GET", path: "/sandbox/rings" }, quietly);
    if (!faults || !rings) return;
    this.show(/** @type {FaultList} */ (faults).faults, /** @type {RingList} */ (rings).rings);
  }

  /**
   * @param {ArmedFault[]} faults
   * @param {Ring[]} rings
   */
  show(faults, rings) {
    this.count.textContent = String(faults.length);
    this.disarm.disabled = faults.length === 0;
    this.armed.replaceChildren(...(faults.length ? faults.map((fault) => this.row(fault)) : [nothing("No fault is armed.", 4)]));
    this.rings.replaceChildren(
      ...(rings.length ? rings.map(ringRow) : [nothing("No number was dialled.", 3)]),
    );
  }

  /** @param {ArmedFault} armed */
  row({ id, operation, fault, struck, times, phone }) {
    const told = [fault.code, fault.status, fault.seconds && `${fault.seconds} s`, phone].filter(Boolean).join(", ");
    const name = `${words(fault.kind)} of ${operation}`;
    return node(
      "tr",
      {},
      node("td", {}, operation),
      node("td", {}, words(fault.kind), told ? node("span", { class: "inspector-note" }, ` ${told}`) : null),
      node("td", { class: `inspector-figure${struck ? " inspector-covered" : ""}` }, `${struck} of ${times}`),
      node(
        "td",
        { class: "inspector-figure" },
        node("button", { type: "button", class: "inspector-link", "aria-label": `Disarm ${name}`, onclick: () => this.remove(id) }, "Disarm"),
      ),
    );
  }
}

/** @param {Ring} ring */
function ringRow({ phone, count, call_ids: ids }) {
  return node(
    "tr",
    {},
    node("td", {}, node("code", {}, phone)),
    node("td", { class: "inspector-figure" }, count === 1 ? "once" : `${count} times`),
    node("td", {}, ...ids.map((id) => node("code", { class: "inspector-call-id" }, `${id} `))),
  );
}

/**
 * @param {string} text
 * @param {number} columns
 */
function nothing(text, columns) {
  return node("tr", {}, node("td", { colspan: columns, class: "inspector-note" }, text));
}

/**
 * @param {string} title
 * @param {string[]} columns
 * @param {HTMLTableSectionElement} body
 */
function table(title, columns, body) {
  const head = columns.map((name) => node("th", { scope: "col" }, name || node("span", { class: "visually-hidden" }, "Action")));
  return node(
    "div",
    { class: "table-scroll inspector-table", tabindex: "0", role: "region", "aria-label": title },
    node("table", { class: "rows" }, node("thead", {}, node("tr", {}, ...head)), body),
  );
}

/**
 * @param {string} label
 * @param {string[]} names
 */
function select(label, names) {
  return node("select", { "aria-label": label }, ...names.map((name) => node("option", { value: name }, words(name))));
}

/**
 * @param {string} label
 * @param {Record<string, string>} attributes
 */
function figure(label, attributes) {
  return node("input", { type: "number", "aria-label": label, required: true, ...attributes });
}

/**
 * @param {string} label
 * @param {HTMLInputElement} input
 */
function labelled(label, input) {
  return node("label", { class: "inspector-figure-field" }, input, ` ${label}`);
}
