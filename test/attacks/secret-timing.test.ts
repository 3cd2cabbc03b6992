/**
 * Timing of secrets. A comparison that ends at the first wrong byte tells, over many tries, how many were right: a secret of 32
 * letters takes some thousand guesses in place of 26^32.
 *
 * Source: CWE-208; GHSA-92vm-wfm5-mxvv (cookie-signature compared so). RFC 6750 section 5 on tokens that are guessed.
 * Without the rule: who can reach the way out finds `outbound.shared_secret` by the clock, and then asks in the server's name.
 * No clock is read here: on a busy machine it finds nothing or everything. What is held is how it is compared, and that whoever
 * is refused is told the same, whatever he got right.
 */

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { createAdmission } from "../../src/proxy/outbound-admission.ts";
import type { RequestFields } from "../../src/proxy/request-fields.ts";
import { exchangeRaw } from "../support/wire.ts";
import { type Attacked, startAttacked } from "./attacked.ts";

const SECRET = "correct-horse-battery-staple";
const listen = "127.0.0.1:0";

const compared: (readonly [left: number, right: number])[] = [];
/** Of each keyed hash that was made. */
const hmacKeys: Uint8Array[] = [];
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return {
    ...crypto,
    createHmac(algorithm: string, key: Uint8Array) {
      hmacKeys.push(key);
      return crypto.createHmac(algorithm, key);
    },
    timingSafeEqual(left: Buffer, right: Buffer) {
      compared.push([left.length, right.length]);
      return crypto.timingSafeEqual(left, right);
    },
  };
});

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({
    outbound: { listen, allow_networks: ["127.0.0.0/8"], shared_secret: SECRET },
  });
});
afterAll(() => attacked.stop());

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

/** Wrong in every way that a clock could tell apart. */
const WRONG: readonly { readonly why: string; readonly sent: string }[] = [
  { why: "the first byte", sent: `Bearer x${SECRET.slice(1)}` },
  { why: "the last byte", sent: `Bearer ${SECRET.slice(0, -1)}x` },
  { why: "nothing but letter case", sent: `Bearer ${SECRET.toUpperCase()}` },
  { why: "one byte too few", sent: `Bearer ${SECRET.slice(0, -1)}` },
  { why: "one byte too many", sent: `Bearer ${SECRET}x` },
  { why: "a beginning and nothing more", sent: `Bearer ${SECRET.slice(0, 1)}` },
  { why: "60,000 bytes", sent: `Bearer ${"x".repeat(60_000)}` },
  { why: "bytes that are no text", sent: "Bearer \xff\xfe" },
  { why: "the first byte, as a password", sent: basic(`any:x${SECRET.slice(1)}`) },
  { why: "the last byte, as a password", sent: basic(`any:${SECRET.slice(0, -1)}x`) },
  { why: "an empty password", sent: basic("any:") },
];

describe("outbound.shared_secret", () => {
  it.each(WRONG)("is compared as two digests of one length, whatever is sent: $why", async ({ sent }) => {
    const admit = await createAdmission(SECRET);
    compared.length = 0;
    // Only this of the fields is looked at.
    const fields = { proxyAuthorization: [sent] } as unknown as RequestFields;
    expect(admit(fields)).toEqual({ code: "PROXY_SECRET_WRONG" });
    expect(compared).toEqual([[32, 32]]);
  });

  it("refuses all of them in the same words", async () => {
    const ask = (sent: string): Promise<string> => {
      const lines = ["Host: x", `Proxy-Authorization: ${sent}`, "Connection: close"];
      return exchangeRaw(
        attacked.port.outbound,
        `GET http://friend.test:${attacked.upstream.port}/x HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`,
      );
    };
    const answers = new Set<string>();
    for (const { sent } of WRONG) answers.add(await ask(sent));
    answers.add(await ask("Digest x"));
    expect([...answers]).toEqual([expect.stringMatching(/^HTTP\/1\.1 407 /)]);
    expect(attacked.upstream.received()).toBe("");
    expect(await ask(`Bearer ${SECRET}`)).toMatch(/^HTTP\/1\.1 200 /);
    // And it is the sidecar's alone: the target is not told.
    expect(attacked.upstream.received()).not.toContain(SECRET);
  });

  it("is in no log line, span, metric or page", async () => {
    const shown = await shownBy(attacked);
    expect(shown).toContain("(hidden)");
    expect(shown).not.toMatch(/correct-horse|Y29ycmVjd/);
  });
});

describe("the key of outbound_ids: per_peer", () => {
  // With it a peer finds our trace ids, and everybody's, by trying.
  it("is in no log line, span, metric, page or header, and the notary's keys are public", async () => {
    const verifyKey = "Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw";
    const notary = { server_name: "notary.test", verify_keys: { "ed25519:auto": verifyKey } };
    const sidecar = await startAttacked(
      { propagation: { outbound_ids: "per_peer" } },
      { keys: { notary } },
      { fetchServerKeys: async () => "" },
    );
    onTestFinished(() => sidecar.stop());
    hmacKeys.length = 0;
    const { arrived, received } = await sidecar.passOut("friend.test", []);
    const [key = new Uint8Array()] = hmacKeys;
    expect(key).toHaveLength(32);
    const shown = [await shownBy(sidecar), arrived, received].join("\n");
    expect(shown).toContain("per_peer");
    expect(shown).toContain(verifyKey);
    for (const encoding of ["hex", "base64", "base64url", "latin1"] as const) {
      // Any part of it that nobody guesses.
      expect(shown).not.toContain(Buffer.from(key).toString(encoding).slice(0, 12));
    }
    expect(shown).not.toContain([...key].join(","));
  });
});

/** All that a sidecar says of itself. */
async function shownBy({ port, logged, spans }: Attacked): Promise<string> {
  const read = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port.admin}${path}`)).text();
  return [
    ...logged,
    ...spans.map((span) => JSON.stringify(span.attributes)),
    await read("/api/fedtrace/config"),
    await read("/api/fedtrace/peers"),
    await read(`/api/traces?service=${encodeURIComponent("own.test fedtrace")}`),
    await read("/metrics"),
  ].join("\n");
}

it("no other secret is compared with what somebody sends", () => {
  // What is called a secret beside an operator that ends at the first byte that differs; but not: whether there is one.
  const name = /\w*(?:secret|token|password|hmac)\w*/.source;
  const early = new RegExp(`\\b${name}\\s*[!=]==(?! (?:""|undefined))|[!=]==\\s*${name}\\b`, "i");
  const found = readdirSync("src", { recursive: true, encoding: "utf8" })
    // A token of the operator's patterns is a piece of one.
    .filter((name) => name.endsWith(".ts") && !/^page\/|^peer\/pattern-/.test(name))
    .flatMap((name) =>
      readFileSync(`src/${name}`, "utf8")
        .split("\n")
        .filter((line) => early.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
  expect(found).toEqual([]);
});
