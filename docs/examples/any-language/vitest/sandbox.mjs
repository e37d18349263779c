// Each test calls newSandbox(): a key of its own has its own calls and its own clock.
import { randomUUID } from "node:crypto";

export function newSandbox() {
  const key = `sandbox_${randomUUID()}`;
  const send = async (method, path, body) => {
    const response = await fetch(process.env.VOICE_SANDBOX_URL + path, {
      method,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    return response.json();
  };
  const advance = (seconds) => send("POST", "/sandbox/clock", { advance_seconds: seconds });
  const untilIdle = () => send("POST", "/sandbox/clock", { until: "idle" });
  return { key, send, advance, untilIdle };
}
