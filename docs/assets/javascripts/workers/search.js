// @ts-nocheck: the types of a worker contradict those of a page.
/**
 * The worker of Material's search, which also knows stems and phone numbers.
 *
 * Material looks for words that begin with what was typed: "polls" would not find "polling", and "how" would find "however". Here
 * each word is cut to what it shares with its English or Russian stem before Material gets it, and
 * a phone number to its digits. A command of the terminal is one word there, and so is the path of an
 * operation, with its method or without. The name of Material's own worker is the query of this address.
 */
const QUERY = 2;
const SETUP = 0;
const SHORTEST = 3;
/** Words of titles and of search_terms: one that was typed as a whole counts more than a beginning. */
const known = new Set();
let hasRussian = false;

addEventListener("message", (event) => {
  if (event.data.type === SETUP) {
    if (!hasRussian) event.data.data.config.lang = ["en"];
    for (const { title, terms = [] } of event.data.data.docs) {
      terms.forEach((term) => known.add(term.toLowerCase()));
      for (const [word] of `${title} ${terms.join(" ")}`.toLowerCase().matchAll(/\p{L}+/gu)) known.add(word);
    }
  }
  if (event.data.type !== QUERY || event.data.stemmed) return;
  event.stopImmediatePropagation();
  dispatchEvent(new MessageEvent("message", { data: { ...event.data, data: stemmed(event.data.data), stemmed: true } }));
});

const [, own] = /^\?(search\.\w+\.min\.js)$/.exec(location.search) ?? [];
if (own) importScripts(own);
// lunr merges nodes of its index by this name, and writes label and id into it without a mark between them: with numbers among
// the words, two nodes can get one name. Then words appear that no page has, and every search that meets one finds nothing.
self.lunr.TokenSet.prototype.toString = function () {
  if (this._str) return this._str;
  const labels = Object.keys(this.edges).sort();
  return `${this.final ? 1 : 0}${labels.map((label) => `${label}${this.edges[label].id},`).join("")}`;
};
const LANGUAGES = ["stemmer.support", "ru", "multi"].map((name) => `../lunr/min/lunr.${name}.min.js`);
const load = self.importScripts;
try {
  // At the start, so that a connection that breaks later breaks no search.
  load(...LANGUAGES);
  hasRussian = true;
} catch {
  // Words in Russian are then found by their letters alone.
}
self.importScripts = (...names) => load(...names.filter((name) => !LANGUAGES.includes(name)));

/** A path, such as "GET /v1/calls/{call_id}" or "/v1/agents". */
const PATH = /(?:\b(?:get|post|put|patch|delete)\s+)?\/[\w{}/-]+/gi;

/**
 * The path as portal/voice_portal/reference.py writes it in search_terms, such as "get_v1_agents".
 * @param {string} path
 */
const wordOf = (path) => path.replace(/\W+/g, "_").replace(/^_|_$/g, "").toLowerCase();

/** Such as "authent 12025550111" for "authenticate +1 202 555-0111". */
function stemmed(query) {
  return query
    .replace(/\bvoice-sandbox\s+(\w+)/gi, (text, name) => (known.has(`voice_sandbox_${name}`) ? `voice_sandbox_${name}` : text))
    .replace(PATH, (text) => (known.has(wordOf(text)) ? wordOf(text) : text))
    .replace(/\+?\d[\d ()-]{6,}\d/g, (number) => number.replace(/\D/g, ""))
    .split(/(\s+|")/)
    .filter((word, _, words) => !isCommon(word) || words.every((each) => !each.trim() || isCommon(each)))
    .map((word) => (/^\p{L}+$/u.test(word) ? preferred(word.toLowerCase()) : word))
    .join("");
}

/** Whether a word is one such as "how" or "the", which says nothing beside others. */
function isCommon(word) {
  return /^[a-z]+$/i.test(word) && self.lunr.stopWordFilter(word.toLowerCase()) === undefined;
}

/** What Material should look for: all that begins so, and first of all the word itself. */
function preferred(word) {
  const start = stem(word);
  const whole = [word, start].find((each) => known.has(each));
  return whole ? `${start} ${whole}^9` : start;
}

/** What a word shares with its stem, so that everything that begins with it is found. */
function stem(word) {
  if (word.length <= SHORTEST) return word;
  const stemmer = /[а-яё]/.test(word) ? self.lunr.ru?.stemmer : self.lunr.stemmer;
  if (!stemmer) return word;
  const short = String(stemmer(new self.lunr.Token(word)));
  let length = 0;
  while (length < short.length && short[length] === word[length]) length += 1;
  return length < SHORTEST ? word : word.slice(0, length);
}
