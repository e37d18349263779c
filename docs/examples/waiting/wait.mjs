// Place a call and wait for its end, whatever happens to requests and responses on the way.
import { randomUUID } from "node:crypto";

const url = process.env.VOICE_API_URL ?? "{{ sandbox_url }}";
const PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;
const REQUEST_MS = 10_000;
const DEADLINE_MS = 1_000 * Number(process.env.CALL_DEADLINE_SECONDS ?? 300);
const MAY_PASS = new Set([429, 500, 502, 503, 504]);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Rejected extends Error {}

/** The JSON of a response; what may pass is sent again until the deadline. */
async function send(method, path, giveUpAt, headers = {}, body = undefined) {
  for (let pause = PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    let wait = pause;
    try {
      const response = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${process.env.VOICE_API_KEY}`, ...headers },
        body,
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      if (response.ok) return await response.json();
      if (!MAY_PASS.has(response.status)) throw new Rejected(`${response.status}: fix the request`);
      const after = Number(response.headers.get("Retry-After"));
      if (after > 0) wait = after * 1_000;
    } catch (error) {
      if (error instanceof Rejected) throw error;
      // No whole response came, and the work may be done all the same.
    }
    if (Date.now() + wait > giveUpAt) throw new Error(`${method} ${path} did not succeed in time`);
    await sleep(wait);
  }
}

/** The call when it has ended. The same key places no second call. */
async function callAndWait(phone, agent, idempotencyKey) {
  const giveUpAt = Date.now() + DEADLINE_MS;
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  const { call_id } = await send("POST", "/v1/calls", giveUpAt, headers, JSON.stringify({ phone, agent }));
  for (;;) {
    const call = await send("GET", `/v1/calls/${call_id}`, giveUpAt);
    if (call.duration !== null) return call;
    if (Date.now() + PAUSE_MS > giveUpAt) throw new Error(`the call ${call_id} is still ${call.status}`);
    await sleep(PAUSE_MS);
  }
}

// Save the key beside your order before you send it.
const key = randomUUID();
try {
  const call = await callAndWait("{{ quickstart.phone }}", "{{ quickstart.agent }}", key);
  console.log(`${call.status}\n${call.duration}\n${call.transcript}`);
} catch (error) {
  console.error(`The call was not made, or its end is not known: ${error.message}`);
  process.exitCode = 1;
}
