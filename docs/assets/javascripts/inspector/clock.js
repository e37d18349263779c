// The virtual clock of the key in use: shows it, and advances it.

const TICK_MS = 250;

export class ClockView {
  /**
   * @param {{ time: HTMLElement, due: HTMLElement, advance: HTMLElement, idle: HTMLElement }} parts
   * @param {{ fetchJson: FetchJson, announce: Announce, advanced: () => void, signal: AbortSignal }} options
   */
  constructor({ time, due, advance, idle }, { fetchJson, announce, advanced, signal }) {
    this.time = time;
    this.due = due;
    this.fetchJson = fetchJson;
    this.announce = announce;
    this.advanced = advanced;
    /** @type {Clock & { at: number, read: number } | null} */
    this.known = null;
    advance.addEventListener("click", () => this.advance(advance, { advance_seconds: 30 }, "30 seconds have passed"), { signal });
    idle.addEventListener("click", () => this.advance(idle, { until: "idle" }, "Everything that was pending has happened"), { signal });
    const timer = setInterval(() => this.draw(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  async read() {
    this.show(await this.fetchJson({ method: "GET", path: "/sandbox/clock" }));
  }

  /**
   * @param {HTMLElement} button
   * @param {{ advance_seconds: number } | { until: "idle" }} body
   * @param {string} text what to announce then
   */
  async advance(button, body, text) {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    const clock = await this.fetchJson({ method: "POST", path: "/sandbox/clock", body: JSON.stringify(body), mediaType: "application/json" });
    button.ariaDisabled = null;
    if (!clock) return;
    this.show(clock);
    this.announce(text);
    this.advanced();
  }

  /** @param {unknown} response */
  show(response) {
    if (!response) return;
    const clock = /** @type {Clock} */ (response);
    this.known = { ...clock, at: Date.parse(clock.now), read: performance.now() };
    this.draw();
  }

  draw() {
    if (!this.known || document.hidden) return;
    const { at, read, rate, mode, next_due_at: due } = this.known;
    const now = mode === "wall" ? at + (performance.now() - read) * rate : at;
    write(this.time, timeOfDay(now));
    write(this.due, sentence(due === null ? null : Date.parse(due) - now, now - Date.now()));
  }
}

/**
 * `"09:05:02"`, where the reader is. The browser's own formatter takes a tenth of a second to load on a phone.
 * @param {string | number} instant
 */
export function timeOfDay(instant) {
  const date = new Date(instant);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * @param {number | null} untilDue in milliseconds
 * @param {number} ahead in milliseconds
 */
function sentence(untilDue, ahead) {
  const parts = [
    untilDue === null ? "Nothing is pending" : untilDue <= 0 ? "A completion is due" : `Next completion in ${span(untilDue)}`,
  ];
  if (ahead >= 1000) parts.push(`${span(ahead)} ahead of the wall clock`);
  return `${parts.join(", ")}.`;
}

/**
 * `"4 s"`, `"2 min 5 s"`, `"3 h 20 min"`.
 * @param {number} milliseconds
 */
function span(milliseconds) {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
