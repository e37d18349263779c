// The request that is open stands in the address of the page, so that Back closes it and a link opens it.
// Of the key the address has the last characters alone: a key is a secret, and a link is passed on.

const REQUEST = "request";
const KEY = "key";
const SHOWN_OF_KEY = 4;

let isStep = false; // the address was given to a request by a step that Back undoes; Material has history.state

/** The request id that the address names, and the end of the key that it belongs to. */
export function named() {
  const { searchParams } = new URL(location.href);
  const requestId = searchParams.get(REQUEST);
  return requestId === null ? null : { requestId, key: searchParams.get(KEY) };
}

/**
 * Names a request in the address. The first one is a step that Back undoes; the next ones take its place.
 * @param {string} requestId
 * @param {string} key
 */
export function name(requestId, key) {
  const url = new URL(location.href);
  url.searchParams.set(REQUEST, requestId);
  url.searchParams.set(KEY, endOf(key));
  if (named()) history.replaceState(history.state, "", url);
  else {
    history.pushState(history.state, "", url);
    isStep = true;
  }
}

/**
 * Calls `listener` after each step through the history that stays on this page.
 * @param {HTMLElement} page the element that is told of such steps: see any-origin.js
 * @param {() => void} listener
 * @param {AbortSignal} signal
 */
export function onStep(page, listener, signal) {
  page.dataset.steps = location.pathname;
  const stepped = () => {
    isStep = named() !== null;
    listener();
  };
  page.addEventListener("step", stepped, { signal });
}

/** Takes the request out of the address; true where a step back does so, and the page hears of it. */
export function leave() {
  if (!named()) return false;
  if (isStep) history.back();
  else drop();
  return isStep;
}

/** Takes the request out of the address, and leaves the history as it is. */
export function drop() {
  if (!named()) return;
  const url = new URL(location.href);
  url.searchParams.delete(REQUEST);
  url.searchParams.delete(KEY);
  history.replaceState(history.state, "", url);
  isStep = false;
}

/** @param {string} key */
export function endOf(key) {
  return key.slice(-SHOWN_OF_KEY);
}
