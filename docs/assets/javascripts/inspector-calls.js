// The calls of the key in use with their time lines, from the provider's side; ends one on request.

import { stages, words } from "./call-life.js";
import { clockTime, statusBadge } from "./inspector-list.js";
import { node } from "./nodes.js";

const PAGE = 20;
const LOOK_MS = 1000;

export class CallsView {
  /** `life` and `endings` come from the contract; `showRequests(call_id)` filters the list. */
  constructor(element, { life, endings, ask, announce, showRequests, signal }) {
    Object.assign(this, { element, life, endings, ask, announce, showRequests, signal });
    this.ids = [];
    this.cards = new Map(); // call_id -> CallCard
    this.shown = PAGE;
    this.list = node("ul", { class: "inspector-calls" });
    this.more = node("button", { type: "button", class: "inspector-button", onclick: () => this.showMore(), hidden: true }, "Show older calls");
    this.none = node(
      "p",
      { class: "inspector-hint" },
      "No call yet. Choose a scenario above and press “Place call”, then watch it ring, be answered and end.",
    );
    element.replaceChildren(this.none, this.list, this.more);
    const timer = setInterval(() => this.look(), LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Shows these calls, the newest first. */
  show(ids) {
    this.ids = ids;
    const wanted = ids.slice(0, this.shown);
    for (const [id, card] of this.cards) {
      if (wanted.includes(id)) continue;
      card.element.remove();
      this.cards.delete(id);
    }
    for (const [place, id] of wanted.entries()) {
      if (!this.cards.has(id)) this.cards.set(id, new CallCard(id, this));
      const { element } = this.cards.get(id);
      if (this.list.children[place] !== element) this.list.insertBefore(element, this.list.children[place] ?? null);
    }
    this.none.hidden = ids.length > 0;
    this.more.hidden = ids.length <= this.shown;
    this.look();
  }

  /** An exchange was about this call, so what is shown of it may be old. */
  touch(id) {
    const card = this.cards.get(id);
    if (card) card.settled = false;
  }

  touchAll() {
    for (const card of this.cards.values()) card.settled = false;
    this.look();
  }

  /** Brings one call into view. */
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

  /** Asks for every call that can have changed, while somebody looks. */
  look() {
    if (this.element.hidden || document.hidden) return;
    for (const card of this.cards.values()) if (!card.settled) card.read();
  }
}

class CallCard {
  constructor(id, view) {
    this.id = id;
    this.view = view;
    this.settled = false;
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
    if (this.reading) return;
    this.reading = true;
    const call = await this.view.ask({ method: "GET", path: `/sandbox/calls/${encodeURIComponent(this.id)}` }, { quietly: true });
    this.reading = false;
    if (call) this.draw(call);
    else this.settled = true; // gone, or unreachable: the next exchange about it asks again
  }

  draw(call) {
    const { unfinished } = this.view.life;
    const over = !unfinished.includes(call.status);
    const pending = call.deliveries.some((delivery) => isPending(delivery, call.now));
    this.settled = over && !pending;
    const seen = JSON.stringify([call.timeline, call.deliveries, pending]);
    if (seen === this.seen) return;
    this.seen = seen;
    this.badge.className = `status ${over ? (call.status === this.view.life.states[unfinished.length] ? "status-2" : "status-4") : "status-1"}`;
    this.badge.textContent = words(call.status);
    this.scenario.textContent = words(call.scenario);
    const start = Date.parse(call.timeline[0].at);
    const reached = new Map(call.timeline.map(({ status, at }) => [status, (Date.parse(at) - start) / 1000]));
    this.line.replaceChildren(...stages(this.view.life, call.status, reached));
    this.deliveries.replaceChildren(...call.deliveries.map((delivery) => deliveryNode(delivery, call.now)));
    this.endForm.hidden = over;
  }

  async end(event) {
    event.preventDefault();
    const ended = await this.view.ask({
      method: "POST",
      path: `/sandbox/calls/${encodeURIComponent(this.id)}/end`,
      body: JSON.stringify(this.view.endings[this.outcome.value].body),
      mediaType: "application/json",
    });
    if (!ended) return;
    const held = this.endForm.contains(document.activeElement);
    this.draw(ended);
    if (held) this.element.focus({ preventScroll: true });
    this.view.announce(`The call has ended: ${words(ended.status)}`);
  }
}

function isPending({ answered, due_at: due }, now) {
  return answered === null && due > now;
}

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
