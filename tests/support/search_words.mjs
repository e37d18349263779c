// Prints what the search worker of a built site names two different nodes of its index.
// node search_words.mjs SITE
import "./search_worker.mjs";

const { TokenSet } = self.lunr;

/** A node that leads to others, such as {"1": 23}: with "1" to the node 23. */
function node(edges) {
  const set = new TokenSet();
  for (const [label, id] of Object.entries(edges)) set.edges[label] = { id };
  return set;
}

console.log(JSON.stringify([node({ 1: 2, 3: 4 }), node({ 1: 234 })].map(String)));
