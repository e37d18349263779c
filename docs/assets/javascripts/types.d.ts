// The shapes that the portal's scripts share. What the API sends is not written again here: `make lint`
// generates it from both contracts into .cache/, so a field renamed in a contract is an error in a script.

type Schemas = import("../../../.cache/types/openapi").components["schemas"];
type ControlSchemas = import("../../../.cache/types/control").components["schemas"];

type Call = Schemas["Call"];
type CallStatus = Schemas["CallStatus"];
type Problem = Schemas["Problem"] & Partial<Pick<Schemas["ValidationProblem"], "errors">>;
type InspectedCall = ControlSchemas["InspectedCall"];
type Delivery = ControlSchemas["Delivery"];
type Clock = ControlSchemas["Clock"];
type Coverage = ControlSchemas["Coverage"];
type FaultList = ControlSchemas["FaultList"];
type RingList = ControlSchemas["RingList"];
type Exchange = ControlSchemas["Exchange"];
type Archive = ControlSchemas["Archive"];
type Message = ControlSchemas["Message"];

type Json = null | boolean | number | string | Json[] | JsonObject;
interface JsonObject {
  [name: string]: Json;
}

/** What one request sends; see shared/sandbox-client.js. */
interface SandboxRequest {
  method: string;
  path: string;
  body?: string | null;
  mediaType?: string | null;
  headers?: Record<string, string>;
  /** Replaces the reader's key; an empty one sends none. */
  token?: string | null;
  signal?: AbortSignal;
}

/** A whole response, as shared/sandbox-client.js reads it. */
interface SandboxResponse {
  status: number;
  phrase: string;
  milliseconds: number;
  requestId: string | null;
  headers: [name: string, value: string][];
  text: string;
  /** `undefined` where the text is not JSON. */
  json: unknown;
}

type NoResponseReason = "canceled" | "timeout" | "browser-offline" | "not-running" | "blocked" | "not-a-sandbox";

/** The data of a card, written by portal/voice_portal/card.py. The last request is what the card is about. */
interface CardData {
  title: string;
  chain: boolean;
  requests: CardRequest[];
  /** The body of the contract's example, where the operation has one. */
  example: JsonObject | null;
  /** Creates the call that this card is about. */
  newCall: CardRequest | null;
  life: CallLifeData | null;
  /** The part that a success opens; the response where it is not said. */
  opens: "call" | null;
}

interface CardRequest {
  /** `null` for a path or a method that the contract does not have. */
  operation: string | null;
  /** What the contract has instead of that path or method. */
  documented: { method: string; path: string } | null;
  summary: string;
  method: string;
  path: string;
  parameters: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string>;
  token: string | null;
  mediaType: string | null;
  body: JsonObject | null;
  /** A body that is not JSON. */
  raw: string | null;
  padTo: number;
  idempotent: boolean;
  responses: Record<string, { phrase: string; meaning: string }>;
  links: { operation: string; parameters: JsonObject; body: JsonObject | null }[];
}

/** What a fix changes in the last request of a card. */
interface RequestChanges extends Partial<Pick<CardRequest, "method" | "path" | "headers" | "token" | "mediaType" | "body" | "padTo">> {
  /** Creates a call first and sends the request about that one. */
  newCall?: boolean;
}

/** The states of a call as the contract names them. */
interface CallStates {
  states: CallStatus[];
  meanings: Record<string, string>;
  unfinished: CallStatus[];
}

interface CallLifeData extends CallStates {
  method: string;
  path: string;
  parameters: JsonObject;
  inspectPath: string;
  clockPath: string;
  webhookPath: string;
}

/** Values that one card passed on to the cards of another operation. */
interface CapturedValues {
  parameters: JsonObject;
  body: JsonObject;
  /** Title of the card that they came from. */
  from: string;
}

/** The data of the inspector, written by portal/voice_portal/inspector.py. */
interface InspectorData {
  create: { method: string; path: string; mediaType: string; body: JsonObject };
  phrases: Record<string, string>;
  life: CallStates;
  endings: { name: CallStatus; body: JsonObject }[];
  faults: { kind: string; line: string; members: string[] }[];
  /** The codes of the problems that a fault may name, by operation; `any` has those of all. */
  problems: Record<string, string[]>;
}

/** What the inspector's list is filtered by; empty or missing parts let everything through. */
interface ExchangeFilter {
  text?: string;
  operation?: string;
  /** Beginning of the status, such as "4" for 4xx. */
  status?: string;
  sender?: string;
}

type StreamState = "connecting" | "live" | "reconnecting" | "stopped" | "rejected";

/** Sends to the sandbox, and resolves to the JSON of the response or to null when it failed. */
type FetchJson = (request: SandboxRequest, options?: { quietly?: boolean }) => Promise<unknown>;

/** Says a text to screen readers, and an error to everybody. */
type Announce = (text: string, options?: { isError?: boolean }) => void;

interface Window {
  /** Material's observable of the page, which emits again after each instant navigation. */
  document$?: { subscribe(listener: () => void): void };
  /** Swagger UI's frame calls these two names of its parent. */
  __init_is_dark_mode?: boolean;
  update_swagger_ui_iframe_height?: (id: string) => void;
}
