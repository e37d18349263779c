// The life of a call as it happens: follows it until it has ended, and draws the time line.
// It polls the provider's side of the sandbox, which tells the exact times and is not journaled, and reads
// the call as an integrator does whenever its status has changed.

import { node } from "../shared/dom.js";
import { Pause } from "../shared/pause.js";
import { jsonNodes, statusBadge } from "../shared/response-view.js";
import { NoResponse, send } from "../shared/sandbox-client.js";
import { site } from "../shared/session.js";
import { stages, words } from "../shared/timeline.js";
import { fillPath, filled } from "./runtime-expressions.js";

const POLL_MS = 300;
const SLOW_POLL_MS = 1000;
const SLOW_AFTER_MS = 15_000;
const TIMEOUT_MS = 180_000;
const SHOWN_TURNS = 100;

/** Follows one call, from before it is created. */
export class CallLife {
  /**
   * @param {CallLifeData} data of the operation that reads the call
   * @param {{ announce: Announce, onState: (state: string) => void }} options
   */
  constructor(data, { announce, onState }) {
    this.data = data;
    this.announce = announce;
    this.onState = onState;
    this.abort = new AbortController();
    this.pause = new Pause(this.abort.signal);
    this.isFollowed = false;
    this.hasEnded = false;
    this.isGone = false;
    this.isSkipping = false;
    this.parameters = /** @type {JsonObject} */ ({});
    this.shown = /** @type {CallStatus | null} */ (null);
    this.reached = /** @type {Map<CallStatus, number>} */ (new Map()); // seconds since the call was created
    this.shownDeliveries = -1;
    this.skipButton = node("button", { type: "button", class: "life-skip", hidden: true, onclick: () => this.skip() }, "Skip to the end");
    this.line = node("ol", { class: "life-line" });
    this.note = node("p", { class: "life-note" });
    this.transcript = scrolled("life-said", "What was said", node("p", { class: "life-wait" }, "The transcript comes when the call has ended."));
    this.deliveries = node("div", {}, node("p", { class: "life-wait" }, "Nothing yet: the provider posts when the call has ended."));
    this.response = node("div");
    this.element = node(
      "div",
      { class: "life" },
      node("div", { class: "life-head" }, this.line, this.skipButton),
      this.note,
      this.transcript,
      node(
        "div",
        { class: "life-sides" },
        side("The provider posts", `POST ${data.webhookPath}`, this.deliveries),
        side("You read", `${data.method} ${data.path}`, this.response),
      ),
    );
    this.draw(null);
  }

  stop() {
    this.abort.abort();
    this.skipButton.hidden = true;
  }

  /**
   * Follows a call until it has ended.
   * @param {unknown} created the body of the response that created it
   */
  async follow(created) {
    this.isFollowed = true;
    this.parameters = filled(this.data.parameters, created);
    this.skipButton.hidden = false;
    this.draw(this.data.states[0] ?? null);
    const startedAt = performance.now();
    try {
      while (performance.now() - startedAt < TIMEOUT_MS) {
        const inspected = await this.poll();
        if (this.isGone || (this.hasEnded && inspected && !isPending(inspected))) break;
        await this.pause.begin(performance.now() - startedAt < SLOW_AFTER_MS ? POLL_MS : SLOW_POLL_MS);
      }
      if (!this.hasEnded && this.note.textContent === "") {
        this.note.textContent = "The call is still going on. Read its state with its call_id whenever you like.";
      }
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      if (error.reason !== "canceled") this.note.textContent = "The sandbox stopped responding.";
    }
    this.stop();
  }

  /** Reads the provider's side once, and shows what changed; null when there is none to read now. */
  async poll() {
    const path = fillPath(this.data.inspectPath, this.parameters);
    const { status, json } = await send({ method: "GET", path, signal: this.abort.signal });
    this.isGone = status === 404;
    if (this.isGone) this.note.textContent = "The call is gone: somebody has emptied the namespace of this key.";
    if (status !== 200) return null;
    const inspected = /** @type {InspectedCall} */ (json);
    const created = Date.parse(inspected.timeline[0]?.at ?? inspected.now);
    for (const { status: reached, at } of inspected.timeline) this.reached.set(reached, (Date.parse(at) - created) / 1000);
    if (inspected.status !== this.shown) await this.readCall();
    if (this.hasEnded) this.showDeliveries(inspected.deliveries);
    return inspected;
  }

  /** Reads the call as an integrator does, and shows it. */
  async readCall() {
    const { status, json } = await send({ method: this.data.method, path: fillPath(this.data.path, this.parameters), signal: this.abort.signal });
    if (status !== 200) return;
    const call = /** @type {Call} */ (json);
    const isFirst = this.shown === null; // the response that created it has just been announced
    this.shown = call.status;
    this.draw(call.status);
    this.response.replaceChildren(node("pre", {}, node("code", {}, ...jsonNodes(call))));
    if (!this.data.unfinished.includes(call.status)) this.finish(call);
    else if (!isFirst) this.announce(`The call is ${words(call.status)}`);
  }

  async skip() {
    if (this.isSkipping) return;
    this.isSkipping = true;
    this.skipButton.setAttribute("aria-disabled", "true"); // it keeps the focus
    try {
      await send({
        method: "POST",
        path: this.data.clockPath,
        body: JSON.stringify({ until: "idle" }),
        mediaType: "application/json",
        signal: this.abort.signal,
      });
      await this.poll();
      if (!this.hasEnded) this.showEndless();
      this.pause.end();
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
    }
    this.isSkipping = false;
    this.skipButton.removeAttribute("aria-disabled");
  }

  showEndless() {
    const webhooks = node("a", { href: new URL("how-results-arrive/#post-a-completion", site).href }, "post a completion");
    this.note.replaceChildren("The provider will never end this call. End it by hand: ", webhooks, ".");
    this.announce(this.note.textContent ?? "");
  }

  /** @param {CallStatus | null} current */
  draw(current) {
    this.line.replaceChildren(...stages(this.data, current, this.reached));
    if (current) this.onState(words(current));
  }

  /** @param {Call} call */
  finish(call) {
    this.hasEnded = true;
    if (document.activeElement === this.skipButton) this.transcript.focus(); // the button goes away
    this.skipButton.hidden = true;
    this.note.replaceChildren();
    this.announce(`The call has ended: ${words(call.status)}, ${call.duration} seconds`);
    const turns = (call.transcript ?? "").split("\n").filter(Boolean);
    this.transcript.replaceChildren(
      node(
        "p",
        { class: "life-summary" },
        node("strong", {}, capitalized(words(call.status))),
        call.duration ? ` after ${call.duration} s of talk. ` : ". ",
        turns.length ? null : "Nobody spoke, so there is no transcript.",
      ),
      ...(turns.length ? [transcript(turns)] : []),
    );
  }

  /**
   * Shows what the provider delivered, as the control API of the sandbox tells it.
   * @param {Delivery[]} deliveries
   */
  showDeliveries(deliveries) {
    const delivered = deliveries.flatMap(deliveryNodes);
    if (delivered.length === this.shownDeliveries) return;
    this.shownDeliveries = delivered.length;
    this.deliveries.replaceChildren(
      ...(delivered.length ? delivered : [node("p", { class: "life-wait" }, "Nobody but you posted a completion.")]),
    );
  }
}

/** @param {InspectedCall} call */
function isPending({ deliveries }) {
  return deliveries.some(({ answered }) => answered === null);
}

/**
 * The payload and what it was answered with; nothing before it was delivered.
 * @param {Delivery} delivery
 */
function deliveryNodes({ payload, answered }) {
  if (answered === null) return [];
  const shown = { ...payload, provider_call_id: "…" }; // its own id of the call is the provider's business alone
  return [
    node("pre", {}, node("code", {}, ...jsonNodes(shown))),
    node("p", { class: "life-response" }, "and got ", statusBadge(answered)),
  ];
}

/**
 * A part that scrolls in itself, so that nothing below moves when it fills.
 * @param {string} name
 * @param {string} label
 * @param {...Node} children
 */
function scrolled(name, label, ...children) {
  return node("div", { class: name, tabindex: "0", role: "group", "aria-label": label }, ...children);
}

/**
 * @param {string} title
 * @param {string} request
 * @param {Node} place
 */
function side(title, request, place) {
  return scrolled(
    "life-side",
    `${title}: ${request}`,
    node("p", { class: "life-side-title" }, title, " ", node("code", {}, request)),
    place,
  );
}

/** @param {string[]} turns */
function transcript(turns) {
  return node(
    "dl",
    { class: "life-transcript" },
    ...turns.slice(0, SHOWN_TURNS).map((turn) => {
      const [, speaker = "", said = turn] = /^([^:]{1,40}): ?(.*)$/s.exec(turn) ?? [];
      return node("div", {}, node("dt", {}, speaker || "—"), node("dd", { dir: "auto" }, said));
    }),
    turns.length > SHOWN_TURNS ? node("div", {}, node("dt", {}, "…"), node("dd", {}, `${turns.length - SHOWN_TURNS} more turns`)) : null,
  );
}

/** @param {string} text */
function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
