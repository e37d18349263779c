// The life of a call as it happens: asks for its state until it is over, and draws the time line.

import { Unreached, send } from "./exchange.js";
import { fillPath, filled } from "./expressions.js";
import { jsonNodes } from "./json-view.js";
import { node } from "./nodes.js";

const POLL_MS = 400;
const LONGEST_MS = 120_000;

/** Follows one call. `plan` is the card's data on the operation that reads it. */
export class CallLife {
  constructor(plan, created, { announce }) {
    this.plan = plan;
    this.parameters = filled(plan.parameters, created);
    this.path = fillPath(plan.path, this.parameters);
    this.announce = announce;
    this.abort = new AbortController();
    this.startedAt = performance.now();
    this.reached = new Map(); // status -> seconds since the call was created
    this.skipButton = node(
      "button",
      { type: "button", class: "life-skip", onclick: () => this.skip() },
      "Skip to the end",
    );
    this.line = node("ol", { class: "life-line" });
    this.note = node("p", { class: "life-note" });
    this.result = node(
      "div",
      { class: "life-result", tabindex: "0", role: "group", "aria-label": "Result of the call" },
      node("p", { class: "life-wait" }, "When the call is over, you see here what the provider posted and what was saved."),
    );
    this.element = node(
      "div",
      { class: "life" },
      node("div", { class: "life-head" }, node("p", { class: "life-title" }, "The call as it happens"), this.skipButton),
      this.line,
      this.note,
      this.result,
    );
    this.draw(plan.states[0]);
  }

  stop() {
    this.abort.abort();
    this.skipButton.hidden = true;
  }

  async follow() {
    try {
      while (performance.now() - this.startedAt < LONGEST_MS) {
        const answer = await this.read();
        if (answer.status === 429 || answer.status === 503) {
          await this.pause(1000);
          continue;
        }
        if (answer.status !== 200) {
          this.note.textContent = `The state cannot be read: ${answer.json?.title ?? answer.status}.`;
          break;
        }
        this.show(answer.json);
        if (!this.plan.unfinished.includes(answer.json.status)) {
          this.finish(answer.json);
          return;
        }
        await this.pause(POLL_MS);
      }
      if (this.note.textContent === "") {
        this.note.textContent = "The call is still going on. Read its state with its call_id whenever you like.";
      }
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      if (error.kind !== "canceled") this.note.textContent = "The sandbox stopped answering.";
    }
    this.stop();
  }

  async skip() {
    this.skipButton.disabled = true;
    try {
      await send({
        method: "POST",
        path: this.plan.clock,
        body: JSON.stringify({ until: "idle" }),
        mediaType: "application/json",
        signal: this.abort.signal,
      });
      const answer = await this.read();
      if (this.plan.unfinished.includes(answer.json?.status)) {
        this.note.textContent = "The provider will never end this call. End it by hand: post a completion with the webhook card.";
      }
      this.wake?.();
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
    }
    this.skipButton.disabled = false;
  }

  read() {
    return send({ method: this.plan.method, path: this.path, signal: this.abort.signal });
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

  show(call) {
    if (this.reached.has(call.status)) return;
    this.reached.set(call.status, (performance.now() - this.startedAt) / 1000);
    this.announce(`The call is ${words(call.status)}`);
    this.draw(call.status);
  }

  draw(current) {
    this.line.replaceChildren(...stages(this.plan, current, this.reached));
  }

  async finish(call) {
    if (document.activeElement === this.skipButton) this.result.focus(); // the button goes away
    this.stop();
    this.announce(`The call is over: ${words(call.status)}, ${call.duration} seconds`);
    const turns = (call.transcript ?? "").split("\n").filter(Boolean);
    const summary = node(
      "p",
      { class: "life-summary" },
      node("strong", {}, capitalized(words(call.status))),
      call.duration > 0 ? ` after ${call.duration} s of talk. ` : ". ",
      turns.length ? null : "Nobody spoke, so there is no transcript.",
    );
    const posted = await this.posted();
    this.result.replaceChildren(
      summary,
      ...(turns.length ? [transcript(turns)] : []),
      node(
        "div",
        { class: "life-sides" },
        posted.length
          ? side(`The provider posted to ${this.plan.webhook}`, posted)
          : side("Nobody but you posted a completion", []),
        side("You read", [node("pre", { tabindex: "0" }, node("code", {}, ...jsonNodes(call)))]),
      ),
    );
  }

  /** What the provider delivered, as the control API of the sandbox tells it. */
  async posted() {
    try {
      const answer = await send({ method: "GET", path: fillPath(this.plan.behind, this.parameters) });
      return (answer.json?.deliveries ?? [])
        .filter((delivery) => delivery.answered !== null)
        .flatMap(({ payload, answered }) => [
          // Its own id of the call is nobody's business but the provider's.
          node("pre", { tabindex: "0" }, node("code", {}, ...jsonNodes({ ...payload, provider_call_id: "…" }))),
          node("p", { class: "life-answered" }, `and was answered ${answered}.`),
        ]);
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      return [];
    }
  }
}

function side(title, nodes) {
  return node("div", { class: "life-side" }, node("p", { class: "life-side-title" }, title), ...nodes);
}

/** The stages of a time line. `reached` holds the seconds at which the call came to each status. */
export function stages({ states, unfinished, meanings }, current, reached) {
  const over = !unfinished.includes(current);
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
    ...turns.map((turn) => {
      const [, speaker, said] = /^([^:]{1,40}): ?(.*)$/s.exec(turn) ?? [null, "", turn];
      return node("div", {}, node("dt", {}, speaker || "—"), node("dd", {}, said));
    }),
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
