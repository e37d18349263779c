// The newest exchanges of one key, and which of them a filter lets through.

export const EXCHANGES_LIMIT = 500;

export class RecentExchanges {
  constructor() {
    /** @type {Map<string, Exchange>} by seq, in the order of arrival: the oldest first */
    this.bySeq = new Map();
  }

  get size() {
    return this.bySeq.size;
  }

  /**
   * Keeps an exchange; returns what was removed for it: the seq of the oldest, or null.
   * @param {Exchange} exchange
   */
  add(exchange) {
    this.bySeq.set(exchange.seq, exchange);
    if (this.bySeq.size <= EXCHANGES_LIMIT) return null;
    const [oldest = null] = this.bySeq.keys();
    if (oldest !== null) this.bySeq.delete(oldest);
    return oldest;
  }

  /** @param {string} seq */
  get(seq) {
    return this.bySeq.get(seq);
  }

  /** @param {string} requestId */
  find(requestId) {
    return [...this.bySeq.values()].find((exchange) => exchange.request_id === requestId) ?? null;
  }

  clear() {
    this.bySeq.clear();
  }

  /**
   * The exchanges that match, the newest first.
   * @param {ExchangeFilter} filter
   */
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

/**
 * @param {Exchange} exchange
 * @param {ExchangeFilter} filter
 */
export function matches(exchange, { text, operation, status, sender }) {
  if (operation && (exchange.operation_id ?? "none") !== operation) return false;
  if (status && !String(exchange.status).startsWith(status)) return false;
  if (sender && exchange.sender !== sender) return false;
  return !text || searchedText(exchange).includes(text.toLowerCase());
}

/** @param {ExchangeFilter} filter */
export function isEmpty(filter) {
  return !Object.values(filter).some(Boolean);
}

/** @param {Exchange} exchange */
function searchedText({ request, response, ...summary }) {
  const words = Object.values(summary).filter((value) => value !== null).map(String);
  for (const message of [request, response]) {
    words.push(message.body, ...message.headers.map(([name, value]) => `${name}: ${value}`));
  }
  return words.join("\n").toLowerCase();
}
