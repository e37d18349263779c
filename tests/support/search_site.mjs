// Answers queries as the search of the built site does: with its own worker, index and languages.
// node search_site.mjs SITE QUERY…  prints one JSON array of addresses, the best page first, a line.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import vm from "node:vm";

const [site, ...queries] = process.argv.slice(2);
const folder = join(site, "assets/javascripts/workers");
const home = readFileSync(join(site, "index.html"), "utf-8");
const [, worker, own] = /workers\/([\w.]+\.js)\?([\w.]+\.js)/.exec(home);
const results = [];
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
run(join(folder, worker));
const settled = () => new Promise((done) => setImmediate(done));
const { config, docs } = JSON.parse(readFileSync(join(site, "search/search_index.json"), "utf-8"));
await dispatchEvent(new MessageEvent("message", { data: { type: 0, data: { config, docs, options: { suggest: false } } } }));
await settled();
for (const query of queries) {
  results.length = 0;
  await dispatchEvent(new MessageEvent("message", { data: { type: 2, data: query } }));
  await settled();
  const { items } = results.at(-1).data;
  console.log(JSON.stringify(items.map(([best]) => best.location)));
}
