/**
 * `init` on a terminal: the questions, by real line reading over streams. What the terminal itself does (echo, editing)
 * is Node's; that Ctrl-D ends it is the end of the stream here.
 */

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { openDialogue } from "../../src/commands/init-dialogue.ts";
import { initCommand } from "../../src/commands/init.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { acceptedConfig } from "./accepted.ts";

interface Asked {
  readonly status: number;
  readonly stdout: string;
  /** Questions, and what was said of answers. */
  readonly stderr: string;
}

/** @param answers lines as they are typed, all of them ahead of the first question; then Ctrl-D */
async function answering(answers: readonly string[], fromSynapse?: string): Promise<Asked> {
  const input = new PassThrough();
  const shown = new PassThrough();
  const stdout: string[] = [];
  input.end(answers.map((line) => `${line}\n`).join(""));
  const told = text(shown);
  const status = await initCommand(
    { fromSynapse, schemaPath: "/absent", openDialogue: () => openDialogue(input, shown) },
    { line: (line) => void stdout.push(line), errorLine: (line) => void shown.write(`${line}\n`) },
  );
  shown.end();
  return { status, stdout: stdout.join("\n"), stderr: await told };
}

async function defaults(): Promise<string> {
  const stdout: string[] = [];
  const given = { fromSynapse: undefined, schemaPath: "/absent", openDialogue: undefined };
  await initCommand(given, { line: (line) => void stdout.push(line), errorLine: () => undefined });
  return stdout.join("\n");
}

/** Server name, listen, upstream, certificate, way out, whitelist, sampling, where spans go, usage reports. */
const ALL_DEFAULT = Array<string>(9).fill("");

it("takes every default by Enter, which is what it prints without a terminal", async () => {
  const asked = await answering(ALL_DEFAULT);
  expect(asked.status).toBe(0);
  expect(asked.stdout).toBe(await defaults());
});

it("shows each question with its default in brackets, and nothing of it on standard output", async () => {
  const { stderr } = await answering(ALL_DEFAULT);
  expect(stderr.match(/^.* \[[^\]\n]*\]: /gm)?.map((line) => line.trimEnd())).toEqual([
    "server_name [hs1.example:8448]:",
    "inbound.listen [0.0.0.0:8448]:",
    "inbound.upstream [http://127.0.0.1:8008]:",
    "inbound.tls.certificate [none]:",
    "outbound [no]:",
    "whitelist, entry 1 [no more]:",
    "sampling [0.01]:",
    "spans go to (page, otlp, jaeger) [page]:",
    "usage_report [no]:",
  ]);
});

it("writes what was answered, and the config says the same", async () => {
  const { stdout, status } = await answering([
    "two.example:8449",
    "127.0.0.1:8449",
    "unix:/run/synapse.sock",
    "none",
    "yes",
    "127.0.0.1:3129",
    "friends\\.example",
    "glob:*.example.net",
    "",
    "5/s",
    "otlp",
    "https://otel.example/v1/traces",
    "yes",
    "https://stats.example/push",
  ]);
  expect(status).toBe(0);
  expect(await acceptedConfig(stdout)).toMatchObject({
    serverName: "two.example:8449",
    inbound: {
      listen: { host: "127.0.0.1", port: 8449 },
      upstream: [{ kind: "unix", path: "/run/synapse.sock" }],
    },
    outbound: { listen: { host: "127.0.0.1", port: 3129 } },
    whitelist: [
      { kind: "regex", text: "friends\\.example" },
      { kind: "glob", text: "*.example.net" },
    ],
    sampling: { type: "ratelimiting", param: 5 },
    exports: [{ kind: "otlp", url: "https://otel.example/v1/traces" }],
    usageReport: { isEnabled: true, endpoint: "https://stats.example/push", isAnonymous: true },
  });
});

it("takes certificate and key where they are usable, as absolute paths", async () => {
  const certificate = "test/fixtures/tls/server.pem";
  const privateKey = "test/fixtures/tls/server.key";
  const wrong = { certificate: privateKey, privateKey: "test/fixtures/tls/peers-ca.pem" };
  const tls = [wrong.certificate, certificate, wrong.privateKey, privateKey];
  const { stdout, stderr } = await answering(["", "", "", ...tls, "", "", "", "", ""]);
  expect((await acceptedConfig(stdout)).inbound?.tls).toMatchObject({
    certificateFile: resolve(certificate),
    privateKeyFile: resolve(privateKey),
  });
  expect(stderr).toMatch(/That names a file without a certificate/);
  expect(stderr).toMatch(/That names a file without a private key/);
});

describe("tells a wrong answer and asks again", () => {
  it.each([
    {
      at: 0,
      answer: "two words",
      said: /is not a server name; allowed: host or host:port/,
      why: "server name",
    },
    { at: 1, answer: "8448", said: /is not host:port; allowed: host:port/, why: "a port alone" },
    { at: 2, answer: "https://127.0.0.1:8008", said: /spoken to in plain http/, why: "https upstream" },
    { at: 3, answer: "/absent.pem", said: /cannot be read \(it does not exist\)/, why: "no such file" },
    { at: 4, answer: "maybe", said: /neither yes nor no/, why: "no yes or no" },
    { at: 5, answer: "(unclosed", said: /Not usable: not a regular expression/, why: "no pattern" },
    { at: 5, answer: "(?=a)a", said: /Not usable: the linear engine has no look-around/, why: "not linear" },
    { at: 6, answer: "often", said: /neither a fraction such as 0\.01 nor a rate/, why: "no number" },
    { at: 6, answer: "1.5", said: /out of bounds for probabilistic/, why: "more than all" },
    { at: 6, answer: "0/s", said: /out of bounds for ratelimiting/, why: "no rate" },
    { at: 7, answer: "zipkin", said: /none of page, otlp, jaeger/, why: "no such place" },
  ])("$why: $answer", async ({ at, answer, said }) => {
    const answers = [...ALL_DEFAULT.slice(0, at), answer, ...ALL_DEFAULT.slice(at)];
    const { status, stdout, stderr } = await answering(answers);
    expect(stderr).toMatch(said);
    expect({ status, stdout }).toEqual({ status: 0, stdout: await defaults() });
  });

  it("a URL that is none", async () => {
    const { stdout, stderr } = await answering([
      ...ALL_DEFAULT.slice(0, 7),
      "otlp",
      "localhost:4318",
      "",
      "",
    ]);
    expect(stderr).toMatch(/is not an http:\/\/ or https:\/\/ URL/);
    expect(await acceptedConfig(stdout)).toMatchObject({
      exports: [{ url: "http://127.0.0.1:4318/v1/traces" }],
    });
  });
});

describe("warns of a doubtful whitelist entry", () => {
  it.each([
    { word: "yes", entries: ["matrix.org"], why: "wanted all the same" },
    { word: "", entries: [], why: "not wanted after all" },
  ])("and takes $entries when the word is '$word'", async ({ word, entries }) => {
    const { stdout, stderr } = await answering([
      ...ALL_DEFAULT.slice(0, 5),
      "matrix.org",
      word,
      "",
      "",
      "",
      "",
    ]);
    expect(stderr).toMatch(/Careful: it has a dot that stands for any character: matrixxorg is admitted too/);
    expect((await acceptedConfig(stdout)).whitelist.map(({ text }) => text)).toEqual(entries);
  });

  it("and of a way out that is open to the network", async () => {
    const answers = [...ALL_DEFAULT.slice(0, 4), "y", "0.0.0.0:3128", "", "", "", ""];
    expect((await answering(answers)).stderr).toMatch(/Danger: that is not a loopback address/);
    const loopback = [...ALL_DEFAULT.slice(0, 4), "y", "", "", "", "", ""];
    expect((await answering(loopback)).stderr).not.toMatch(/not a loopback address/);
  });
});

describe("usage reports", () => {
  const upTo = ALL_DEFAULT.slice(0, 8);
  it.each([
    { answers: ["no"], usage: { isEnabled: false }, why: "a no" },
    { answers: ["yes", ""], usage: { isEnabled: false }, why: "a yes, and nowhere to send them" },
    {
      answers: ["yes", "stats.example", "http://stats.example/push"],
      usage: { isEnabled: true, endpoint: "http://stats.example/push" },
      why: "a yes, and an address after one that is none",
    },
  ])("$why", async ({ answers, usage }) => {
    const { stdout, stderr } = await answering([...upTo, ...answers]);
    expect((await acceptedConfig(stdout)).usageReport).toMatchObject(usage);
    expect(stderr).toMatch(/Usage reports: every four hours/);
  });
});

describe("ends with one line and no half config when the answers end", () => {
  it.each(ALL_DEFAULT.map((_, count) => ({ count })))("after $count of them", async ({ count }) => {
    const { status, stdout, stderr } = await answering(ALL_DEFAULT.slice(0, count));
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/\ninit: the answers ended before the questions; nothing was written\n$/);
  });
});

it("asks nothing with a Synapse config", async () => {
  const path = join(temporaryDirectory(), "homeserver.yaml");
  writeFileSync(path, "server_name: hs.example\n");
  const { status, stderr } = await answering([], path);
  expect(status).toBe(0);
  expect(stderr).not.toContain("[");
});
