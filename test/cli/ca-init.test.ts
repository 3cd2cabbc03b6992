/** `ca init`: two files, what is said of them, and that nothing is ever overwritten. */

import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadAuthority } from "../../src/authority/authority.ts";
import { caInitCommand, parseCaInit } from "../../src/commands/ca-init.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { type Finished, runCli, runCliEach, temporaryDirectory } from "../support/cli.ts";
import { captured } from "../support/commands.ts";

type Words = Parameters<typeof parseCaInit>[0];
const NO_WORDS: Words = { out: undefined, permit: [], name: undefined, days: undefined };

/** Two files in that directory, by the command's own function. */
function caInitIn(out: string): Promise<Finished> {
  const parsed = parseCaInit({ ...NO_WORDS, out });
  if ("refused" in parsed) throw new Error(parsed.refused.join());
  return captured("/nowhere", (output) => caInitCommand(parsed.value, output));
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

it("makes an authority that can be used, its key for nobody else", async () => {
  const directory = temporaryDirectory();
  const args = ["ca", "init", "--out", "a/b", "--permit", "example.net", "--permit", "10.0.0.0/8"];
  const { status, stdout, stderr } = await runCli(args, { directory });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });

  const [pem, key] = [join(directory, "a/b/ca.pem"), join(directory, "a/b/ca.key")];
  expect([modeOf(pem), modeOf(key)]).toEqual([0o644, 0o600]);
  const files = { certificatePem: readFileSync(pem, "utf8"), privateKeyPem: readFileSync(key, "utf8") };
  const loaded = await loadAuthority(files, createSystemClock());
  if ("faults" in loaded) throw new Error(JSON.stringify(loaded.faults));
  const outcomes = ["hs.example.net", "10.1.2.3", "example.org", "::1"].map(async (name) => {
    const leaf = await loaded.value.issueLeaf(name);
    return "refused" in leaf ? leaf.refused : "issued";
  });
  expect(await Promise.all(outcomes)).toEqual([
    "issued",
    "issued",
    "outside-constraints",
    "outside-constraints",
  ]);

  const certificate = new X509Certificate(files.certificatePem);
  expect(certificate.subject).toBe("CN=fedtrace interception CA");
  const daysLeft = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
  expect(Math.round(daysLeft)).toBe(825);
  expect(stdout).toContain(`SHA-256 fingerprint: ${certificate.fingerprint256}\n`);
  expect(stdout).toContain("limited to: example.net and all names below, 10.0.0.0/8\n");
  expect(stdout).not.toContain("PRIVATE KEY");
  for (const line of files.privateKeyPem.split("\n").slice(1, -2)) expect(stdout).not.toContain(line);
});

it("prints lines for both configs, whatever the path", async () => {
  const directory = join(temporaryDirectory(), "it's # a: path");
  const { status, stdout } = await caInitIn(directory);
  expect(status).toBe(0);
  const [, ours = ""] = /^(outbound:\n(?: .*\n)+)/m.exec(stdout) ?? [];
  expect(parse(ours)).toEqual({
    outbound: {
      intercept: {
        ca_certificate: join(directory, "ca.pem"),
        ca_private_key: join(directory, "ca.key"),
      },
    },
  });
  const [, theirs = ""] = /^(federation_custom_ca_list:\n(?: .*\n)+)/m.exec(stdout) ?? [];
  expect(parse(theirs)).toEqual({ federation_custom_ca_list: [join(directory, "ca.pem")] });
  expect(stdout).toContain("SSL_CERT_FILE");
  expect(stdout).toMatch(/^limited to: nothing; /m);
});

it("takes a name and days, and the working directory if none is given", async () => {
  const directory = temporaryDirectory();
  const { status } = await runCli(["ca", "init", "--name", "Our CA", "--days", "2"], { directory });
  expect(status).toBe(0);
  const certificate = new X509Certificate(readFileSync(join(directory, "ca.pem")));
  expect(certificate.subject).toBe("CN=Our CA");
  expect(Math.round((Date.parse(certificate.validTo) - Date.now()) / 86_400_000)).toBe(2);
});

describe("overwrites nothing, and makes both files or none", () => {
  it.each([
    { there: "ca.pem", why: "a certificate is there" },
    { there: "ca.key", why: "a key is there" },
  ])("where $why", async ({ there }) => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, there), "kept");
    const { status, stdout, stderr } = await caInitIn(directory);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`ca init: nothing was made: ${join(directory, there)} exists; `);
    expect(readdirSync(directory)).toEqual([there]);
    expect(readFileSync(join(directory, there), "utf8")).toBe("kept");
  });

  it("where there can be no such directory", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "file"), "");
    const { status, stdout, stderr } = await caInitIn(join(directory, "file/below"));
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^ca init: nothing was made: ENOTDIR/);
  });

  it("where a directory has the name of one of them", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "ca.pem"));
    expect(await caInitIn(directory)).toMatchObject({ status: 1, stdout: "" });
    expect(existsSync(join(directory, "ca.key"))).toBe(false);
  });
});

describe("tells everything that is wrong with the command line, with the usage, and makes nothing", () => {
  it.each([
    { words: { days: "0" }, faults: ["--days"], why: "no day" },
    { words: { days: "0x10" }, faults: ["--days"], why: "a number in another form" },
    { words: { days: "" }, faults: ["--days"], why: "an empty number" },
    { words: { name: "" }, faults: ["--name"], why: "an empty name" },
    { words: { out: "" }, faults: ["--out"], why: "an empty directory" },
    { words: { permit: [""] }, faults: ["--permit"], why: "an empty permitted name: it would permit all" },
  ])("$words: $why", ({ words, faults }) => {
    const parsed = parseCaInit({ ...NO_WORDS, ...words });
    expect("refused" in parsed && parsed.refused.map((line) => line.split(" ")[0])).toEqual(faults);
  });

  it("four words at once", async () => {
    const directory = temporaryDirectory();
    const words = "--permit *.a.test --permit ok.test --permit".split(" ");
    const args = ["ca", "init", ...words, "b c", "--days", "x", "--name", ""];
    const { status, stdout, stderr } = await runCli(args, { directory });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const [told = ""] = stderr.split("\n\nusage: fedtrace COMMAND\n");
    const faults = ["--name", "--days", "--permit", "--permit"];
    expect(told.split("\n").map((line) => line.split(" ")[0])).toEqual(faults);
    expect(readdirSync(directory)).toEqual([]);
  });

  it("half of the command, a word too many, the other way round", async () => {
    for (const finished of await runCliEach([["ca"], ["ca", "init", "more"], ["init", "ca"]])) {
      expect(finished).toMatchObject({ status: 2, stdout: "" });
      expect(finished.stderr).toMatch(/^no such command: /);
    }
  });
});
