// How a response looks: its status, and its JSON as colored text with the class names that Pygments gives
// the examples in the page.

import { node } from "./dom.js";

const LONGEST_COLORED = 200_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)/g;

/**
 * A status, such as "201 Created", in the color of its kind.
 * @param {number} status
 * @param {string} [phrase]
 */
export function statusBadge(status, phrase = "") {
  return node("span", { class: `status status-${Math.floor(status / 100)}` }, `${status} ${phrase}`.trim());
}

/**
 * The nodes that show a value of JSON.
 * @param {unknown} value
 */
export function jsonNodes(value) {
  const text = JSON.stringify(value, null, 2);
  if (text.length > LONGEST_COLORED) return [text];
  /** @type {(Node | string)[]} */
  const nodes = [];
  let shown = 0;
  for (const found of text.matchAll(TOKEN)) {
    nodes.push(text.slice(shown, found.index));
    const [whole, string, colon] = found;
    if (string && colon) nodes.push(token("nt", string), colon);
    else nodes.push(token(string ? "s2" : found[3] ? "mi" : "kc", whole));
    shown = found.index + whole.length;
  }
  nodes.push(text.slice(shown));
  return nodes;
}

/**
 * @param {string} kind
 * @param {string} text
 */
function token(kind, text) {
  return node("span", { class: kind }, text);
}
