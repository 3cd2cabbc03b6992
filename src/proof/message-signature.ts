/**
 * HTTP message signatures: `Signature-Input: sig1=("@method" "@target-uri");created=…;keyid="…"` and `Signature: sig1=:…:`.
 *
 * Source: RFC 9421; the base of a signature is section 2.5. It must cover
 *
 * - `@method`;
 * - the whole target: `@target-uri`, `@request-target`, or both of `@path` and `@query` (which is there for a target without query
 *   too: else a query could be taken away);
 * - `@authority`, unless `@target-uri` says it already (Mastodon signs `@method`, `@target-uri` and `content-digest`);
 * - the parameter `created`, which is always signed.
 *
 * Not here: components with parameters (`;sf`, `;key`, `;bs`, `;tr`, `;req`) and `@query-param`, which no federating server sends: a signature with
 * one is refused as a whole. The digest, the time, and the key (http-signature.ts).
 */

import { isQuoted, readParameters, readSignatureInput, unquote } from "../peer/signature-reader.ts";
import {
  authorityOf,
  COMPONENTS_MAX,
  fieldOf,
  readBase64,
  type ReadRefusal,
  type ReadSignature,
  readUnixSeconds,
  type SignedMessage,
} from "./signed-message.ts";

/** One member of Signature-Input; nothing of it is judged yet. */
export interface SignatureInput {
  readonly label: string;
  readonly list: string;
  readonly parameters: readonly (readonly [name: string, value: string | undefined])[];
  /** Another one has the same label, of which RFC 8941 would forget one. */
  readonly isRepeated: boolean;
}

/** RFC 8941 section 3.1.2: keys have no capitals. The reader is laxer, since it must see what others might. */
const KEY = /^[a-z*][a-z0-9_.*-]*$/;
/** Names alone; one with parameters behind it does not fit. No two parts of it can take the same blank, so it takes linear time. */
const INNER_LIST = /^\( *(?:"[^"\\]*"(?: +"[^"\\]*")* *)?\)$/;
const BYTES = /^:([^:]*):$/;
/** A field's name (RFC 9110 section 5.1), in lower case. */
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/** @returns the signatures of all lines, in order; undefined where a line can't be read */
export function readInputs(lines: readonly string[]): readonly SignatureInput[] | undefined {
  const inputs: Collected[] = [];
  const counts = new Map<string, number>();
  for (const line of lines) {
    const isRead = readSignatureInput(line, {
      onSignature(label, list) {
        inputs.push({ label, list, parameters: [] });
        counts.set(label, (counts.get(label) ?? 0) + 1);
      },
      onParameter: (name, value) => void inputs.at(-1)?.parameters.push([name, value]),
    });
    if (!isRead) return undefined;
  }
  return inputs.map((input) => ({ ...input, isRepeated: counts.get(input.label) !== 1 }));
}

interface Collected {
  readonly label: string;
  readonly list: string;
  readonly parameters: [name: string, value: string | undefined][];
}

/** @returns label → value as it stands, and what stands twice; undefined where a line can't be read */
export function readSignatureValues(lines: readonly string[]): SignatureValues | undefined {
  const values = new Map<string, string>();
  const twice = new Set<string>();
  for (const line of lines) {
    const isRead = readParameters(line, (label, value) => {
      if (values.has(label)) twice.add(label);
      values.set(label, value ?? "");
    });
    if (!isRead) return undefined;
  }
  return { values, twice };
}

interface SignatureValues {
  readonly values: ReadonlyMap<string, string>;
  readonly twice: ReadonlySet<string>;
}

/** @param values of the Signature lines */
export function readMessageSignature(
  input: SignatureInput,
  { values, twice }: SignatureValues,
  message: SignedMessage,
): ReadSignature | ReadRefusal {
  if (input.isRepeated || twice.has(input.label)) return "duplicate";
  const parameters = new Map(input.parameters);
  if (parameters.size !== input.parameters.length) return "duplicate";
  const keyId = readString(parameters.get("keyid"));
  const signature = readBase64(BYTES.exec(values.get(input.label) ?? "")?.[1] ?? "");
  const isWellFormed = [input.label, ...parameters.keys()].every((key) => KEY.test(key));
  if (keyId === undefined || signature === undefined || !isWellFormed) return "syntax";
  if (parameters.has("alg") && readString(parameters.get("alg")) === undefined) return "syntax";

  const names = readNames(input.list);
  if (names === undefined) return "component";
  const covered = new Set(names);
  if (covered.size !== names.length) return "duplicate";
  const base = signatureBase(names, input, message);
  if (base === undefined) return "component";
  const created = parameters.get("created");
  const expires = parameters.has("expires") ? (parameters.get("expires") ?? "") : undefined;
  return {
    keyId,
    algorithm: readString(parameters.get("alg")),
    isBound: covered.has("@method") && coversTarget(covered) && created !== undefined,
    digests: ["content-digest", "digest"].filter((name) => covered.has(name)),
    madeMs: created === undefined ? [] : [readUnixSeconds(created)],
    expiresMs: expires === undefined ? undefined : readUnixSeconds(expires),
    base,
    signature,
  };
}

function coversTarget(covered: ReadonlySet<string>): boolean {
  if (covered.has("@target-uri")) return true;
  const isWhole = covered.has("@request-target") || (covered.has("@path") && covered.has("@query"));
  return isWhole && covered.has("@authority");
}

function readString(value: string | undefined): string | undefined {
  return value !== undefined && isQuoted(value) ? unquote(value) : undefined;
}

/** @returns the names of components without parameters; undefined for any other list */
function readNames(list: string): readonly string[] | undefined {
  if (!INNER_LIST.test(list)) return undefined;
  return Array.from(list.matchAll(/"([^"]*)"/g), ([, name = ""]) => name);
}

/**
 * The text that is signed, section 2.5.
 *
 * @returns undefined where a component is unknown or not there, or there are too many
 */
function signatureBase(
  names: readonly string[],
  input: SignatureInput,
  message: SignedMessage,
): string | undefined {
  if (names.length > COMPONENTS_MAX) return undefined;
  const lines: string[] = [];
  for (const name of names) {
    const value = name.startsWith("@") ? derivedOf(name, message) : plainOf(name, message);
    if (value === undefined) return undefined;
    lines.push(`"${name}": ${value}`);
  }
  lines.push(`"@signature-params": ${canonicalInput(names, input)}`);
  return lines.join("\n");
}

/** As section 2.3 writes it, whatever blanks stood between. Values stay as they were sent: no other text of them can be canonical. */
function canonicalInput(names: readonly string[], { parameters }: SignatureInput): string {
  const list = names.map((name) => `"${name}"`).join(" ");
  const behind = parameters.map(([name, value]) =>
    value === undefined || value === "?1" ? `;${name}` : `;${name}=${value}`,
  );
  return `(${list})${behind.join("")}`;
}

function plainOf(name: string, message: SignedMessage): string | undefined {
  return FIELD_NAME.test(name) ? fieldOf(message, name) : undefined;
}

/** Section 2.2. */
function derivedOf(name: string, message: SignedMessage): string | undefined {
  const { method, target, scheme } = message;
  const pathEnd = target.indexOf("?");
  switch (name) {
    case "@method":
      return method;
    case "@target-uri":
      return `${scheme}://${authorityOf(message)}${target}`;
    case "@authority":
      return authorityOf(message);
    case "@scheme":
      return scheme;
    case "@request-target":
      return target;
    case "@path":
      return pathEnd === -1 ? target : target.slice(0, pathEnd);
    case "@query":
      return pathEnd === -1 ? "?" : target.slice(pathEnd);
    default:
      return undefined;
  }
}
