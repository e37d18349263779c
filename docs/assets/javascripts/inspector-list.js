// The list of exchanges: a listbox with one stop for the Tab key, the newest on top.

import { words } from "./call-life.js";
import { timeOfDay } from "./inspector-clock.js";
import { node } from "./nodes.js";

export class ExchangeList {
  /** `choose(seq, by)` is called when the reader picks one, `by` "press" or "arrow". */
  constructor(element, { choose, signal }) {
    this.element = element;
    this.choose = choose;
    this.rows = new Map(); // seq -> element
    element.addEventListener("click", (event) => this.pressed(event.target.closest("[role=option]")), { signal });
    element.addEventListener("keydown", (event) => this.keyed(event), { signal });
  }

  /** Shows these exchanges, the newest first. */
  show(exchanges) {
    this.rows = new Map();
    const rows = exchanges.map((exchange) => this.row(exchange));
    this.element.replaceChildren(...rows);
    this.mark(this.opened);
  }

  /** Puts newer exchanges, the oldest of them first, on top. */
  prepend(exchanges) {
    const held = this.element.scrollTop > 0 || this.element.contains(document.activeElement);
    const before = this.element.scrollHeight;
    const rows = exchanges.map((exchange) => this.row(exchange));
    this.element.prepend(...rows.reverse());
    // Whoever reads further down, or goes by keyboard, keeps what they look at.
    if (held) this.element.scrollTop += this.element.scrollHeight - before;
    this.mark(this.opened);
  }

  remove(seq) {
    this.rows.get(seq)?.remove();
    this.rows.delete(seq);
  }

  /** Marks the opened exchange. */
  mark(seq) {
    this.opened = seq;
    for (const row of this.element.querySelectorAll('[aria-selected="true"]')) row.setAttribute("aria-selected", "false");
    this.rows.get(seq)?.setAttribute("aria-selected", "true");
    this.tabStop(this.element.contains(document.activeElement) ? document.activeElement : this.rows.get(seq));
  }

  focus(seq) {
    (this.rows.get(seq) ?? this.element.firstElementChild)?.focus();
  }

  pressed(row) {
    if (!row) return;
    this.tabStop(row);
    row.focus({ preventScroll: true });
    this.choose(row.dataset.seq, "press");
  }

  keyed(event) {
    const row = event.target.closest("[role=option]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.element.firstElementChild,
      End: this.element.lastElementChild,
      Enter: row,
      " ": row,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (next === null) return;
    this.tabStop(next);
    next.focus();
    this.choose(next.dataset.seq, next === row ? "press" : "arrow");
  }

  tabStop(row) {
    const wanted = row ?? this.element.firstElementChild;
    for (const other of this.element.querySelectorAll('[tabindex="0"]')) if (other !== wanted) other.tabIndex = -1;
    if (wanted) wanted.tabIndex = 0;
  }

  row(exchange) {
    const byProvider = exchange.sender === "provider";
    const about = [
      exchange.code ?? (byProvider ? null : exchange.operation_id),
      exchange.scenario ? words(exchange.scenario) : null,
      exchange.replayed ? "replayed" : null,
    ].filter(Boolean);
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

export function statusBadge(status, phrase = "") {
  return node("span", { class: `status status-${Math.floor(status / 100)}` }, `${status} ${phrase}`.trim());
}

export function clockTime(instant, title = instant) {
  return node("time", { class: "inspector-when", datetime: instant, title }, timeOfDay(instant));
}

export function milliseconds(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

const UUID = /([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{6}([0-9a-f]{6})/gi;

/** A path whose ids are cut in the middle, so that its end can be read. */
function shortened(path) {
  return path.replace(UUID, "$1…$2");
}
