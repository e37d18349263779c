// One exchange, opened: what was sent, what came back, why, and the same request for other tools.

import { words } from "./call-life.js";
import { addButtons, copy } from "./copy.js";
import { Unreached, send } from "./exchange.js";
import { clockTime, milliseconds, statusBadge } from "./inspector-list.js";
import { jsonNodes } from "./json-view.js";
import { node, prose } from "./nodes.js";
import { site } from "./session.js";

const COPIED_MS = 1500;

export class ExchangeView {
  /** `showCall(call_id)` and `back()` are called by its buttons. */
  constructor(element, { phrases, announce, showCall, back, signal }) {
    Object.assign(this, { element, phrases, announce, showCall, back, signal });
  }

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
      message("Answer", exchange.response),
    ];
    element.replaceChildren(...content.filter(Boolean));
    element.hidden = false;
    element.scrollTop = 0;
    addButtons();
  }

  why({ why, code, status }) {
    if (!why && !code) return null;
    return node(
      "div",
      { class: `inspector-why${status >= 400 ? " inspector-refused" : ""}` },
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
      exchange.replayed ? fact("Replayed", "The stored answer to the same Idempotency-Key") : null,
    );
  }

  exports(exchange) {
    const button = (field, label) => {
      const pressed = node("button", { type: "button", class: "inspector-button", onclick: () => this.copyAs(pressed, field, label, exchange) }, label);
      return pressed;
    };
    return node(
      "div",
      { class: "inspector-row inspector-exports" },
      button("curl", "Copy as curl"),
      button("pytest", "Copy as pytest"),
      node("span", { class: "inspector-note", "data-part": "copy-note" }),
    );
  }

  async copyAs(button, field, label, exchange) {
    const note = button.parentElement.querySelector('[data-part="copy-note"]');
    note.textContent = "";
    try {
      const path = `/sandbox/exchanges/${encodeURIComponent(exchange.request_id)}`;
      const answer = await send({ method: "GET", path, signal: this.signal });
      const text = answer.json?.[field];
      if (answer.status !== 200 || typeof text !== "string") {
        note.textContent = answer.json?.title ?? "The journal no longer has it.";
      } else if (await copy(text)) {
        button.textContent = "Copied";
        this.announce(`${label}: it is on the clipboard`);
        setTimeout(() => (button.textContent = label), COPIED_MS);
        return;
      } else {
        note.textContent = "The browser did not let go of the clipboard.";
      }
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      note.textContent = "The sandbox is not running.";
    }
    this.announce(note.textContent);
  }
}

function fact(name, ...value) {
  return node("div", {}, node("dt", {}, name), node("dd", {}, ...value));
}

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
      node("dl", {}, ...headers.map(([name, value]) => fact(name, value))),
    ),
  );
}

function bodyNodes(body) {
  try {
    return jsonNodes(JSON.parse(body));
  } catch {
    return [body];
  }
}
