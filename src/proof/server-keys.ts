/**
 * A server's own keys, from the document it publishes, or a notary publishes for it.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#retrieving-server-keys. A key counts only if the document is
 * signed by that very key, and stands under `verify_keys`: `old_verify_keys` are for events of the past, so whoever
 * finds an old key signs no new request with it. Stricter than Synapse, which takes all keys of a document that one of
 * them signed.
 * Not here: fetching, and how long a document or a refusal is kept.
 */

import { parseServerName } from "../peer/server-name.ts";
import { canonicalJson, type JsonRefusal, readSignableJson } from "./canonical-json.ts";
import { type Ed25519, isKeyId, readSignature, type VerifyKey } from "./ed25519.ts";

/**
 * Why a document gives no keys: those of canonical-json.ts; `too-large`: more than DOCUMENT_BYTES_MAX, or a notary's
 * ANSWER_BYTES_MAX; `shape`: a member is missing or of another type; `name`: another server's; `expired`: no longer
 * valid; `too-many`: more than KEYS_MAX keys or NOTARY_DOCUMENTS_MAX documents; `unsigned`: no key of it has signed it.
 * Of a notary: `missing`: no document of that server; `notary`: none with a signature of the notary.
 */
export type KeysRefusal =
  JsonRefusal | "too-large" | "shape" | "name" | "expired" | "too-many" | "unsigned" | "missing" | "notary";

/** By id; only keys that may verify a request now. */
export type VerifyKeys = ReadonlyMap<string, VerifyKey>;

export interface ServerKeys {
  /** At least one. */
  readonly keys: VerifyKeys;
  /** Unix time; at most LIFETIME_MAX_MS from when it was read. */
  readonly validUntilMs: number;
}

interface Notary {
  /** As it signs. */
  readonly serverName: string;
  /** From the operator's config. */
  readonly keys: VerifyKeys;
}

export interface ServerKeyReader {
  /**
   * @param body of `GET /_matrix/key/v2/server`
   * @param serverName whose keys were asked for; letter case does not count
   * @returns never throws
   */
  readonly readServerKeys: (
    body: string | Uint8Array,
    serverName: string,
    nowMs: number,
  ) => ServerKeys | KeysRefusal;
  /**
   * @param body of the notary's `GET /_matrix/key/v2/query/{serverName}`
   * @returns of the documents that the server and the notary have signed the one that is valid longest. Never throws
   */
  readonly readNotaryKeys: (
    body: string | Uint8Array,
    serverName: string,
    nowMs: number,
    notary: Notary,
  ) => ServerKeys | KeysRefusal;
}

/** One key has about 250 bytes; old keys of ten years fit many times. */
export const DOCUMENT_BYTES_MAX = 65_536;
/** A notary answers with every document it has of one server. */
export const ANSWER_BYTES_MAX = 262_144;
/** Each costs a verification. A server has one, two while it changes them. */
export const KEYS_MAX = 8;
/** Each may cost one for the notary, and those of its keys. Notaries send one, or one for each key asked for. */
export const NOTARY_DOCUMENTS_MAX = 8;
/** The specification's: however long a document says, its keys are asked for again within a week. */
export const LIFETIME_MAX_MS = 7 * 24 * 60 * 60 * 1000;

type Members = Readonly<Record<string, unknown>>;

/** A document that has the right members, of the server that was asked for, in its time; no signature was looked at yet. */
interface Document {
  /** As the server writes it; what it signs by. */
  readonly serverName: string;
  readonly validUntilMs: number;
  readonly verifyKeys: Members;
  readonly signatures: Members;
  /** All of it but what signatures don't cover. */
  readonly signed: Members;
}

export function createServerKeyReader(ed25519: Ed25519): ServerKeyReader {
  return {
    readServerKeys(body, serverName, nowMs) {
      const json = readMembers(body, DOCUMENT_BYTES_MAX);
      if (typeof json === "string") return json;
      const document = readDocument(json, serverName, nowMs);
      return typeof document === "string" ? document : readKeys(document, nowMs, ed25519);
    },

    readNotaryKeys(body, serverName, nowMs, notary) {
      const json = readMembers(body, ANSWER_BYTES_MAX);
      if (typeof json === "string") return json;
      const sent = memberOf(json, "server_keys");
      if (!Array.isArray(sent)) return "shape";
      if (sent.length > NOTARY_DOCUMENTS_MAX) return "too-many";

      let refusal: KeysRefusal = "missing";
      const documents: Document[] = [];
      for (const item of sent as readonly unknown[]) {
        const document = isMembers(item) ? readDocument(item, serverName, nowMs) : "shape";
        if (typeof document !== "string") documents.push(document);
        else if (document !== "name") refusal = document;
      }
      for (const document of documents.sort((one, other) => other.validUntilMs - one.validUntilMs)) {
        const keys = readCertifiedKeys(document, nowMs, notary, ed25519);
        if (typeof keys !== "string") return keys;
        refusal = keys;
      }
      return refusal;
    },
  };
}

function readMembers(body: string | Uint8Array, bytesMax: number): Members | KeysRefusal {
  if (body.length > bytesMax) return "too-large";
  const json = readSignableJson(body);
  if (typeof json === "string") return json;
  return isMembers(json.value) ? json.value : "shape";
}

function readDocument(json: Members, serverName: string, nowMs: number): Document | KeysRefusal {
  const named = memberOf(json, "server_name");
  const validUntilMs = memberOf(json, "valid_until_ts");
  const verifyKeys = memberOf(json, "verify_keys");
  const { signatures, unsigned: _, ...signed } = json;
  if (typeof named !== "string" || typeof validUntilMs !== "number") return "shape";
  if (!isMembers(verifyKeys) || !isMembers(signatures)) return "shape";

  const asked = parseServerName(serverName)?.name;
  if (asked === undefined || parseServerName(named)?.name !== asked) return "name";
  if (validUntilMs <= nowMs) return "expired";
  return { serverName: named, validUntilMs, verifyKeys, signatures, signed };
}

function readCertifiedKeys(
  document: Document,
  nowMs: number,
  notary: Notary,
  ed25519: Ed25519,
): ServerKeys | KeysRefusal {
  const text = canonicalJson(document.signed);
  for (const [id, key] of notary.keys) {
    const signature = signatureOf(document, notary.serverName, id);
    if (signature !== undefined && ed25519.verify(text, signature, key)) {
      return readKeys(document, nowMs, ed25519, text);
    }
  }
  return "notary";
}

function readKeys(
  document: Document,
  nowMs: number,
  ed25519: Ed25519,
  text = canonicalJson(document.signed),
): ServerKeys | KeysRefusal {
  const ids = Object.keys(document.verifyKeys).filter(isKeyId);
  if (ids.length > KEYS_MAX) return "too-many";

  const keys = new Map<string, VerifyKey>();
  for (const id of ids) {
    const signature = signatureOf(document, document.serverName, id);
    const written = memberOf(memberOf(document.verifyKeys, id), "key");
    const key = typeof written === "string" ? ed25519.readVerifyKey(written) : undefined;
    if (signature !== undefined && key !== undefined && ed25519.verify(text, signature, key))
      keys.set(id, key);
  }
  if (keys.size === 0) return "unsigned";
  return { keys, validUntilMs: Math.min(document.validUntilMs, nowMs + LIFETIME_MAX_MS) };
}

function signatureOf(document: Document, serverName: string, keyId: string): Uint8Array | undefined {
  const text = memberOf(memberOf(document.signatures, serverName), keyId);
  return typeof text === "string" ? readSignature(text) : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Own members alone: `constructor` is a server name. */
function memberOf(value: unknown, key: string): unknown {
  return isMembers(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
