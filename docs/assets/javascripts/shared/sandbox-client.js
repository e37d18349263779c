// Sends requests to the sandbox: timed, cancelable, and never a bare "network error".

import { key, noteSandbox, origin } from "./session.js";

const TIMEOUT_MS = 15_000;
/** @satisfies {RequestInit} */
const PRIVATE = /** @type {const} */ ({ credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" });

/** No response came; `reason` says why. */
export class NoResponse extends Error {
  /** @param {NoResponseReason} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** @type {string | null} The sandbox that answered, so that it is asked only once. */
let known = null;

/**
 * Sends one request to the sandbox and reads the whole response. Throws `NoResponse`.
 * Nothing is sent before `GET /sandbox` has said that a sandbox answers there.
 * @param {SandboxRequest} request
 * @returns {Promise<SandboxResponse>}
 */
export async function send({ method, path, body, mediaType, headers = {}, token = null, signal }) {
  await ensureSandbox(signal);
  const all = new Headers({ ...headers, Accept: "application/json, application/problem+json" });
  if (token !== "") all.set("Authorization", `Bearer ${token ?? key()}`);
  if (typeof body === "string" && mediaType) all.set("Content-Type", mediaType);
  const started = performance.now();
  const { response, text } = await fetchText(path, { method, headers: all, body: body ?? null }, signal);
  return {
    status: response.status,
    phrase: response.statusText,
    milliseconds: Math.max(1, Math.round(performance.now() - started)),
    requestId: response.headers.get("X-Request-Id"),
    headers: [...response.headers],
    text,
    json: parse(text),
  };
}

/**
 * Opens a response without end, such as a stream of events; its body is read as it comes. Throws `NoResponse`.
 * @param {string} path
 * @param {{ headers: Record<string, string>, signal: AbortSignal }} options
 */
export async function open(path, { headers, signal }) {
  await ensureSandbox(signal);
  try {
    return await fetch(origin() + path, { ...PRIVATE, headers: { ...headers, Authorization: `Bearer ${key()}` }, signal });
  } catch {
    throw await noResponse(signal);
  }
}

/** A value nobody has used: what `Idempotency-Key` wants. `randomUUID` needs a secure context. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {AbortSignal} [signal] */
async function ensureSandbox(signal) {
  if (known === origin()) return;
  const { response, text } = await fetchText("/sandbox", {}, signal);
  if (!response.ok || parse(text)?.sandbox !== true) {
    noteSandbox("down");
    throw new NoResponse("not-a-sandbox");
  }
  known = origin();
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @param {AbortSignal} [signal]
 */
async function fetchText(path, options, signal) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  const cancel = () => timeout.abort();
  signal?.addEventListener("abort", cancel);
  try {
    if (signal?.aborted) throw new NoResponse("canceled");
    const response = await fetch(origin() + path, {
      ...options,
      ...PRIVATE,
      signal: timeout.signal,
    });
    const text = await response.text();
    noteSandbox("up");
    return { response, text };
  } catch (error) {
    if (error instanceof NoResponse) throw error;
    if (!signal?.aborted && timeout.signal.aborted) throw timedOut();
    throw await noResponse(signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

function timedOut() {
  noteSandbox("down");
  return new NoResponse("timeout");
}

/** @param {AbortSignal} [signal] */
async function noResponse(signal) {
  if (signal?.aborted) return new NoResponse("canceled");
  known = null;
  noteSandbox("down");
  if (navigator.onLine === false) return new NoResponse("browser-offline");
  return new NoResponse((await isThere()) ? "blocked" : "not-running");
}

/** Whether something answers at the sandbox's origin, though the browser gave us no response. */
async function isThere() {
  const { protocol, hostname } = new URL(origin());
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (location.protocol === "https:" && protocol === "http:" && !local) return true; // mixed content
  try {
    // Not a page: those forbid other origins even this much.
    await fetch(`${origin()}/sandbox`, { ...PRIVATE, mode: "no-cors", redirect: "follow", signal: AbortSignal.timeout(3000) });
    return true;
  } catch {
    return false;
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
