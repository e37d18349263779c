// The calls of the key in use with their time lines, from the provider's side; ends one on request.

import { node } from "../shared/dom.js";
import { statusBadge } from "../shared/response-view.js";
import { stages, words } from "../shared/timeline.js";
import { clockTime } from "./exchange-list.js";

const PAGE = 20;
const POLL_MS = 1000;

export class CallsView {
  /**
   * `showRequests(call_id)` filters the list of exchanges.
   * @param {HTMLElement} element
   * @param {Pick<InspectorData, "life" | "endings"> & { fetchJson: FetchJson, announce: Announce, showRequests: (callId: string) => void, signal: AbortSignal }} options
   */
  constructor(element, { life, endings, fetchJson, announce, showRequests, signal }) {
    this.element = element;
    this.life = life;
    this.endings = endings;
    this.fetchJson = fetchJson;
    this.announce = announce;
    this.showRequests = showRequests;
    /** @type {string[]} */
    this.ids = [];
    /** @type {Map<string, CallCard>} by call_id */
    this.cards = new Map();
    this.shown = PAGE;
    this.list = node("ul", { class: "inspector-calls" });
    this.more = node("button", { type: "button", class: "inspector-button", onclick: () => this.showMore(), hidden: true }, "Show older calls");
    this.none = node(
      "p",
      { class: "inspector-hint" },
      "No call yet. Choose a scenario above and press “Place call”, then watch it ring, be answered and end.",
    );
    element.replaceChildren(this.none, this.list, this.more);
    const timer = setInterval(() => this.poll(), POLL_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /**
   * Shows these calls, the newest first.
   * @param {string[]} ids
   */
  show(ids) {
    this.ids = ids;
    const drawn = ids.slice(0, this.shown);
    for (const [id, card] of this.cards) {
      if (drawn.includes(id)) continue;
      card.element.remove();
      this.cards.delete(id);
    }
    for (const [place, id] of drawn.entries()) {
      const { element } = this.cardOf(id);
      if (this.list.children[place] !== element) this.list.insertBefore(element, this.list.children[place] ?? null);
    }
    this.none.hidden = ids.length > 0;
    this.more.hidden = ids.length <= this.shown;
    this.poll();
  }

  /** @param {string} id */
  cardOf(id) {
    const card = this.cards.get(id) ?? new CallCard(id, this);
    this.cards.set(id, card);
    return card;
  }

  /**
   * An exchange was about this call, so what is shown of it may be old.
   * @param {string} id
   */
  invalidate(id) {
    const card = this.cards.get(id);
    if (card) card.isFinal = false;
  }

  invalidateAll() {
    for (const card of this.cards.values()) card.isFinal = false;
    this.poll();
  }

  /**
   * Brings one call into view.
   * @param {string} id
   */
  reveal(id) {
    this.shown = Math.max(this.shown, this.ids.indexOf(id) + 1);
    this.show(this.ids);
    const card = this.cards.get(id);
    card?.element.scrollIntoView({ block: "nearest" });
    card?.element.focus({ preventScroll: true });
  }

  showMore() {
    this.shown += PAGE;
    this.show(this.ids);
  }

  /** Reads every call that can have changed, while somebody looks. */
  poll() {
    if (this.element.hidden || document.hidden) return;
    for (const card of this.cards.values()) if (!card.isFinal) card.read();
  }
}

class CallCard {
  /**
   * @param {string} id
   * @param {CallsView} view
   */
  constructor(id, view) {
    this.id = id;
    this.view = view;
    this.isFinal = false; // nothing of it will change by itself
    this.isReading = false;
    this.shown = "";
    this.badge = node("span", { class: "status" }, "…");
    this.scenario = node("span", { class: "inspector-call-scenario" });
    this.line = node("ol", { class: "life-line" });
    this.deliveries = node("ul", { class: "inspector-deliveries" });
    this.outcome = node(
      "select",
      { "aria-label": "How the call ends" },
      ...view.endings.map(({ name }, place) => node("option", { value: place }, words(name))),
    );
    this.endForm = node(
      "form",
      { class: "inspector-row", onsubmit: (event) => this.end(event) },
      this.outcome,
      node("button", { type: "submit", class: "inspector-button" }, "End now"),
    );
    this.note = node("p", { class: "inspector-note" });
    this.element = node(
      "li",
      { class: "inspector-call", tabindex: "-1" },
      node(
        "div",
        { class: "inspector-call-head" },
        this.badge,
        " ",
        this.scenario,
        " ",
        node("code", { class: "inspector-call-id" }, id),
        " ",
        node("button", { type: "button", class: "inspector-link", onclick: () => view.showRequests(id) }, "Its requests"),
      ),
      this.line,
      this.deliveries,
      this.endForm,
      this.note,
    );
  }

  async read() {
    if (this.isReading) return;
    this.isReading = true;
    const call = await this.view.fetchJson({ method: "GET", path: `/sandbox/calls/${encodeURIComponent(this.id)}` }, { quietly: true });
    this.isReading = false;
    if (call) this.draw(/** @type {InspectedCall} */ (call));
    else this.isFinal = true; // gone, or no response: the next exchange about it makes it read again
  }

  /** @param {InspectedCall} call */
  draw(call) {
    const { unfinished } = this.view.life;
    const hasEnded = !unfinished.includes(call.status);
    const pending = call.deliveries.some((delivery) => isPending(delivery, call.now));
    this.isFinal = hasEnded && !pending;
    const shown = JSON.stringify([call.timeline, call.deliveries, pending]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.badge.className = `status ${hasEnded ? (call.status === this.view.life.states[unfinished.length] ? "status-2" : "status-4") : "status-1"}`;
    this.badge.textContent = words(call.status);
    this.scenario.textContent = words(call.scenario);
    const start = Date.parse(call.timeline[0]?.at ?? call.now);
    /** @type {Map<CallStatus, number>} */
    const reached = new Map(call.timeline.map(({ status, at }) => [status, (Date.parse(at) - start) / 1000]));
    this.line.replaceChildren(...stages(this.view.life, call.status, reached));
    this.deliveries.replaceChildren(...call.deliveries.map((delivery) => deliveryNode(delivery, call.now)));
    this.endForm.hidden = hasEnded;
  }

  /** @param {Event} event */
  async end(event) {
    event.preventDefault();
    const response = await this.view.fetchJson({
      method: "POST",
      path: `/sandbox/calls/${encodeURIComponent(this.id)}/end`,
      body: JSON.stringify(this.view.endings[this.outcome.selectedIndex]?.body),
      mediaType: "application/json",
    });
    if (!response) return;
    const ended = /** @type {InspectedCall} */ (response);
    const held = this.endForm.contains(document.activeElement);
    this.draw(ended);
    if (held) this.element.focus({ preventScroll: true });
    this.view.announce(`The call has ended: ${words(ended.status)}`);
  }
}

/**
 * @param {Delivery} delivery
 * @param {string} now
 */
function isPending({ answered, due_at: due }, now) {
  return answered === null && due > now;
}

/**
 * @param {Delivery} delivery
 * @param {string} now
 */
function deliveryNode(delivery, now) {
  const { due_at: due, answered, payload } = delivery;
  return node(
    "li",
    {},
    clockTime(due, `${due} on the virtual clock`),
    " The provider ",
    answered === null ? (isPending(delivery, now) ? "will report " : "would have reported ") : "reported ",
    node("code", {}, payload.status),
    payload.duration > 0 ? ` after ${payload.duration} s` : "",
    answered === null ? null : " and got ",
    answered === null ? null : statusBadge(answered),
  );
}
