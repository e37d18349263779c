// What the page remembers: the newest exchanges of one key, and which of them a filter lets through.

export const MOST_EXCHANGES = 500;

export class Memory {
  constructor() {
    this.bySeq = new Map(); // in the order of arrival, the oldest first
  }

  get size() {
    return this.bySeq.size;
  }

  /** Remembers an exchange; returns what had to go for it: the seq of the oldest, or null. */
  add(exchange) {
    this.bySeq.set(exchange.seq, exchange);
    if (this.bySeq.size <= MOST_EXCHANGES) return null;
    const [oldest] = this.bySeq.keys();
    this.bySeq.delete(oldest);
    return oldest;
  }

  get(seq) {
    return this.bySeq.get(seq);
  }

  clear() {
    this.bySeq.clear();
  }

  /** The exchanges that match, the newest first. */
  search(filter) {
    return [...this.bySeq.values()].filter((exchange) => matches(exchange, filter)).reverse();
  }

  /** The calls that exchanges were about, the newest first. */
  callIds() {
    const ids = new Set();
    for (const { call_id: id } of this.bySeq.values()) if (id) ids.add(id);
    return [...ids].reverse();
  }
}

/** `filter` holds text, operation, status (`"4"` for 4xx) and sender; an empty one lets all through. */
export function matches(exchange, { text, operation, status, sender }) {
  if (operation && (exchange.operation_id ?? "none") !== operation) return false;
  if (status && !String(exchange.status).startsWith(status)) return false;
  if (sender && exchange.sender !== sender) return false;
  return !text || haystack(exchange).includes(text.toLowerCase());
}

export function isEmpty(filter) {
  return !Object.values(filter).some(Boolean);
}

function haystack({ request, response, ...summary }) {
  const words = Object.values(summary).filter((value) => value !== null);
  for (const message of [request, response]) {
    words.push(message.body, ...message.headers.map(([name, value]) => `${name}: ${value}`));
  }
  return words.join("\n").toLowerCase();
}
