// Each test calls newSandbox(): a key of its own has its own calls, faults and clock.
import { randomUUID } from "node:crypto";

const PHONE = "{{ scenarios.answered }}";
const AGENT = "{{ quickstart.agent }}";

export function newSandbox() {
  const key = `sandbox_${randomUUID()}`;
  const request = (method, path, body, headers = {}) =>
    fetch(process.env.VOICE_SANDBOX_URL + path, {
      method,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
  const json = async (...sent) => (await request(...sent)).json();
  return {
    create: (idempotencyKey, phone = PHONE) =>
      request(
        "POST",
        "/v1/calls",
        { phone, agent: AGENT },
        idempotencyKey && { "Idempotency-Key": idempotencyKey },
      ),
    call: async (phone) => (await json("POST", "/v1/calls", { phone, agent: AGENT })).call_id,
    read: (callId) => json("GET", `/v1/calls/${callId}`),
    fail: (fault) => json("POST", "/sandbox/faults", fault),
    advance: (seconds) => json("POST", "/sandbox/clock", { advance_seconds: seconds }),
    untilIdle: () => json("POST", "/sandbox/clock", { until: "idle" }),
    rings: async (phone = PHONE) => {
      const found = await json("GET", `/sandbox/rings?phone=${encodeURIComponent(phone)}`);
      return found.rings[0].count;
    },
  };
}
