// What the pages know of their reader: the key in use, language and base URL, and the values that
// responses passed on. Each browser has a key of its own, so that readers of one portal do not see
// each other's calls. It remembers that key, or another one if the reader wants that.

export const DEMO_KEY = "sandbox_demo"; // of the text of all pages

const STORED = { key: "voice-sandbox-key", language: "voice-language", base: "voice-base" };
const LANGUAGES = { curl: "bash" }; // names in an address that differ from those of the code blocks
const BASES = ["sandbox", "live"];

const stored = { key: recalled("key"), language: recalled("language"), base: recalled("base") }; // read once: a browser may have to fetch it from the disk
const state = {
  key: stored.key !== null && isKey(stored.key) ? stored.key : newKey(),
  isStored: true,
  language: stored.language,
  sandbox: /** @type {"unknown" | "up" | "down"} */ ("unknown"),
  base: BASES.includes(stored.base ?? "") ? /** @type {string} */ (stored.base) : "sandbox",
};
if (state.key !== stored.key) state.isStored = remember("key", state.key);
/** @type {Map<string, CapturedValues>} by operationId */
const captured = new Map();
const events = new EventTarget();

export function key() {
  return state.key;
}

/** The key as a pill has room for it: its end tells it apart. */
export function shortKey() {
  return state.key === DEMO_KEY ? state.key : `…${state.key.slice(-4)}`;
}

/**
 * Whether a text is a key that a sandbox takes.
 * @param {string} text
 */
export function isKey(text) {
  return /^sandbox_[A-Za-z0-9_-]{4,64}$/.test(text);
}

/**
 * From now on cards and the inspector send this key.
 * @param {string} value
 * @param {{ store?: boolean }} [options] whether the browser remembers it; as it was unless told
 */
export function useKey(value, { store = state.isStored } = {}) {
  state.key = value;
  state.isStored = store && remember("key", value);
  captured.clear(); // what another key was given means nothing to this one
  emit("key", value);
}

/** Whether the browser remembers the key. */
export function keyIsStored() {
  return state.isStored;
}

/** A private key that nobody else has. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `sandbox_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {keyof typeof STORED} name */
function recalled(name) {
  try {
    return localStorage.getItem(STORED[name]);
  } catch {
    return null; // the browser stores nothing
  }
}

/**
 * Has the browser remember a value; false where it stores nothing, and the value lives as long as the page.
 * @param {keyof typeof STORED} name
 * @param {string} value
 */
function remember(name, value) {
  try {
    localStorage.setItem(STORED[name], value);
    return true;
  } catch {
    return false;
  }
}

/** Where cards send their requests: to the sandbox that serves the site, below a path or not, unless the build named another. */
export function origin() {
  return meta()?.content || site.href.replace(/\/$/, "");
}

/** The sandbox's origin as the contract writes it, and with it every command on the pages. */
export function writtenOrigin() {
  return meta()?.dataset.written || origin();
}

/** @returns {HTMLMetaElement | null} */
function meta() {
  return document.querySelector('meta[name="voice-sandbox"]');
}

/** Folder of the site, from the place of this script. */
export const site = new URL("../../../", import.meta.url);

/** @param {string} operation */
export function capturedFor(operation) {
  return captured.get(operation) ?? null;
}

/**
 * Passes values on to the cards of an operation.
 * @param {string} operation
 * @param {CapturedValues} values
 */
export function capture(operation, values) {
  captured.set(operation, values);
  emit("captured", operation);
}

/** @param {string} operation */
export function forget(operation) {
  captured.delete(operation);
  emit("captured", operation);
}

/** The language of the requests: that of the address, or the one that was chosen last. */
export function language() {
  const named = new URLSearchParams(location.search).get("lang");
  return named === null ? state.language : (LANGUAGES[/** @type {keyof typeof LANGUAGES} */ (named)] ?? named);
}

/**
 * The name of a language in an address.
 * @param {string} value
 */
export function languageName(value) {
  return Object.entries(LANGUAGES).find(([, language]) => language === value)?.[0] ?? value;
}

/** @param {string} value */
export function chooseLanguage(value) {
  state.language = value;
  remember("language", value);
  emit("language", value);
}

/** Which base URL the text of requests shows: "sandbox" or "live". Nothing is ever sent to the latter. */
export function base() {
  return state.base;
}

/** @param {string} value */
export function chooseBase(value) {
  state.base = value;
  remember("base", value);
  emit("base", value);
}

/** Whether the sandbox responded to the last request of this visit. */
export function sandbox() {
  return state.sandbox;
}

/** @param {"up" | "down"} value */
export function noteSandbox(value) {
  if (state.sandbox === value) return;
  state.sandbox = value;
  emit("sandbox", value);
}

/** @typedef {"key" | "captured" | "language" | "base" | "sandbox"} EventName */

/**
 * Calls `listener(detail)` on every event of that name until `signal` aborts, if there is one.
 * @param {EventName} name
 * @param {(detail: string) => void} listener
 * @param {AbortSignal} [signal]
 */
export function on(name, listener, signal) {
  const listen = /** @param {Event} event */ (event) => listener(/** @type {CustomEvent<string>} */ (event).detail);
  events.addEventListener(name, listen, signal ? { signal } : {});
}

/**
 * @param {EventName} name
 * @param {string} detail
 */
function emit(name, detail) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}
