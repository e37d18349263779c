// Follows the journal of the key in use: from its beginning, and on after every break.

import { Unreached, open } from "./exchange.js";

const BEGINNING = "0".repeat(32);
const SILENCE_MS = 40_000; // the sandbox says something at least every 15 s
const LONGEST_WAIT_MS = 5_000;

/**
 * Calls `arrived(exchange)` for each exchange and `changed(state, reason)` when the connection
 * changes: "connecting", "live", "reconnecting", "stopped" or "refused". Ends when `signal` aborts.
 */
export class Follower {
  constructor({ arrived, changed, signal }) {
    this.arrived = arrived;
    this.changed = changed;
    this.signal = signal;
    this.lastId = BEGINNING;
  }

  async run() {
    let failures = 0;
    this.changed("connecting");
    while (!this.signal.aborted) {
      try {
        await visible(this.signal);
        const ended = await this.follow(() => {
          failures = 0;
          this.changed("live");
        });
        if (ended === "refused") return;
        if (this.signal.aborted) return;
        if (ended !== "hidden") this.changed("reconnecting");
      } catch (error) {
        if (this.signal.aborted) return;
        if (!(error instanceof Unreached)) throw error;
        this.changed("stopped", error.kind);
      }
      failures += 1;
      await this.pause(Math.min(250 * 2 ** failures, LONGEST_WAIT_MS));
    }
  }

  /** Connects at once instead of after the pause. */
  retry() {
    this.wake?.();
  }

  /** Reads one connection to its end; says why it ended. */
  async follow(connected) {
    const connection = new AbortController();
    const end = () => connection.abort();
    const hide = () => document.hidden && end();
    this.signal.addEventListener("abort", end);
    // A browser grants few connections to one server, so a page that nobody sees holds none.
    document.addEventListener("visibilitychange", hide);
    let watch = setTimeout(end, SILENCE_MS);
    try {
      const response = await open("/sandbox/journal/stream", {
        headers: { Accept: "text/event-stream", "Last-Event-ID": this.lastId },
        signal: connection.signal,
      });
      if (response.status === 401) {
        this.changed("refused");
        return "refused";
      }
      if (!response.ok) return "failed";
      connected();
      const events = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "ended";
        clearTimeout(watch);
        watch = setTimeout(end, SILENCE_MS);
        for (const event of events.push(value)) this.take(event);
      }
    } catch (error) {
      if (document.hidden) return "hidden";
      if (error instanceof Unreached && error.kind !== "canceled") throw error;
      return "broken";
    } finally {
      clearTimeout(watch);
      this.signal.removeEventListener("abort", end);
      document.removeEventListener("visibilitychange", hide);
    }
  }

  take(event) {
    if (event.id) this.lastId = event.id;
    if (event.event === "exchange") this.arrived(JSON.parse(event.data));
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.signal.addEventListener("abort", this.wake, { once: true });
    });
  }
}

/** Server-sent events out of pieces of text (HTML Standard, section 9.2.6). */
export class EventParser {
  constructor() {
    this.rest = "";
  }

  /** The events that the next piece completes, such as `{ event: "exchange", id: "…", data: "{}" }`. */
  push(piece) {
    const blocks = (this.rest + piece).split("\n\n");
    this.rest = blocks.pop();
    return blocks.map(parsed).filter((event) => event.data !== undefined);
  }
}

function parsed(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  return event;
}

function visible(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true, signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
}
