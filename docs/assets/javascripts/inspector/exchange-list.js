// The list of exchanges: a listbox with one stop for the Tab key, the newest on top.

import { around, node, present } from "../shared/dom.js";
import { statusBadge } from "../shared/response-view.js";
import { words } from "../shared/timeline.js";
import { timeOfDay } from "./clock.js";

export class ExchangeList {
  /**
   * `choose(seq, by)` is called when the reader picks one.
   * @param {HTMLElement} element
   * @param {{ choose: (seq: string, by: "press" | "arrow") => void, signal: AbortSignal }} options
   */
  constructor(element, { choose, signal }) {
    this.element = element;
    this.choose = choose;
    /** @type {Map<string, HTMLElement>} by seq */
    this.rows = new Map();
    /** @type {string | null} */
    this.opened = null;
    element.addEventListener("click", (event) => this.pressed(around(event, "[role=option]")), { signal });
    element.addEventListener("keydown", (event) => this.keyed(event), { signal });
  }

  /**
   * Shows these exchanges, the newest first.
   * @param {Exchange[]} exchanges
   */
  show(exchanges) {
    this.rows = new Map();
    const rows = exchanges.map((exchange) => this.row(exchange));
    this.element.replaceChildren(...rows);
    this.mark(this.opened);
  }

  /**
   * Puts newer exchanges, the oldest of them first, on top.
   * @param {Exchange[]} exchanges
   */
  prepend(exchanges) {
    const held = this.element.scrollTop > 0 || this.element.contains(document.activeElement);
    const before = this.element.scrollHeight;
    const rows = exchanges.map((exchange) => this.row(exchange));
    this.element.prepend(...rows.reverse());
    // Whoever reads further down, or goes by keyboard, keeps what they look at.
    if (held) this.element.scrollTop += this.element.scrollHeight - before;
    this.mark(this.opened);
  }

  /** @param {string} seq */
  remove(seq) {
    this.rows.get(seq)?.remove();
    this.rows.delete(seq);
  }

  /**
   * Marks the opened exchange.
   * @param {string | null} seq
   */
  mark(seq) {
    this.opened = seq;
    for (const row of this.element.querySelectorAll('[aria-selected="true"]')) row.setAttribute("aria-selected", "false");
    this.rowOf(seq)?.setAttribute("aria-selected", "true");
    this.tabStop(this.element.contains(document.activeElement) ? document.activeElement : this.rowOf(seq));
  }

  /** @param {string | null} seq */
  focus(seq) {
    const row = this.rowOf(seq) ?? this.element.firstElementChild;
    if (row instanceof HTMLElement) row.focus();
  }

  /** @param {string | null} seq */
  rowOf(seq) {
    return seq === null ? null : (this.rows.get(seq) ?? null);
  }

  /** @param {HTMLElement | null} row */
  pressed(row) {
    if (!row) return;
    this.tabStop(row);
    row.focus({ preventScroll: true });
    this.choose(row.dataset.seq ?? "", "press");
  }

  /** @param {KeyboardEvent} event */
  keyed(event) {
    const row = around(event, "[role=option]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, Element | null>} */
    const rows = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.element.firstElementChild,
      End: this.element.lastElementChild,
      Enter: row,
      " ": row,
    };
    const next = rows[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (!(next instanceof HTMLElement)) return;
    this.tabStop(next);
    next.focus();
    this.choose(next.dataset.seq ?? "", next === row ? "press" : "arrow");
  }

  /** @param {Element | null} row */
  tabStop(row) {
    const stop = row ?? this.element.firstElementChild;
    for (const other of this.element.querySelectorAll('[tabindex="0"]')) if (other !== stop) other.setAttribute("tabindex", "-1");
    stop?.setAttribute("tabindex", "0");
  }

  /** @param {Exchange} exchange */
  row(exchange) {
    const byProvider = exchange.sender === "provider";
    const about = present([
      exchange.code ?? (byProvider ? null : exchange.operation_id),
      exchange.scenario ? words(exchange.scenario) : null,
      exchange.replayed ? "replayed" : null,
    ]);
    const row = node(
      "li",
      { role: "option", class: "inspector-exchange-row", tabindex: "-1", "aria-selected": "false", "data-seq": exchange.seq },
      statusBadge(exchange.status),
      " ",
      node(
        "span",
        { class: "inspector-what" },
        node("span", { class: "inspector-method" }, exchange.method),
        " ",
        node("span", { class: "inspector-path", title: exchange.path }, shortened(exchange.path)),
      ),
      " ",
      clockTime(exchange.at),
      " ",
      node(
        "span",
        { class: "inspector-about" },
        byProvider ? node("span", { class: "inspector-sender" }, "provider") : null,
        " ",
        about.join(" · "),
      ),
      " ",
      node("span", { class: "inspector-ms" }, milliseconds(exchange.duration_ms)),
    );
    this.rows.set(exchange.seq, row);
    return row;
  }
}

/**
 * @param {string} instant
 * @param {string} [title]
 */
export function clockTime(instant, title = instant) {
  return node("time", { class: "inspector-when", datetime: instant, title }, timeOfDay(instant));
}

/** @param {number} value */
export function milliseconds(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

const UUID = /([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{6}([0-9a-f]{6})/gi;

/**
 * A path whose ids are cut in the middle, so that its end can be read.
 * @param {string} path
 */
function shortened(path) {
  return path.replace(UUID, "$1…$2");
}
