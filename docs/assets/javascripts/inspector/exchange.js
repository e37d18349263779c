// One exchange, opened: what was sent, what came back, why, and the same request for other tools.

import { addButtons, copy } from "../shared/copy.js";
import { node, present, prose } from "../shared/dom.js";
import { jsonNodes, statusBadge } from "../shared/response-view.js";
import { NoResponse, send } from "../shared/sandbox-client.js";
import { site } from "../shared/session.js";
import { words } from "../shared/timeline.js";
import { clockTime, milliseconds } from "./exchange-list.js";

const COPIED_MS = 1500;

/** @typedef {"curl" | "javascript" | "pytest"} Form of a request for another tool */

export class ExchangeView {
  /**
   * `showCall(call_id)` and `back()` are called by its buttons.
   * @param {HTMLElement} element
   * @param {{ phrases: Record<string, string>, announce: Announce, showCall: (callId: string) => void, back: () => void, signal: AbortSignal }} options
   */
  constructor(element, { phrases, announce, showCall, back, signal }) {
    this.element = element;
    this.phrases = phrases;
    this.announce = announce;
    this.showCall = showCall;
    this.back = back;
    this.signal = signal;
  }

  /** @param {Exchange} exchange */
  show(exchange) {
    const { element } = this;
    const content = [
      node("button", { type: "button", class: "inspector-button inspector-back", onclick: () => this.back() }, "← All requests"),
      node(
        "div",
        { class: "inspector-exchange-head" },
        node(
          "p",
          { class: "inspector-exchange-title" },
          node("span", { class: "inspector-method" }, exchange.method),
          " ",
          node("span", { class: "inspector-exchange-path" }, exchange.path),
        ),
        statusBadge(exchange.status, this.phrases[exchange.status]),
      ),
      this.why(exchange),
      this.facts(exchange),
      this.exports(exchange),
      message("Request", exchange.request),
      message("Response", exchange.response),
    ];
    element.replaceChildren(...present(content));
    element.hidden = false;
    element.scrollTop = 0;
    addButtons();
  }

  /** @param {Exchange} exchange */
  why({ why, code, status }) {
    if (!why && !code) return null;
    return node(
      "div",
      { class: `inspector-why${status >= 400 ? " inspector-rejected" : ""}` },
      node("p", {}, ...prose(why ?? "")),
      code
        ? node(
            "p",
            {},
            node("a", { href: new URL(`errors/#${encodeURIComponent(code)}`, site).href }, node("code", {}, code), " on the Errors page"),
          )
        : null,
    );
  }

  /** @param {Exchange} exchange */
  facts(exchange) {
    const { call_id: callId, operation_id: operation } = exchange;
    return node(
      "dl",
      { class: "inspector-facts" },
      fact("Request id", node("code", {}, exchange.request_id)),
      fact("Time", clockTime(exchange.at), ` in ${milliseconds(exchange.duration_ms)}`),
      fact("Sender", exchange.sender === "provider" ? "The simulated provider" : "You, the integrator"),
      fact("Operation", operation ? node("code", {}, operation) : "None: the contract has no such path or method"),
      callId
        ? fact(
            "Call",
            node("button", { type: "button", class: "inspector-link", onclick: () => this.showCall(callId) }, callId),
          )
        : null,
      exchange.scenario ? fact("Scenario", words(exchange.scenario)) : null,
      exchange.replayed ? fact("Replayed", "The stored response to the same Idempotency-Key") : null,
    );
  }

  /** @param {Exchange} exchange */
  exports(exchange) {
    const note = node("span", { class: "inspector-note", "data-part": "copy-note" });
    const button = (/** @type {Form} */ field, /** @type {string} */ label) => {
      /** @type {HTMLButtonElement} */
      const pressed = node("button", { type: "button", class: "inspector-button", onclick: () => this.copyAs(pressed, { field, label, note, exchange }) }, label);
      return pressed;
    };
    return node(
      "div",
      { class: "inspector-row inspector-exports" },
      button("curl", "Copy as curl"),
      button("javascript", "Copy as JavaScript"),
      button("pytest", "Copy as pytest"),
      note,
    );
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {{ field: Form, label: string, note: HTMLElement, exchange: Exchange }} what
   */
  async copyAs(button, { field, label, note, exchange }) {
    note.textContent = "";
    try {
      const path = `/sandbox/exchanges/${encodeURIComponent(exchange.request_id)}`;
      const { status, json } = await send({ method: "GET", path, signal: this.signal });
      const text = /** @type {Partial<Exchange> | undefined} */ (json)?.[field];
      if (status !== 200 || typeof text !== "string") {
        note.textContent = /** @type {Partial<Problem> | undefined} */ (json)?.title ?? "The journal no longer has it.";
      } else if (await copy(text)) {
        button.textContent = "Copied";
        this.announce(`${label}: it is on the clipboard`);
        setTimeout(() => (button.textContent = label), COPIED_MS);
        return;
      } else {
        note.textContent = "The browser did not let go of the clipboard.";
      }
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      note.textContent = "The sandbox is not running.";
    }
    this.announce(note.textContent ?? "");
  }
}

/**
 * @param {string} name
 * @param {...(Node | string)} value
 */
function fact(name, ...value) {
  return node("div", {}, node("dt", {}, name), node("dd", {}, ...value));
}

/**
 * @param {string} title
 * @param {Message} message
 */
function message(title, { headers, body, body_bytes: bytes, truncated }) {
  return node(
    "div",
    { class: "inspector-message" },
    node("p", { class: "inspector-title" }, title),
    body === ""
      ? node("p", { class: "inspector-note" }, "No body")
      : node("div", { class: "highlight" }, node("pre", { tabindex: "0" }, node("code", {}, ...bodyNodes(body)))),
    truncated ? node("p", { class: "inspector-note" }, `Cut off: the journal keeps the beginning of these ${bytes} bytes.`) : null,
    node(
      "details",
      { class: "inspector-headers" },
      node("summary", {}, `${headers.length} headers`),
      node("dl", {}, ...headers.map(([name = "", value = ""]) => fact(name, value))),
    ),
  );
}

/** @param {string} body */
function bodyNodes(body) {
  try {
    return jsonNodes(JSON.parse(body));
  } catch {
    return [body];
  }
}
