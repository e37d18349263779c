// Streams the journal of the key in use: from its beginning, and on after every break.

import { Pause } from "../shared/pause.js";
import { NoResponse, open } from "../shared/sandbox-client.js";

const BEGINNING = "0".repeat(32);
const SILENCE_MS = 40_000; // the sandbox says something at least every 15 s
const LONGEST_PAUSE_MS = 5_000;

/** Calls `arrived` for each exchange and `changed` when the connection changes. Ends when `signal` aborts. */
export class JournalStream {
  /**
   * @param {object} options
   * @param {(exchange: Exchange) => void} options.arrived
   * @param {(state: StreamState, reason?: NoResponseReason) => void} options.changed
   * @param {AbortSignal} options.signal
   */
  constructor({ arrived, changed, signal }) {
    this.arrived = arrived;
    this.changed = changed;
    this.signal = signal;
    this.pause = new Pause(signal);
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
        if (ended === "rejected") return;
        if (this.signal.aborted) return;
        if (ended !== "hidden") this.changed("reconnecting");
      } catch (error) {
        if (this.signal.aborted) return;
        if (!(error instanceof NoResponse)) throw error;
        this.changed("stopped", error.reason);
      }
      failures += 1;
      await this.pause.begin(Math.min(250 * 2 ** failures, LONGEST_PAUSE_MS));
    }
  }

  /** Connects at once instead of after the pause. */
  retry() {
    this.pause.end();
  }

  /**
   * Reads one connection to its end; says why it ended.
   * @param {() => void} connected
   */
  async follow(connected) {
    const connection = new AbortController();
    const end = () => connection.abort();
    const hide = () => document.hidden && end();
    this.signal.addEventListener("abort", end);
    // A browser grants few connections to one server, so a page that nobody sees holds none.
    document.addEventListener("visibilitychange", hide);
    let silence = setTimeout(end, SILENCE_MS);
    try {
      const response = await open("/sandbox/journal/stream", {
        headers: { Accept: "text/event-stream", "Last-Event-ID": this.lastId },
        signal: connection.signal,
      });
      if (response.status === 401) {
        this.changed("rejected");
        return "rejected";
      }
      if (!response.ok || !response.body) return "failed";
      connected();
      const events = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "ended";
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE_MS);
        for (const event of events.push(value)) this.take(event);
      }
    } catch (error) {
      if (document.hidden) return "hidden";
      if (error instanceof NoResponse && error.reason !== "canceled") throw error;
      return "broken";
    } finally {
      clearTimeout(silence);
      this.signal.removeEventListener("abort", end);
      document.removeEventListener("visibilitychange", hide);
    }
  }

  /** @param {ServerSentEvent} event */
  take(event) {
    if (event.id) this.lastId = event.id;
    if (event.event === "exchange") this.arrived(JSON.parse(event.data ?? ""));
  }
}

/** @typedef {{ event?: string, id?: string, data?: string }} ServerSentEvent */

/** Server-sent events out of pieces of text (HTML Standard, section 9.2.6). */
export class EventParser {
  constructor() {
    this.rest = "";
  }

  /**
   * The events that the next piece completes, such as `{ event: "exchange", id: "…", data: "{}" }`.
   * @param {string} piece
   */
  push(piece) {
    const blocks = (this.rest + piece).split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parsed).filter((event) => event.data !== undefined);
  }
}

/** @param {string} block */
function parsed(block) {
  /** @type {Record<string, string>} */
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  return /** @type {ServerSentEvent} */ (event);
}

/**
 * Resolves when somebody sees the page, or when `signal` aborts.
 * @param {AbortSignal} signal
 */
async function visible(signal) {
  if (!document.hidden) return;
  await new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true, signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
}
