// What can go wrong with a call, a test for each failure.
// --8<-- [start:head]
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSandbox } from "./sandbox.mjs";
// --8<-- [end:head]

// --8<-- [start:lost-response]
test("a retry after a lost response calls nobody twice", async () => {
  const sandbox = newSandbox();
  await sandbox.fail({ operation: "createCall", fault: { kind: "lost_response" } });
  await assert.rejects(sandbox.create("order-1842"));
  const again = await sandbox.create("order-1842");
  assert.equal(again.status, 201);
  assert.equal(await sandbox.rings(), 1);
});
// --8<-- [end:lost-response]

// --8<-- [start:double-dial]
test("a retry without a key calls twice", async () => {
  const sandbox = newSandbox();
  await sandbox.fail({ operation: "createCall", fault: { kind: "internal_error_after_work" } });
  assert.equal((await sandbox.create()).status, 500);
  await sandbox.create();
  assert.equal(await sandbox.rings(), 2); // this is the bug to look for
});
// --8<-- [end:double-dial]

// --8<-- [start:provider-unavailable]
test("the third attempt works", async () => {
  const sandbox = newSandbox();
  const statuses = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    statuses.push((await sandbox.create("order-1842", "{{ scenarios.unstable }}")).status);
  }
  assert.deepEqual(statuses, [503, 503, 201]);
});
// --8<-- [end:provider-unavailable]

// --8<-- [start:rate-limit]
test("Retry-After says how long to wait", async () => {
  const sandbox = newSandbox();
  const fault = { kind: "problem", code: "rate_limited", retry_after: 7 };
  await sandbox.fail({ operation: "createCall", fault });
  const rejected = await sandbox.create();
  assert.equal(rejected.status, 429);
  assert.equal(rejected.headers.get("Retry-After"), "7");
  assert.equal((await sandbox.create()).status, 201);
});
// --8<-- [end:rate-limit]

// --8<-- [start:gateway-error]
test("a gateway error is no JSON", async () => {
  const sandbox = newSandbox();
  await sandbox.fail({ operation: "createCall", fault: { kind: "gateway_error", status: 504 } });
  const failed = await sandbox.create("order-1842");
  assert.equal(failed.status, 504);
  assert.equal(failed.headers.get("Content-Type"), "text/html");
  await sandbox.create("order-1842");
  assert.equal(await sandbox.rings(), 1);
});
// --8<-- [end:gateway-error]

// --8<-- [start:stuck]
test("a call that rings and rings", async () => {
  const sandbox = newSandbox();
  const callId = await sandbox.call("{{ scenarios.stuck_ringing }}");
  await sandbox.advance(3600);
  assert.equal((await sandbox.read(callId)).status, "ringing");
});
// --8<-- [end:stuck]

// --8<-- [start:late-result]
test("the result comes a minute late", async () => {
  const sandbox = newSandbox();
  const callId = await sandbox.call("{{ scenarios.delivered_late }}");
  await sandbox.advance(30);
  assert.equal((await sandbox.read(callId)).status, "in_progress");
  await sandbox.untilIdle();
  assert.equal((await sandbox.read(callId)).status, "completed");
});
// --8<-- [end:late-result]

// --8<-- [start:hang-up]
test("a call that breaks off", async () => {
  const sandbox = newSandbox();
  const callId = await sandbox.call("{{ scenarios.dropped }}");
  await sandbox.untilIdle();
  const call = await sandbox.read(callId);
  assert.equal(call.status, "failed");
  assert.notEqual(call.transcript, null);
});
// --8<-- [end:hang-up]

// --8<-- [start:voicemail]
test("voicemail answers", async () => {
  const sandbox = newSandbox();
  const callId = await sandbox.call("{{ scenarios.voicemail }}");
  await sandbox.untilIdle();
  const call = await sandbox.read(callId);
  assert.equal(call.status, "completed");
  assert.match(call.transcript, /leave a message/);
});
// --8<-- [end:voicemail]

// --8<-- [start:silence]
test("nobody speaks", async () => {
  const sandbox = newSandbox();
  const callId = await sandbox.call("{{ scenarios.silence }}");
  await sandbox.untilIdle();
  const call = await sandbox.read(callId);
  assert.equal(call.status, "completed");
  assert.equal(call.transcript, null);
});
// --8<-- [end:silence]
