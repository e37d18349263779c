// JSON as colored text, with the class names that Pygments gives the examples in the page.

import { node } from "./nodes.js";

const LONGEST_COLORED = 200_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)/g;

/** The nodes that show a value of JSON. */
export function jsonNodes(value) {
  const text = JSON.stringify(value, null, 2);
  if (text.length > LONGEST_COLORED) return [text];
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

/** What is wrong with a text that should be JSON, and where, or null when nothing is. */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const message = String(error.message);
    const place = /line (\d+) column (\d+)/.exec(message);
    const position = /position (\d+)/.exec(message);
    const offset = position ? Number(position[1]) : text.length;
    const before = text.slice(0, offset).split("\n");
    const line = place ? Number(place[1]) : before.length;
    const column = place ? Number(place[2]) : before.at(-1).length + 1;
    return { line, column, offset: offsetOf(text, line, column) };
  }
}

function offsetOf(text, line, column) {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  return Math.min(text.length, before + column - 1);
}

function token(kind, text) {
  return node("span", { class: kind }, text);
}
