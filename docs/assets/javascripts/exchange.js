// One exchange with the sandbox: timed, cancelable, and never a bare "network error".

import { key, origin } from "./session.js";

const TIMEOUT_MS = 15_000;
const PRIVATE = { credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" };

/**
 * Why no answer came: `kind` is "canceled", "timeout", "browser-offline", "not-running", "blocked" or
 * "not-a-sandbox".
 */
export class Unreached extends Error {
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

let known = null; // the sandbox that answered, so that it is asked only once

/**
 * Sends one request to the sandbox and reads the whole answer.
 * Nothing is sent before `GET /sandbox` has said that a sandbox answers there. `token` replaces the
 * reader's key, and an empty one sends none.
 */
export async function send({ method, path, body, mediaType, headers = {}, token = null, signal }) {
  await ensureSandbox(signal);
  const all = new Headers({ ...headers, Accept: "application/json, application/problem+json" });
  if (token !== "") all.set("Authorization", `Bearer ${token ?? key()}`);
  if (body !== null && body !== undefined) all.set("Content-Type", mediaType);
  const started = performance.now();
  const { response, text } = await request(path, { method, headers: all, body: body ?? undefined }, signal);
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

/** Opens an answer without end, such as a stream of events; its body is read as it comes. */
export async function open(path, { headers, signal }) {
  await ensureSandbox(signal);
  try {
    return await fetch(origin() + path, { ...PRIVATE, headers: { ...headers, Authorization: `Bearer ${key()}` }, signal });
  } catch {
    throw await unreached(signal);
  }
}

/** A value nobody has used: what `Idempotency-Key` wants. `randomUUID` needs a secure context. */
export function freshId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ensureSandbox(signal) {
  if (known === origin()) return;
  const { response, text } = await request("/sandbox", {}, signal);
  if (!response.ok || parse(text)?.sandbox !== true) throw new Unreached("not-a-sandbox");
  known = origin();
}

async function request(path, options, signal) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  const cancel = () => timeout.abort();
  signal?.addEventListener("abort", cancel);
  try {
    if (signal?.aborted) throw new Unreached("canceled");
    const response = await fetch(origin() + path, {
      ...options,
      ...PRIVATE,
      signal: timeout.signal,
    });
    return { response, text: await response.text() };
  } catch (error) {
    if (error instanceof Unreached) throw error;
    if (!signal?.aborted && timeout.signal.aborted) throw new Unreached("timeout");
    throw await unreached(signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

async function unreached(signal) {
  if (signal?.aborted) return new Unreached("canceled");
  known = null;
  if (navigator.onLine === false) return new Unreached("browser-offline");
  return new Unreached((await isThere()) ? "blocked" : "not-running");
}

/** Whether something answers at the sandbox's origin, though the browser gave no answer to us. */
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

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
