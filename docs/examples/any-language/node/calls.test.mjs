import assert from "node:assert/strict";
import { test } from "node:test";
import { newSandbox } from "./sandbox.mjs";

async function call(sandbox, phone) {
  const { agents } = await sandbox.send("GET", "/v1/agents");
  const created = await sandbox.send("POST", "/v1/calls", { phone, agent: agents[0].key });
  return created.call_id;
}

test("a busy line ends the call as busy", async () => {
  const sandbox = newSandbox();
  const callId = await call(sandbox, "+12025550111");
  await sandbox.untilIdle();
  assert.equal((await sandbox.send("GET", `/v1/calls/${callId}`)).status, "busy");
});

test("an answered call completes within 30 seconds", async () => {
  const sandbox = newSandbox();
  const callId = await call(sandbox, "+12025550100");
  assert.equal((await sandbox.send("GET", `/v1/calls/${callId}`)).status, "queued");
  await sandbox.advance(30);
  assert.equal((await sandbox.send("GET", `/v1/calls/${callId}`)).status, "completed");
});
