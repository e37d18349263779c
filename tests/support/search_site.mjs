// Answers queries as the search of the built site does: with its own worker, index and languages.
// node search_site.mjs SITE QUERY…  prints one JSON array of addresses, the best page first, a line.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { results, site } from "./search_worker.mjs";

const queries = process.argv.slice(3);
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
