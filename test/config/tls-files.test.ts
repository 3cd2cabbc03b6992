/** The certificates of `inbound.tls`: what is read, what is refused, and what is doubtful about their dates and names. */

import { copyFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { expiryDoubt, findCertificateWarnings, readTlsFiles } from "../../src/config/tls-files.ts";
import { temporaryDirectory } from "../support/cli.ts";

/** Made by test/fixtures/certificates/make.sh, which says what each is. */
const file = (name: string): string => resolve("test/fixtures/certificates", name);
const pair = (name: string) => ({
  certificateFile: file(`${name}.pem`),
  privateKeyFile: file(`${name}.key`),
});
const alone = (name: string) => ({ ...pair(name), clientCaFile: undefined, certificates: [] });
const DAY_MS = 24 * 3600 * 1000;

describe("reading", () => {
  it("gives every pair, the main one first, and the authorities", () => {
    const files = {
      ...pair("server-main"),
      clientCaFile: file("ca.pem"),
      certificates: [pair("server-wild")],
    };
    const read = readTlsFiles(files);
    if ("reason" in read) throw new Error(read.reason);
    expect(read.pairs.map(({ names }) => names)).toEqual([
      "DNS:a.example",
      "DNS:*.wild.example, DNS:wild.example",
    ]);
    expect(new Date(read.pairs[0].notAfterMs).toISOString()).toBe("2120-01-01T00:00:00.000Z");
    expect(read.clientCa?.toString()).toContain("BEGIN CERTIFICATE");
  });

  it.each([
    {
      files: { ...alone("server-main"), privateKeyFile: file("client.key") },
      file: file("client.key"),
      reason: `is not the key of ${file("server-main.pem")}`,
      why: "a key of another certificate",
    },
    {
      files: {
        ...alone("server-main"),
        certificates: [{ ...pair("server-wild"), privateKeyFile: file("ca.pem") }],
      },
      file: file("ca.pem"),
      reason: expect.stringContaining("without a private key") as string,
      why: "a further pair without a key",
    },
    {
      files: { ...alone("server-main"), certificateFile: file("server-main.key") },
      file: file("server-main.key"),
      reason: expect.stringContaining("without a certificate") as string,
      why: "no certificate",
    },
    {
      files: { ...alone("server-main"), clientCaFile: "/absent" },
      file: "/absent",
      reason: expect.stringContaining("it does not exist") as string,
      why: "authorities that are not there",
    },
  ])("refuses $why", ({ files, ...refusal }) => {
    expect(readTlsFiles(files)).toEqual({ file: refusal.file, reason: refusal.reason });
  });

  it("refuses half a certificate, as a writer may leave it for a moment", () => {
    const directory = temporaryDirectory();
    const half = join(directory, "half.pem");
    copyFileSync(file("server-main.pem"), half);
    writeFileSync(half, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    expect(readTlsFiles({ ...alone("server-main"), certificateFile: half })).toMatchObject({ file: half });
  });
});

describe("a certificate's dates", () => {
  const notBeforeMs = Date.UTC(2026, 0, 1);
  const notAfterMs = Date.UTC(2026, 3, 1);
  it.each([
    { nowMs: notBeforeMs - 1, doubt: "is not valid before 2026-01-01", why: "a millisecond early" },
    { nowMs: notBeforeMs, doubt: undefined, why: "just begun" },
    { nowMs: notAfterMs - 7 * DAY_MS, doubt: undefined, why: "seven days left" },
    { nowMs: notAfterMs - 7 * DAY_MS + 1, doubt: "expires on 2026-04-01", why: "less than seven days left" },
    { nowMs: notAfterMs, doubt: "expires on 2026-04-01", why: "its last moment" },
    { nowMs: notAfterMs + 1, doubt: "expired on 2026-04-01", why: "over" },
  ])("are $doubt: $why", ({ nowMs, doubt }) => {
    expect(expiryDoubt({ notBeforeMs, notAfterMs }, nowMs)).toBe(doubt);
  });
});

describe("warnings", () => {
  const nowMs = Date.UTC(2026, 0, 1);
  it("tell an expired certificate, and one that no name leads to", () => {
    const files = {
      ...pair("server-expired"),
      clientCaFile: undefined,
      certificates: [pair("server-exact"), pair("server-expired")],
    };
    expect(findCertificateWarnings(files, "inbound", nowMs)).toEqual([
      {
        path: ["inbound", "tls", "certificate"],
        message: "names a certificate that expired on 2021-01-01",
      },
      {
        path: ["inbound", "tls", "certificates", 1, "certificate"],
        message: "names a certificate that expired on 2021-01-01",
      },
    ]);
  });

  it.each([
    { files: undefined, nowMs, why: "there is no TLS" },
    { files: alone("server-expired"), nowMs: undefined, why: "nobody knows the time" },
    { files: alone("server-main"), nowMs, why: "all is well" },
    { files: { ...alone("server-main"), certificateFile: "/absent" }, nowMs, why: "a fault is told already" },
  ])("are none where $why", ({ files, nowMs: now }) => {
    expect(findCertificateWarnings(files, "inbound", now)).toEqual([]);
  });
});
