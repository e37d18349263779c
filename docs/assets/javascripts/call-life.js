// The life of a call as it happens: follows it until it is over, and draws the time line.
// It asks the provider's side of the sandbox, which tells the exact times and is not journaled, and reads
// the call as an integrator does whenever its state has changed.

import { Unreached, send } from "./exchange.js";
import { fillPath, filled } from "./expressions.js";
import { jsonNodes } from "./json-view.js";
import { node } from "./nodes.js";
import { site } from "./session.js";

const POLL_MS = 300;
const SLOW_POLL_MS = 1000;
const SLOW_AFTER_MS = 15_000;
const LONGEST_MS = 180_000;
const MOST_TURNS = 100;

/** Follows one call, from before it is created. `plan` is the card's data on the operation that reads it. */
export class CallLife {
  constructor(plan, { announce }) {
    this.plan = plan;
    this.announce = announce;
    this.abort = new AbortController();
    this.isFollowed = false;
    this.reached = new Map(); // status -> seconds since the call was created
    this.skipButton = node("button", { type: "button", class: "life-skip", hidden: true, onclick: () => this.skip() }, "Skip to the end");
    this.line = node("ol", { class: "life-line" });
    this.note = node("p", { class: "life-note" });
    this.said = scrolled("life-said", "What was said", node("p", { class: "life-wait" }, "The transcript comes when the call is over."));
    this.posted = node("div", {}, node("p", { class: "life-wait" }, "Nothing yet: the provider posts when the call is over."));
    this.read = node("div");
    this.element = node(
      "div",
      { class: "life" },
      node("div", { class: "life-head" }, node("p", { class: "life-title" }, "The call as it happens"), this.skipButton),
      this.line,
      this.note,
      this.said,
      node(
        "div",
        { class: "life-sides" },
        side("The provider posts", `POST ${plan.webhook}`, this.posted),
        side("You read", `${plan.method} ${plan.path}`, this.read),
      ),
    );
    this.draw(null);
  }

  stop() {
    this.abort.abort();
    this.skipButton.hidden = true;
  }

  /** Follows the call of this answer until it is over. */
  async follow(created) {
    this.isFollowed = true;
    this.parameters = filled(this.plan.parameters, created);
    this.path = fillPath(this.plan.path, this.parameters);
    this.skipButton.hidden = false;
    this.draw(this.plan.states[0]);
    const startedAt = performance.now();
    try {
      while (performance.now() - startedAt < LONGEST_MS) {
        const behind = await this.look();
        if (this.isGone || (this.isOver && behind && !isPending(behind))) break;
        await this.pause(performance.now() - startedAt < SLOW_AFTER_MS ? POLL_MS : SLOW_POLL_MS);
      }
      if (!this.isOver && this.note.textContent === "") {
        this.note.textContent = "The call is still going on. Read its state with its call_id whenever you like.";
      }
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      if (error.kind !== "canceled") this.note.textContent = "The sandbox stopped answering.";
    }
    this.stop();
  }

  /** Asks once for the provider's side, and shows what changed; null when it cannot be told now. */
  async look() {
    const path = fillPath(this.plan.behind, this.parameters);
    const { status, json } = await send({ method: "GET", path, signal: this.abort.signal });
    this.isGone = status === 404;
    if (this.isGone) this.note.textContent = "The call is gone: somebody has emptied the namespace of this key.";
    if (status !== 200) return null;
    const created = Date.parse(json.timeline[0].at);
    for (const { status: reached, at } of json.timeline) this.reached.set(reached, (Date.parse(at) - created) / 1000);
    if (json.status !== this.shown) await this.readCall();
    if (this.isOver) this.showPosted(json.deliveries);
    return json;
  }

  /** Reads the call as an integrator does, and shows it. */
  async readCall() {
    const { status, json } = await send({ method: this.plan.method, path: this.path, signal: this.abort.signal });
    if (status !== 200) return;
    const isFirst = this.shown === undefined; // what creating it was answered has just been announced
    this.shown = json.status;
    this.draw(json.status);
    this.read.replaceChildren(node("pre", {}, node("code", {}, ...jsonNodes(json))));
    if (!this.plan.unfinished.includes(json.status)) this.finish(json);
    else if (!isFirst) this.announce(`The call is ${words(json.status)}`);
  }

  async skip() {
    if (this.skipping) return;
    this.skipping = true;
    this.skipButton.setAttribute("aria-disabled", "true"); // it keeps the focus
    try {
      await send({
        method: "POST",
        path: this.plan.clock,
        body: JSON.stringify({ until: "idle" }),
        mediaType: "application/json",
        signal: this.abort.signal,
      });
      await this.look();
      if (!this.isOver) this.showEndless();
      this.wake?.();
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
    }
    this.skipping = false;
    this.skipButton.removeAttribute("aria-disabled");
  }

  showEndless() {
    const webhooks = node("a", { href: new URL("webhooks/#post-a-completion", site).href }, "post a completion");
    this.note.replaceChildren("The provider will never end this call. End it by hand: ", webhooks, ".");
    this.announce(this.note.textContent);
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.abort.signal.addEventListener("abort", this.wake, { once: true });
    });
  }

  draw(current) {
    this.line.replaceChildren(...stages(this.plan, current, this.reached));
  }

  finish(call) {
    this.isOver = true;
    if (document.activeElement === this.skipButton) this.said.focus(); // the button goes away
    this.skipButton.hidden = true;
    this.note.replaceChildren();
    this.announce(`The call is over: ${words(call.status)}, ${call.duration} seconds`);
    const turns = (call.transcript ?? "").split("\n").filter(Boolean);
    this.said.replaceChildren(
      node(
        "p",
        { class: "life-summary" },
        node("strong", {}, capitalized(words(call.status))),
        call.duration > 0 ? ` after ${call.duration} s of talk. ` : ". ",
        turns.length ? null : "Nobody spoke, so there is no transcript.",
      ),
      ...(turns.length ? [transcript(turns)] : []),
    );
  }

  /** What the provider delivered, as the control API of the sandbox tells it. */
  showPosted(deliveries) {
    const made = deliveries.filter(({ answered }) => answered !== null);
    if (made.length === this.made) return;
    this.made = made.length;
    this.posted.replaceChildren(
      ...(made.length ? made.flatMap(delivery) : [node("p", { class: "life-wait" }, "Nobody but you posted a completion.")]),
    );
  }
}

function isPending({ deliveries }) {
  return deliveries.some(({ answered }) => answered === null);
}

function delivery({ payload, answered }) {
  const shown = { ...payload, provider_call_id: "…" }; // its own id of the call is the provider's business alone
  return [
    node("pre", {}, node("code", {}, ...jsonNodes(shown))),
    node(
      "p",
      { class: "life-answered" },
      "and was answered ",
      node("span", { class: `status status-${Math.floor(answered / 100)}` }, String(answered)),
    ),
  ];
}

/** A part of the life that scrolls in itself, so that nothing below moves when it fills. */
function scrolled(name, label, ...children) {
  return node("div", { class: name, tabindex: "0", role: "group", "aria-label": label }, ...children);
}

function side(title, request, place) {
  return scrolled(
    "life-side",
    `${title}: ${request}`,
    node("p", { class: "life-side-title" }, title, " ", node("code", {}, request)),
    place,
  );
}

/**
 * The stages of a time line. `current` is null before the call exists, `reached` holds the seconds at
 * which it came to each status.
 */
export function stages({ states, unfinished, meanings }, current, reached) {
  const over = current !== null && !unfinished.includes(current);
  const end = over ? current : states[unfinished.length];
  const good = end === states[unfinished.length];
  // A call that nobody answered never was in progress: only what was seen is drawn.
  const drawn = [...unfinished, end].filter((status) => good || status === end || reached.has(status));
  return drawn.map((status) => {
    const seconds = reached.get(status);
    const past = seconds !== undefined || status === current;
    const stage = status === current ? (over ? "end" : "now") : past ? "done" : over ? "skipped" : "ahead";
    return node(
      "li",
      {
        class: `life-stage life-${stage}${status === end && over && !good ? " life-bad" : ""}`,
        title: meanings[status],
        "aria-current": status === current ? "step" : null,
      },
      node("span", { class: "life-name" }, words(status)),
      " ",
      node("span", { class: "life-time" }, time(seconds, stage)),
    );
  });
}

function transcript(turns) {
  return node(
    "dl",
    { class: "life-transcript" },
    ...turns.slice(0, MOST_TURNS).map((turn) => {
      const [, speaker, said] = /^([^:]{1,40}): ?(.*)$/s.exec(turn) ?? [null, "", turn];
      return node("div", {}, node("dt", {}, speaker || "—"), node("dd", {}, said));
    }),
    turns.length > MOST_TURNS ? node("div", {}, node("dt", {}, "…"), node("dd", {}, `${turns.length - MOST_TURNS} more turns`)) : null,
  );
}

function time(seconds, stage) {
  if (seconds !== undefined) return `${seconds.toFixed(1)} s`;
  return stage === "skipped" ? "skipped" : "";
}

/** A status as people say it. */
export function words(status) {
  return status.replaceAll("_", " ");
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
