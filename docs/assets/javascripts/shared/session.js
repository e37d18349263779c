// What this visit knows: the key in use and the values that responses passed on.
// It is held in memory, so it survives instant navigation and nothing else. A reader may ask to keep
// the key until the tab is closed.

export const DEMO_KEY = "sandbox_demo";

const STORED = "voice-sandbox-key";

const stored = storedKey(); // read once: a browser may have to fetch it from the disk
const state = {
  key: stored ?? DEMO_KEY,
  isStored: stored !== null,
  language: /** @type {string | null} */ (null),
  base: "sandbox",
};
/** @type {Map<string, CapturedValues>} by operationId */
const captured = new Map();
const events = new EventTarget();

export function key() {
  return state.key;
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
 * @param {{ store?: boolean }} [options] whether it outlives a reload; as it was unless told
 */
export function useKey(value, { store = state.isStored } = {}) {
  state.key = value;
  state.isStored = store;
  try {
    if (store) sessionStorage.setItem(STORED, value);
    else sessionStorage.removeItem(STORED);
  } catch {
    state.isStored = false; // the browser stores nothing: the key lives as long as the page
  }
  captured.clear(); // what another key was given means nothing to this one
  emit("key", value);
}

/** Whether the key outlives a reload, because the reader asked for it. */
export function keyIsStored() {
  return state.isStored;
}

/** A private key that nobody else has. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `sandbox_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function storedKey() {
  try {
    const value = sessionStorage.getItem(STORED);
    return value !== null && isKey(value) ? value : null;
  } catch {
    return null;
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

export function language() {
  return state.language;
}

/** @param {string} value */
export function chooseLanguage(value) {
  state.language = value;
  emit("language", value);
}

/** Which base URL the text of requests shows: "sandbox" or "live". Nothing is ever sent to the latter. */
export function base() {
  return state.base;
}

/** @param {string} value */
export function chooseBase(value) {
  state.base = value;
  emit("base", value);
}

/** @typedef {"key" | "captured" | "language" | "base"} EventName */

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
