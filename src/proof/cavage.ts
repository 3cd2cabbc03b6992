/**
 * Signatures of the draft that ActivityPub servers speak: `keyId="…",headers="(request-target) host date digest",signature="…"`.
 *
 * Source: draft-cavage-http-signatures-12, as Mastodon (app/lib/signed_request.rb) sends and reads it. It must cover
 *
 * - `(request-target)`, else a signature would be good for any other path;
 * - `host`, else for any other server;
 * - `date` or `(created)`, else for ever.
 *
 * Stricter than Mastodon, which takes a request target without its query (its own fault before 4.3) and a GET of any path where the
 * digest is signed: such requests are forwarded as ever, and have no proof.
 * Not here: the digest, the time, and the key (http-signature.ts).
 */

import { readParameters, unquote } from "../peer/signature-reader.ts";
import {
  COMPONENTS_MAX,
  fieldOf,
  readBase64,
  readDate,
  type ReadRefusal,
  type ReadSignature,
  readUnixSeconds,
  type SignedMessage,
} from "./signed-message.ts";

type Parameters = ReadonlyMap<string, string>;

/** Section 2.3: algorithms that are older than `(created)` and `(expires)`, and may not be told together with them. */
const OLDER_ALGORITHM = /^(?:rsa|hmac|ecdsa)/;
const DEFAULT_HEADERS = "(created)";

/** @param line the value of Signature, or what stands behind the scheme of Authorization */
export function readCavage(line: string, message: SignedMessage): ReadSignature | ReadRefusal {
  const parameters = collect(line);
  if (typeof parameters === "string") return parameters;
  const keyId = parameters.get("keyid");
  const signature = readBase64(parameters.get("signature") ?? "");
  if (keyId === undefined || signature === undefined) return "syntax";

  const names = (parameters.get("headers") ?? DEFAULT_HEADERS).toLowerCase().split(" ");
  const covered = new Set(names);
  if (covered.size !== names.length) return "duplicate";
  const algorithm = parameters.get("algorithm");
  const hasNewer = covered.has("(created)") || covered.has("(expires)");
  if (hasNewer && algorithm !== undefined && OLDER_ALGORITHM.test(algorithm)) return "algorithm";
  const base = baseOf(names, parameters, message);
  if (base === undefined) return "component";

  const expires = parameters.get("expires");
  return {
    keyId,
    algorithm,
    isBound: covered.has("(request-target)") && covered.has("host") && hasTime(covered),
    digests: ["digest", "content-digest"].filter((name) => covered.has(name)),
    madeMs: [
      ...(covered.has("date") ? [readDate(fieldOf(message, "date") ?? "")] : []),
      ...(covered.has("(created)") ? [readUnixSeconds(parameters.get("created") ?? "")] : []),
    ],
    expiresMs: expires === undefined ? undefined : readUnixSeconds(expires),
    base,
    signature,
  };
}

function hasTime(covered: ReadonlySet<string>): boolean {
  return covered.has("date") || covered.has("(created)");
}

/** By names in lower case, so that no other reader sees another value under another case of one. */
function collect(line: string): Parameters | ReadRefusal {
  const parameters = new Map<string, string>();
  let count = 0;
  const isRead = readParameters(line, (name, value) => {
    parameters.set(name.toLowerCase(), unquote(value ?? ""));
    count++;
  });
  if (!isRead) return "syntax";
  return parameters.size === count ? parameters : "duplicate";
}

/** Section 2.3. @returns undefined where a component is not there, or there are too many */
function baseOf(
  names: readonly string[],
  parameters: Parameters,
  message: SignedMessage,
): string | undefined {
  if (names.length > COMPONENTS_MAX) return undefined;
  const lines: string[] = [];
  for (const name of names) {
    const value = valueOf(name, parameters, message);
    if (value === undefined) return undefined;
    lines.push(`${name}: ${value}`);
  }
  return lines.join("\n");
}

function valueOf(name: string, parameters: Parameters, message: SignedMessage): string | undefined {
  switch (name) {
    case "(request-target)":
      return `${message.method.toLowerCase()} ${message.target}`;
    case "(created)":
      return parameters.get("created");
    case "(expires)":
      return parameters.get("expires");
    default:
      return fieldOf(message, name);
  }
}
