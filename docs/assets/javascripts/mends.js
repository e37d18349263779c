// The mend that a refused card offers: one button that puts the request right and sends it again.

import { freshId } from "./exchange.js";
import { DEMO_KEY, key, useKey } from "./session.js";

/**
 * `{ label, mend }` for the problem that a card was refused with, or null when there is none.
 * `mend()` gives the changes to the request; `create: true` asks for a fresh call first.
 */
export function mendFor(code, { steps, proper, fresh, edited }) {
  const step = steps.at(-1);
  const wrongBody = step.raw !== null || edited || JSON.stringify(proper) !== JSON.stringify(step.body);
  switch (code) {
    case "missing_token":
    case "invalid_token":
      return { label: "Use the demo key", mend: () => (key() === DEMO_KEY || useKey(DEMO_KEY), { token: null }) };
    case "not_found":
    case "method_not_allowed":
      return step.proper && { label: `Send ${step.proper.method} ${step.proper.path}`, mend: () => step.proper };
    case "call_not_found":
    case "call_already_ended":
    case "impossible_outcome":
      return fresh && { label: "Create a fresh call and try again", mend: () => ({ create: true }) };
    case "malformed_json":
    case "validation_failed":
    case "provider_unavailable":
      return proper && wrongBody ? { label: "Send the example instead", mend: () => ({ body: proper }) } : again();
    case "rate_limited":
      return proper && wrongBody ? { label: "Call a number that answers", mend: () => ({ body: proper }) } : again();
    case "body_too_large":
      return proper && { label: "Send it without the spaces", mend: () => ({ padTo: 0 }) };
    case "unsupported_media_type":
      return { label: "Send it as application/json", mend: () => ({ mediaType: "application/json" }) };
    case "invalid_idempotency_key":
    case "idempotency_conflict":
      return { label: "Send a new Idempotency-Key", mend: () => ({ headers: { "Idempotency-Key": freshId() } }) };
    case "storage_unavailable":
      return { label: "Send it without Prefer", mend: () => ({ headers: {} }) };
    case "internal_error":
      return again();
    default:
      return null;
  }
}

function again() {
  return { label: "Try again", mend: () => ({}) };
}
