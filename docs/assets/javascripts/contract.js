// Checks an answer against the contract that the site was built from: status, media type, headers, body.

import { misfit } from "./schema.js";
import { site } from "./session.js";

let loading = null; // the contract as plain data, asked for once

/** Loads the contract. A failure is no answer's fault: then nothing is checked. */
function contract() {
  loading ??= fetch(new URL("assets/contract.json", site)).then((response) => (response.ok ? response.json() : null));
  return loading.catch(() => null);
}

/**
 * What the contract says of an answer: `{ fits: true }`, `{ fits: false, reason }`, or null when it
 * cannot be checked. `operation` is null for a path or method that the contract does not have.
 */
export async function verdict(operation, answer) {
  const known = await contract();
  if (!known) return null;
  const response = operation === null ? known.refusal : known.operations[operation]?.[answer.status];
  if (!response) return { fits: false, reason: `the contract has no answer ${answer.status} for ${operation}` };
  const headers = new Headers(answer.headers);
  const mediaType = (headers.get("Content-Type") ?? "").split(";")[0];
  if (response.mediaType && mediaType !== response.mediaType) {
    return { fits: false, reason: `the media type is ${mediaType || "missing"}, not ${response.mediaType}` };
  }
  for (const [name, { required, schema }] of Object.entries(response.headers)) {
    const value = headers.get(name);
    if (value === null && !required) continue;
    const found = value === null ? { reason: "is missing" } : misfit(schema, value, known.schemas);
    if (found) return { fits: false, reason: `the header ${name} ${found.reason}` };
  }
  const found = response.schema ? misfit(response.schema, answer.json, known.schemas) : null;
  return found ? { fits: false, reason: `${found.pointer || "the body"} ${found.reason}` } : { fits: true };
}
