/**
 * Requests as ActivityPub servers sign them, and a server that verifies what it received of them.
 *
 * Sources: draft-cavage-http-signatures-12, as Mastodon's app/lib/request.rb writes it (request target, Host, Date and Digest); RFC 9421
 * section 2.5 with `@target-uri` and RFC 9530's Content-Digest. The signed text is made anew from what arrived, so a byte that
 * changed on the way, in any part that is signed, is a signature that does not verify.
 */

import { createHash, type KeyObject, sign, verify } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Delivery {
  /** `https://target.example/inbox`, as the sender means it. */
  readonly url: string;
  /** What Host says. */
  readonly host: string;
  readonly keyId: string;
  readonly key: KeyObject;
  readonly body: string;
  /** Now, unless said. */
  readonly madeMs?: number;
  /** Which headers the draft's signature covers; those of Mastodon's unless said. */
  readonly covered?: string;
}

const COVERED = "(request-target) host date digest";

type Lines = readonly string[];

function digestOf(body: string | Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

/** Header lines of a POST, signed by the draft. */
export function signByDraft(delivery: Delivery): Lines {
  const { url, host, keyId, key, body, madeMs = Date.now(), covered = COVERED } = delivery;
  const date = new Date(madeMs).toUTCString();
  const digest = `SHA-256=${digestOf(body)}`;
  const values: Readonly<Record<string, string>> = {
    "(request-target)": `post ${new URL(url).pathname}`,
    host,
    date,
    digest,
  };
  const signed = covered
    .split(" ")
    .map((name) => `${name}: ${values[name]}`)
    .join("\n");
  const signature = sign("sha256", Buffer.from(signed), key).toString("base64");
  return [
    `Host: ${host}`,
    `Date: ${date}`,
    `Digest: ${digest}`,
    "Content-Type: application/activity+json",
    `Signature: keyId="${keyId}",algorithm="rsa-sha256",headers="${covered}",signature="${signature}"`,
  ];
}

/** The same, signed by RFC 9421. */
export function signByRfc({ url, host, keyId, key, body, madeMs = Date.now() }: Delivery): Lines {
  const digest = `sha-256=:${digestOf(body)}:`;
  const created = Math.floor(madeMs / 1000);
  const parameters = `("@method" "@target-uri" "content-digest");created=${created};keyid="${keyId}"`;
  const base = baseOf({ method: "POST", targetUri: url, digest, parameters });
  return [
    `Host: ${host}`,
    `Content-Digest: ${digest}`,
    "Content-Type: application/activity+json",
    `Signature-Input: sig1=${parameters}`,
    `Signature: sig1=:${sign("sha256", Buffer.from(base), key).toString("base64")}:`,
  ];
}

function baseOf(parts: Readonly<Record<"method" | "targetUri" | "digest" | "parameters", string>>): string {
  return [
    `"@method": ${parts.method}`,
    `"@target-uri": ${parts.targetUri}`,
    `"content-digest": ${parts.digest}`,
    `"@signature-params": ${parts.parameters}`,
  ].join("\n");
}

/** One request as it arrived. */
export interface Arrived {
  readonly url: string;
  /** Names and values by turns, as they came. */
  readonly lines: Lines;
  /** Undefined: it has no signature. */
  readonly isVerified: boolean | undefined;
  readonly headers: IncomingMessage["headers"];
}

function textOf(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

/** @param scheme by which the server is reached */
function verifyArrived(
  message: IncomingMessage,
  body: Buffer,
  key: KeyObject,
  scheme: string,
): boolean | undefined {
  const { headers, method = "", url = "" } = message;
  const signature = textOf(headers["signature"]);
  const input = textOf(headers["signature-input"]);
  if (signature === "") return undefined;
  if (input === "") return verifyDraft(message, body, key);
  const digest = textOf(headers["content-digest"]);
  const base = baseOf({
    method,
    targetUri: `${scheme}://${headers.host ?? ""}${url}`,
    digest,
    parameters: input.replace(/^sig1=/, ""),
  });
  const bytes = Buffer.from(/^sig1=:([^:]*):$/.exec(signature)?.[1] ?? "", "base64");
  return digest === `sha-256=:${digestOf(body)}:` && verify("sha256", Buffer.from(base), key, bytes);
}

function verifyDraft(
  { headers, method = "", url = "" }: IncomingMessage,
  body: Buffer,
  key: KeyObject,
): boolean {
  const parameters = new Map(
    Array.from(
      textOf(headers["signature"]).matchAll(/([a-zA-Z]+)="([^"]*)"/g),
      ([, name = "", value = ""]) => [name, value],
    ),
  );
  const signed = (parameters.get("headers") ?? "")
    .split(" ")
    .map((name) =>
      name === "(request-target)"
        ? `${name}: ${method.toLowerCase()} ${url}`
        : `${name}: ${textOf(headers[name])}`,
    )
    .join("\n");
  const bytes = Buffer.from(parameters.get("signature") ?? "", "base64");
  return (
    headers["digest"] === `SHA-256=${digestOf(body)}` && verify("sha256", Buffer.from(signed), key, bytes)
  );
}

/** A server over http:// that verifies each request, as behind a reverse proxy, and answers 202. @param key of the sender */
export async function startVerifier(
  key: KeyObject,
  scheme: "http" | "https",
): Promise<{ readonly port: number; readonly arrived: readonly Arrived[] }> {
  const arrived: Arrived[] = [];
  const server = createServer((message, response) => {
    void buffer(message).then((body) => {
      const { url = "", rawHeaders: lines, headers } = message;
      arrived.push({ url, lines, headers, isVerified: verifyArrived(message, body, key, scheme) });
      response.writeHead(202).end();
    });
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, arrived };
}
