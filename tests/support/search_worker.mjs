// The search worker of a built site, loaded into this process. Its path is the first argument.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import vm from "node:vm";

export const site = process.argv[2];
const folder = join(site, "assets/javascripts/workers");
const home = readFileSync(join(site, "index.html"), "utf-8");
const [, worker, own] = /workers\/([\w.]+\.js)\?([\w.]+\.js)/.exec(home);
export const results = [];
let listeners = [];
Object.assign(globalThis, {
  self: globalThis,
  location: { search: `?${own}` },
  importScripts: (...names) => names.forEach((name) => run(resolve(folder, name))),
  postMessage: (message) => results.push(message),
  addEventListener: (_, listener) => listeners.push(listener),
});
globalThis.dispatchEvent = async (event) => {
  let stopped = false;
  event.stopImmediatePropagation = () => (stopped = true);
  for (const listener of listeners) {
    await listener(event);
    if (stopped) return;
  }
};
globalThis.MessageEvent = class {
  constructor(_, { data }) {
    this.data = data;
  }
};
const run = (path) => vm.runInThisContext(readFileSync(path, "utf-8"), { filename: path });
// Material's worker answers a query that it cannot run with nothing, and a warning.
console.warn = (text) => {
  throw new Error(text);
};
run(join(folder, worker));
