// The fix that a rejected card offers: one button that corrects the request and sends it again.

import { newId } from "../shared/sandbox-client.js";
import { DEMO_KEY, key, useKey } from "../shared/session.js";

/** @typedef {{ label: string, fix: () => RequestChanges }} Fix `fix()` gives the changes to the request. */

/**
 * The fix for a problem that a card was rejected with, or null when there is none.
 * @param {string | undefined} code
 * @param {CardData} card
 * @param {{ isEdited: boolean }} form
 * @returns {Fix | null}
 */
export function fixFor(code, { requests, example, newCall }, { isEdited }) {
  const request = /** @type {CardRequest} */ (requests.at(-1));
  const { documented } = request;
  const isWrongBody = request.raw !== null || isEdited || JSON.stringify(example) !== JSON.stringify(request.body);
  switch (code) {
    case "missing_token":
    case "invalid_token":
      return request.token === null ? { label: "Use the shared demo key", fix: useDemoKey } : { label: "Send your key", fix: () => ({ token: null }) };
    case "not_found":
    case "method_not_allowed":
      return documented && { label: `Send ${documented.method} ${documented.path}`, fix: () => documented };
    case "call_not_found":
    case "call_already_ended":
    case "impossible_outcome":
      return newCall && { label: "Create a fresh call and try again", fix: () => ({ newCall: true }) };
    case "malformed_json":
    case "validation_failed":
    case "provider_unavailable":
      return example && isWrongBody ? { label: "Send the example instead", fix: () => ({ body: example }) } : retry();
    case "rate_limited":
      return example && isWrongBody ? { label: "Call a number that completes", fix: () => ({ body: example }) } : retry();
    case "body_too_large":
      return example && { label: "Send it without the spaces", fix: () => ({ padTo: 0 }) };
    case "unsupported_media_type":
      return { label: "Send it as application/json", fix: () => ({ mediaType: "application/json" }) };
    case "invalid_idempotency_key":
    case "idempotency_conflict":
      return { label: "Send a new Idempotency-Key", fix: () => ({ headers: { "Idempotency-Key": newId() } }) };
    case "storage_unavailable":
      return { label: "Send it without Prefer", fix: () => ({ headers: {} }) };
    case "internal_error":
      return retry();
    default:
      return null;
  }
}

/**
 * Where only the keys of a list are accepted, that of the browser is not among them, but this one may be.
 * @returns {RequestChanges}
 */
function useDemoKey() {
  if (key() !== DEMO_KEY) useKey(DEMO_KEY);
  return {};
}

/** @returns {Fix} */
function retry() {
  return { label: "Try again", fix: () => ({}) };
}
