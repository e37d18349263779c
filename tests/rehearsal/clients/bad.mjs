// A client with one fault, named by its argument: each breaks one rule of a rehearsal.
// It is otherwise a good client, and does the same work as bad.py in another way.
import { randomUUID } from "node:crypto";

const fault = process.argv[2];
const url = fault === "nothing_sent" ? "http://127.0.0.1:9" : process.env.VOICE_API_URL;
const giveUpAt = Date.now() + 1_000 * Number(process.env.CALL_DEADLINE_SECONDS ?? 20);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const passes = (status) => status === 429 || status >= 500;

class Rejected extends Error {}

async function send(path, { method = "GET", body, key } = {}) {
  for (let attempt = 1; ; attempt++) {
    let wait = 1_000;
    try {
      const headers = { Authorization: `Bearer ${process.env.VOICE_API_KEY}` };
      if (fault === "key_in_wrong_place") headers["X-Api-Key"] = process.env.VOICE_API_KEY;
      if (body) headers["Content-Type"] = "application/json";
      if (fault === "malformed_request" && body) headers["Content-Type"] = "text/plain";
      if (key && !(fault === "retry_without_key" && attempt > 1)) headers["Idempotency-Key"] = key;
      if (fault === "retry_with_other_key" && key) headers["Idempotency-Key"] = `${key}-${attempt}`;
      const response = await fetch(url + path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      });
      if (response.ok) return await response.json();
      let retry = passes(response.status);
      if (fault === "retried_in_vain" && attempt < 4) retry = true;
      if (fault === "gave_up") retry = false;
      if (fault === "relied_on_words" && response.status === 503) {
        retry = !(await response.json()).detail.includes("Words for people");
      }
      if (!retry) throw new Rejected(`${method} ${path}: ${response.status}`);
      const after = Number(response.headers.get("Retry-After"));
      if (after > 0) wait = fault === "retried_too_early" ? 700 : after * 1_000;
      else if (fault === "no_back_off") wait = 0;
    } catch (error) {
      if (error instanceof Rejected) throw error;
      if (fault === "gave_up" || fault === "nothing_sent") throw new Rejected(error.message);
    }
    if (Date.now() + wait > giveUpAt) throw new Rejected(`${method} ${path}: too late`);
    await sleep(wait);
  }
}

async function read(callId) {
  const pause = fault === "polled_too_fast" ? 50 : 1_300;
  for (;;) {
    const call = await send(`/v1/calls/${callId}`);
    if (call.duration !== null && fault !== "polled_after_end") return call;
    if (fault !== "hung" && Date.now() + pause > giveUpAt) {
      if (call.duration !== null) return call;
      throw new Rejected("the call does not end");
    }
    await sleep(pause);
  }
}

async function place(phone, key = randomUUID()) {
  const { agents } = await send("/v1/agents");
  let agent = agents.at(-1).key;
  if (fault === "unknown_agent") agent = agent.toUpperCase();
  if (fault === "ignored_agents") agent = process.env.KNOWN_AGENT;
  return send("/v1/calls", { method: "POST", body: { phone, agent }, key });
}

async function work() {
  const { call_id } = await place("+996700654321", fault === "key_with_other_body" ? "daily" : undefined);
  if (fault === "key_with_other_body") {
    await place("+996700654322", "daily").catch((error) => console.log(error.message));
  }
  if (fault === "missed_end") {
    const call = await send(`/v1/calls/${call_id}`);
    return console.log("it is", call.status);
  }
  let call = await read(call_id);
  if (fault === "double_dial" && !call.transcript) {
    const again = await place("+996700654321");
    call = await read(again.call_id);
  }
  console.log(fault === "died" ? call.transcript.length : call.status);
}

try {
  await work();
  if (fault === "wrong_exit_status") process.exitCode = 3;
} catch (error) {
  if (!(error instanceof Rejected)) throw error;
  console.error(error.message);
  process.exitCode = fault === "wrong_exit_status" ? 0 : 1;
}
