// What this visit knows: the key in use and the values that answers passed on.
// Held in memory, so it survives instant navigation and nothing else; a reader may ask to keep the
// key until the tab is closed.

export const DEMO_KEY = "sandbox_demo";

const KEPT = "voice-sandbox-key";

const before = kept(); // asked once: a browser may have to fetch it from the disk
const state = { key: before ?? DEMO_KEY, keep: before !== null, language: null, base: "sandbox" };
const captured = new Map(); // operationId -> { parameters, body, from }
const events = new EventTarget();

export function key() {
  return state.key;
}

/** Whether a text is a key that a sandbox takes. */
export function isKey(text) {
  return /^sandbox_[A-Za-z0-9_-]{4,64}$/.test(text);
}

/** From now on cards and the inspector send this key. */
export function useKey(value, { keep = state.keep } = {}) {
  state.key = value;
  state.keep = keep;
  try {
    if (keep) sessionStorage.setItem(KEPT, value);
    else sessionStorage.removeItem(KEPT);
  } catch {
    state.keep = false; // the browser keeps nothing: the key lives as long as the page
  }
  captured.clear(); // what another key was given means nothing to this one
  events.dispatchEvent(new CustomEvent("key", { detail: value }));
}

/** Whether the key outlives a reload, because the reader asked for it. */
export function keepsKey() {
  return state.keep;
}

/** A private key that nobody else has. */
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `sandbox_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function kept() {
  try {
    const value = sessionStorage.getItem(KEPT);
    return value !== null && isKey(value) ? value : null;
  } catch {
    return null;
  }
}

/** Where cards send their requests: to the sandbox that serves the site, below a path or not, unless the build named another. */
export function origin() {
  return document.querySelector('meta[name="voice-sandbox"]')?.content || site.href.replace(/\/$/, "");
}

/** The sandbox's origin as the contract writes it, and with it every command on the pages. */
export function writtenOrigin() {
  return document.querySelector('meta[name="voice-sandbox"]')?.dataset.written || origin();
}

/** Folder of the site, from the place of this script. */
export const site = new URL("../../", import.meta.url);

export function capturedFor(operation) {
  return captured.get(operation) ?? null;
}

/** Passes values on to the cards of `operation`; `from` is the title of the card they came from. */
export function capture(operation, values) {
  captured.set(operation, values);
  events.dispatchEvent(new CustomEvent("captured", { detail: operation }));
}

export function forget(operation) {
  captured.delete(operation);
  events.dispatchEvent(new CustomEvent("captured", { detail: operation }));
}

export function language() {
  return state.language;
}

export function chooseLanguage(value) {
  state.language = value;
  events.dispatchEvent(new CustomEvent("language", { detail: value }));
}

/** Which base URL the text of requests shows: "sandbox" or "live". Nothing is ever sent to the latter. */
export function base() {
  return state.base;
}

export function chooseBase(value) {
  state.base = value;
  events.dispatchEvent(new CustomEvent("base", { detail: value }));
}

/** Calls `listener(detail)` on every event of that name until `signal` aborts, if there is one. */
export function on(name, listener, signal) {
  events.addEventListener(name, (event) => listener(event.detail), signal ? { signal } : {});
}
