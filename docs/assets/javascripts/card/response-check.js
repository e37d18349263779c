// Checks a response against the contract that the site was built from: status, media type, headers, body.

import { site } from "../shared/session.js";
import { violation } from "./schema.js";

/**
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {object} DocumentedResponse
 * @property {string | null} mediaType
 * @property {Record<string, { required: boolean, schema: Schema }>} headers
 * @property {Schema | null} schema
 * @property {string[]} codes those of a problem, none where the response is no problem
 * @typedef {object} BrowserContract as voice_portal/browser_contract.py writes it
 * @property {Record<string, Record<string, DocumentedResponse>>} operations
 * @property {DocumentedResponse} unknownRoute
 * @property {Record<string, Schema>} schemas
 */

/** @type {Promise<BrowserContract | null> | null} The contract as plain data, loaded once. */
let loading = null;

/** Loads the contract. Where that fails nothing is checked: it is not the response's fault. */
function contract() {
  loading ??= fetch(new URL("assets/contract.json", site)).then((response) => (response.ok ? response.json() : null));
  return loading.catch(() => null);
}

/**
 * What the contract says of a response, or null when it cannot be checked.
 * @param {string | null} operation null for a path or method that the contract does not have
 * @param {SandboxResponse} response
 * @returns {Promise<{ fits: true } | { fits: false, reason: string } | null>}
 */
export async function checkResponse(operation, response) {
  const known = await contract();
  if (!known) return null;
  const documented = operation === null ? known.unknownRoute : known.operations[operation]?.[response.status];
  if (!documented) return { fits: false, reason: `the contract has no response ${response.status} for ${operation}` };
  const headers = new Headers(response.headers);
  const mediaType = (headers.get("Content-Type") ?? "").split(";")[0];
  if (documented.mediaType && mediaType !== documented.mediaType) {
    return { fits: false, reason: `the media type is ${mediaType || "missing"}, not ${documented.mediaType}` };
  }
  for (const [name, { required, schema }] of Object.entries(documented.headers)) {
    const value = headers.get(name);
    if (value === null && !required) continue;
    const found = value === null ? { reason: "is missing" } : violation(schema, value, known.schemas);
    if (found) return { fits: false, reason: `the header ${name} ${found.reason}` };
  }
  const found = documented.schema ? violation(documented.schema, response.json, known.schemas) : null;
  if (found) return { fits: false, reason: `${found.pointer || "the body"} ${found.reason}` };
  const { codes } = documented;
  if (codes.length === 0) return { fits: true };
  // The schema of a problem is the same for all: status and code are those of this response.
  const { status, code } = /** @type {{ status: number, code: string }} */ (response.json);
  if (status !== response.status) return { fits: false, reason: `/status must be ${response.status}` };
  return codes.includes(code) ? { fits: true } : { fits: false, reason: `/code must be one of ${codes.join(", ")}` };
}
