/** Requests for the check of HTTP signatures: as heads say them, and signed in any way that a test wants. */

import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { openHttpSignature, type SignatureRefusal } from "../../src/proof/http-signature.ts";
import type { SignedMessage } from "../../src/proof/signed-message.ts";
import { rsaPair } from "../support/rsa-keys.ts";

export const NOW_MS = Date.UTC(2026, 0, 1, 12);
export const NOW_S = NOW_MS / 1000;
export const KEY_ID = "https://own.example/actor#main-key";
export const BODY = JSON.stringify({ type: "Create", object: { content: "caf\u00e9" } });

export const RSA = rsaPair("one");
export const ED25519 = generateKeyPairSync("ed25519");

type Lines = readonly (readonly [name: string, value: string])[];

export interface TestRequest {
  readonly method: string;
  readonly target: string;
  readonly lines: Lines;
  readonly body: string;
  readonly scheme?: "http" | "https";
}

export function digestOf(body: string, algorithm = "sha256"): string {
  return createHash(algorithm).update(body).digest("base64");
}

/** A POST to us at NOW_MS, not signed yet. */
export function postRequest(more: Lines = []): TestRequest {
  return {
    method: "POST",
    target: "/inbox?x=1",
    body: BODY,
    lines: [
      ["Host", "target.example"],
      ["Date", new Date(NOW_MS).toUTCString()],
      ["Content-Length", String(Buffer.byteLength(BODY))],
      ["Digest", `SHA-256=${digestOf(BODY)}`],
      ["Content-Digest", `sha-256=:${digestOf(BODY)}:`],
      ...more,
    ],
  };
}

export function getRequest(): TestRequest {
  const { lines, ...request } = postRequest();
  return { ...request, method: "GET", body: "", lines: lines.slice(0, 2) };
}

/** The request with other values of one line, or without it. */
export function withLine(request: TestRequest, name: string, ...values: readonly string[]): TestRequest {
  const others = request.lines.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  return { ...request, lines: [...others, ...values.map((value) => [name, value] as const)] };
}

export function messageOf({ method, target, lines, scheme = "https" }: TestRequest): SignedMessage {
  const header = (name: string): readonly string[] =>
    lines.filter(([other]) => other.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return {
    method,
    target,
    scheme,
    authority: header("host")[0] ?? "",
    header,
    isOwn: ({ host }) => host === "target.example",
  };
}

type Sign = (base: Buffer) => Buffer;

export const signRsa: Sign = (base) => sign("sha256", base, RSA.privateKey);
export const signPss: Sign = (base) =>
  sign("sha512", base, {
    key: RSA.privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
export const signEd25519: Sign = (base) => sign(null, base, ED25519.privateKey);

export interface CavageOptions {
  readonly headers?: string;
  /** Parameters other than those of every signature, with a comma at their start. */
  readonly more?: string;
  readonly created?: number;
  readonly sign?: Sign;
  /** In the place of the base that the request has. */
  readonly base?: string;
}

const CAVAGE_HEADERS = "(request-target) host date digest";

/** Written for the tests: each value as one line that is there once. */
function cavageBase({ method, target, lines }: TestRequest, headers: string, created?: number): string {
  return headers
    .split(" ")
    .map((name) => {
      if (name === "(request-target)") return `${name}: ${method.toLowerCase()} ${target}`;
      if (name === "(created)") return `${name}: ${created}`;
      const value = lines.filter(([other]) => other.toLowerCase() === name).map(([, line]) => line);
      return `${name}: ${value.join(", ")}`;
    })
    .join("\n");
}

/** The value of Signature. */
export function cavage(request: TestRequest, options: CavageOptions = {}): string {
  const { headers = CAVAGE_HEADERS, more = "", created, sign: signWith = signRsa } = options;
  const base = options.base ?? cavageBase(request, headers, created);
  const signature = signWith(Buffer.from(base, "latin1")).toString("base64");
  const time = created === undefined ? "" : `,created=${created}`;
  return `keyId="${KEY_ID}"${time}${more},headers="${headers}",signature="${signature}"`;
}

interface RfcOptions {
  readonly components?: readonly string[];
  /** All parameters, with a semicolon at their start. */
  readonly parameters?: string;
  readonly sign?: Sign;
  readonly label?: string;
}

const RFC_COMPONENTS = ["@method", "@target-uri", "content-digest"];

/** Written for the tests: the parts of `postRequest` and `getRequest`. */
function rfcValue({ method, target, lines }: TestRequest, name: string): string {
  const [path = "", query = ""] = target.split("?");
  const derived: Readonly<Record<string, string>> = {
    "@method": method,
    "@target-uri": `https://target.example${target}`,
    "@authority": "target.example",
    "@scheme": "https",
    "@request-target": target,
    "@path": path,
    "@query": `?${query}`,
  };
  const values = lines.filter(([other]) => other.toLowerCase() === name).map(([, line]) => line);
  return derived[name] ?? values.join(", ");
}

/** Values of Signature-Input and Signature. */
export function rfc9421(request: TestRequest, options: RfcOptions = {}): readonly [string, string] {
  const {
    components = RFC_COMPONENTS,
    parameters = `;created=${NOW_S};keyid="${KEY_ID}"`,
    sign: signWith = signRsa,
    label = "sig1",
  } = options;
  const input = `(${components.map((name) => `"${name}"`).join(" ")})${parameters}`;
  const lines = components.map((name) => `"${name}": ${rfcValue(request, name)}`);
  const base = [...lines, `"@signature-params": ${input}`].join("\n");
  const signature = signWith(Buffer.from(base, "latin1")).toString("base64");
  return [`${label}=${input}`, `${label}=:${signature}:`];
}

export function signedByDraft(request: TestRequest, options?: CavageOptions): TestRequest {
  return withLine(request, "Signature", cavage(request, options));
}

export function signedByRfc(request: TestRequest, options?: RfcOptions): TestRequest {
  const [input, signature] = rfc9421(request, options);
  return withLine(withLine(request, "Signature-Input", input), "Signature", signature);
}

interface CheckOptions {
  readonly key?: KeyObject;
  readonly nowMs?: number;
  /** In the place of the request's own. */
  readonly body?: string | undefined;
}

/** The first step. */
export function open(request: TestRequest, nowMs = NOW_MS): ReturnType<typeof openHttpSignature> {
  const message = messageOf(request);
  const lines = {
    authorization: message.header("authorization"),
    signature: message.header("signature"),
    signatureInput: message.header("signature-input"),
  };
  return openHttpSignature(lines, message, nowMs);
}

/** Both steps, as one word. */
export function check(request: TestRequest, options: CheckOptions = {}): "verified" | SignatureRefusal {
  const { key = RSA.publicKey, nowMs, body = request.body } = options;
  const opened = open(request, nowMs);
  return typeof opened === "string" ? opened : opened.finish(key, Buffer.from(body));
}

export function headerNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `x-${index}`);
}

export function withHeaders(count: number): TestRequest {
  return postRequest(headerNames(count).map((name) => [name, "1"]));
}
