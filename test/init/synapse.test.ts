/**
 * `init --from-synapse`: what is taken over, what is said of the rest, and that `check` accepts the outcome whatever
 * stands in the file. Sources of the examples: Synapse's configuration manual and a generated homeserver.yaml.
 */

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { initCommand } from "../../src/commands/init.ts";
import type { Config } from "../../src/config/merge.ts";
import { compileUnion } from "../../src/peer/pattern.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { acceptedConfig } from "./accepted.ts";
import { unicodeText } from "../support/unicode-text.ts";
import { runs } from "../support/runs.ts";

interface Taken {
  readonly status: number;
  readonly text: string;
  /** Lines of standard error, without the file's name. */
  readonly notes: readonly string[];
}

async function takeOver(
  homeserverYaml: string | Uint8Array,
  directory = temporaryDirectory(),
): Promise<Taken> {
  const path = join(directory, "homeserver.yaml");
  writeFileSync(path, homeserverYaml);
  return takeOverFile(path);
}

async function takeOverFile(path: string): Promise<Taken> {
  const stdout: string[] = [];
  const notes: string[] = [];
  const given = { fromSynapse: path, schemaPath: "/absent", openDialogue: undefined };
  const status = await initCommand(given, {
    line: (line) => void stdout.push(line),
    errorLine: (line) => void notes.push(line.replace(path, "homeserver.yaml")),
  });
  return { status, text: stdout.join("\n"), notes };
}

/** Of a document with a name, and what `check` made of the outcome. */
async function configFrom(document: object): Promise<{ config: Config; notes: string; text: string }> {
  const { status, text, notes } = await takeOver(stringify({ server_name: "hs.example", ...document }));
  expect(status).toBe(0);
  return { config: await acceptedConfig(text), notes: notes.join("\n"), text };
}

const LISTENER = { type: "http", resources: [{ names: ["client", "federation"] }], x_forwarded: true };
const listeners = (...items: object[]): object => ({
  listeners: items.map((item) => ({ ...LISTENER, ...item })),
});

it("takes over a generated homeserver.yaml", async () => {
  const { status, text, notes } = await takeOverFile(resolve("test/init/homeserver-generated.yaml"));
  expect(status).toBe(0);
  expect(await acceptedConfig(text)).toMatchObject({
    serverName: "hs1.example",
    inbound: { upstream: [{ kind: "tcp", host: "127.0.0.1", port: 8008 }] },
    whitelist: [],
  });
  expect(notes.map((note) => note.split(": ", 3).slice(1).join(": "))).toEqual([
    "homeserver.yaml:16:5: listeners[0]",
  ]);
});

describe("the listener", () => {
  it.each([
    {
      item: { port: 8008, bind_addresses: ["::1", "127.0.0.1"] },
      upstream: "127.0.0.1:8008",
      why: "IPv4 first",
    },
    { item: { port: 8008, bind_addresses: ["::1"] }, upstream: "::1:8008", why: "IPv6 alone" },
    { item: { port: 8008, bind_address: "10.0.0.5" }, upstream: "10.0.0.5:8008", why: "the older key" },
    { item: { port: 8008 }, upstream: "127.0.0.1:8008", why: "every address", note: /go around the sidecar/ },
    { item: { port: 8008, tls: "no" }, upstream: "127.0.0.1:8008", why: "YAML 1.1's no" },
    { item: { path: "/run/hs.sock" }, upstream: "/run/hs.sock", why: "a Unix socket" },
    {
      item: { port: 8448, tls: true },
      upstream: "127.0.0.1:8011",
      why: "TLS",
      note: /has tls: true, and the sidecar speaks plain HTTP/,
    },
    {
      item: { port: 8448, tls: "yes" },
      upstream: "127.0.0.1:8011",
      why: "YAML 1.1's yes",
      note: /has tls: true/,
    },
    {
      item: { port: 8008, x_forwarded: false },
      upstream: "127.0.0.1:8008",
      why: "no x_forwarded",
      note: /needs x_forwarded: true/,
    },
    {
      item: { port: 99_999 },
      upstream: "127.0.0.1:8008",
      why: "no port",
      note: /can't be the server behind/,
    },
    {
      item: { path: "run/hs.sock" },
      upstream: "127.0.0.1:8008",
      why: "a relative socket",
      note: /can't be the server behind/,
    },
    { item: { type: "metrics", port: 9000 }, upstream: "127.0.0.1:8008", why: "no http", note: /is a guess/ },
    {
      item: { port: 1, resources: [{ names: ["client"] }] },
      upstream: "127.0.0.1:8008",
      why: "no federation",
      note: /is a guess/,
    },
  ])("$why: $item is $upstream", async ({ item, upstream, note = /^(?!.*guess)/s }) => {
    const { config, notes } = await configFrom(listeners(item));
    const [taken] = config.inbound?.upstream ?? [];
    expect(taken?.kind === "unix" ? taken.path : `${taken?.host}:${taken?.port}`).toBe(upstream);
    expect(notes).toMatch(note);
  });

  it("is the plain one of two, and the TLS one is to go", async () => {
    const { config, notes } = await configFrom(listeners({ port: 8448, tls: true }, { port: 8009 }));
    expect(config.inbound?.upstream).toMatchObject([{ port: 8009 }]);
    expect(notes).toMatch(/listeners\[0\]: is Synapse's own TLS listener: remove it/);
  });

  it("keeps clear of a plain listener on the federation port", async () => {
    const { config } = await configFrom(listeners({ port: 8448 }));
    expect(config.inbound).toMatchObject({
      upstream: [{ port: 8448 }],
      listen: { host: "127.0.0.1", port: 8449 },
    });
  });
});

describe("TLS", () => {
  const usable = {
    tls_certificate_path: resolve("test/fixtures/tls/server.pem"),
    tls_private_key_path: resolve("test/fixtures/tls/server.key"),
  };

  it("moves to the sidecar where its files are usable", async () => {
    const { config } = await configFrom({ ...usable, ...listeners({ port: 8443, tls: true }) });
    expect(config.inbound).toMatchObject({
      listen: { host: "0.0.0.0", port: 8443 },
      upstream: [{ port: 8011 }],
      tls: { certificateFile: usable.tls_certificate_path, privateKeyFile: usable.tls_private_key_path },
    });
  });

  it("stands as a comment where they are not, and nothing listens to the world without it", async () => {
    const { config, notes, text } = await configFrom({ ...usable, tls_private_key_path: "/absent.key" });
    expect(config.inbound).toMatchObject({ listen: { host: "127.0.0.1" } });
    expect(config.inbound?.tls).toBeUndefined();
    expect(notes).toMatch(/tls_private_key_path: .*does not exist.*stands as a comment/);
    expect(text).toContain("  #   private_key: /absent.key\n");
  });
});

describe("the whitelist", () => {
  it.each([
    { entry: "matrix\\.org", taken: "matrix\\.org", why: "as it is" },
    {
      entry: "^hs\\.example",
      taken: "^hs\\.example",
      why: "an anchor at the start",
      note: /begins with \^ and ends without/,
    },
    {
      entry: "^hs\\.example$",
      taken: "^hs\\.example$",
      why: "an anchor at the end, where Synapse saw the port",
      note: /\[0\]: admitted no port in Synapse.*here it admits every port/,
    },
    {
      entry: "hs\\.example\\Z",
      taken: "hs\\.example",
      why: "\\Z is where a pattern ends anyway",
      note: /ended with \\Z, which is left out/,
    },
    { entry: "hs\\.example\\\\Z", taken: "hs\\.example\\\\Z", why: "an escaped backslash before a Z" },
    {
      entry: "(?P<n>hs\\d)\\.example",
      taken: "(?P<n>hs\\d)\\.example",
      why: "Python's named group, which RE2 took from it",
    },
    {
      entry: "matrix.org",
      taken: "matrix.org",
      why: "a loose dot",
      note: /homeserver_whitelist\[0\]: has a dot that stands for any/,
    },
    {
      entry: "Matrix\\.org",
      taken: "Matrix\\.org",
      why: "upper case",
      note: /upper-case letters, which counted in Synapse/,
    },
    { entry: "a.${b}", taken: "a.${b}", why: "what looks like a reference is text", note: /never matches/ },
    { entry: "it's", taken: "it's", why: "a quote" },
    {
      entry: "*.friends.example",
      taken: undefined,
      why: "a glob, as Synapse's manual shows one",
      note: /reads like a glob/,
    },
    { entry: "(?=.*\\.example$).*", taken: undefined, why: "lookahead", note: /no look-around/ },
    { entry: "(?!evil).*", taken: undefined, why: "negative lookahead", note: /no negative look-around/ },
    { entry: "(?P<a>x)(?P=a)", taken: undefined, why: "a back-reference", note: /no back-references/ },
    { entry: "hs{,3}\\.example", taken: undefined, why: "read otherwise by RE2", note: /\{0,3\}/ },
    {
      entry: "[[:alpha:]]+\\.example",
      taken: undefined,
      why: "a class that Python has not: there it is [:ahlp followed by ]",
      note: /\[: inside a set as two characters/,
    },
    { entry: "a[b[.]c", taken: undefined, why: "a bracket in a set", note: /inside a set/ },
    { entry: "a[[b]c", taken: undefined, why: "a nested set to be", note: /is to become a nested set/ },
    { entry: "\\pN+", taken: undefined, why: "a Unicode class", note: /not both know this escape/ },
    { entry: "\\Qa.b\\E", taken: undefined, why: "a quotation", note: /not both know this escape/ },
    { entry: "a\\z", taken: undefined, why: "an end that Python has not", note: /an end such as/ },
    { entry: "\\141", taken: undefined, why: "an octal escape", note: /count octal escapes/ },
    { entry: "a{01}", taken: undefined, why: "a count with a zero first", note: /without leading zeros/ },
    { entry: "(?i)hs", taken: undefined, why: "flags for all", note: /flags such as \(\?i\)/ },
    { entry: "(?i-s:hs)", taken: undefined, why: "flags on and off", note: /not both know this group/ },
    { entry: "(?<n>hs)", taken: undefined, why: "a group named elsewhere", note: /\(\?P<name>…\)/ },
    { entry: "^*hs", taken: undefined, why: "a repeated anchor", note: /neither an anchor nor a repeat/ },
    { entry: "[\\w-.]+", taken: undefined, why: "a range from a class", note: /write the - last/ },
    { entry: "hs\u017f", taken: undefined, why: "a letter that folds to s", note: /only ASCII/ },
    { entry: "hs\\x41", taken: "hs\\x41", why: "upper case by its number", note: /has upper-case letters/ },
    { entry: "(?:HS)", taken: "(?:HS)", why: "upper case in a group", note: /has upper-case letters/ },
    {
      entry: "a)|(b",
      taken: undefined,
      why: "right only within Synapse's own brackets",
      note: /not a regular expression/,
    },
    { entry: "(?x) a", taken: undefined, why: "a flag of Python's", note: /\(\?x\) are not known/ },
    { entry: "", taken: undefined, why: "everybody in Synapse, nobody here", note: /matches no name/ },
  ])("$why: $entry", async ({ entry, taken, note = /^(?!.*whitelist\[0\]: (?!never|has upper))/s }) => {
    const { config, notes, text } = await configFrom({ opentracing: { homeserver_whitelist: [entry] } });
    expect(config.whitelist.map((one) => one.text)).toEqual(taken === undefined ? [] : [taken]);
    expect(notes).toMatch(note);
    if (taken === undefined) expect(text).toContain(`  # - '${entry}'`);
  });

  it.each([
    {
      written: ["a", 5, ["b"]],
      taken: ["a"],
      note: /\[1\]: is not text.*\[2\]: is not text/s,
      why: "numbers and lists",
    },
    { written: "matrix.org", taken: [], note: /is not a list/, why: "one text" },
    {
      written: Array.from({ length: 1001 }, (_, n) => `hs${n}`),
      taken: 1000,
      note: /\[1000\]: and what follows/,
      why: "too many",
    },
  ])("$why", async ({ written, taken, note }) => {
    const { config, notes } = await configFrom({ opentracing: { homeserver_whitelist: written } });
    const texts = config.whitelist.map(({ text }) => text);
    expect(typeof taken === "number" ? texts.length : texts).toEqual(taken);
    expect(notes).toMatch(note);
  });

  it("tries only so many heavy entries, and what it takes over runs", async () => {
    const heavy = Array.from({ length: 1000 }, (_, n) => `(a${n}.*b){1,900}`);
    const { config, notes, text } = await configFrom({
      opentracing: { homeserver_whitelist: ["(b{1000}){1000}", ...heavy, "matrix\\.org"] },
    });
    expect(config.whitelist.length).toBeGreaterThan(2);
    expect(config.whitelist.length).toBeLessThan(20);
    expect(notes).toMatch(
      /\[999\]: is not usable.*about \d{4,5} instructions, and 50000 are allowed for all/,
    );
    expect(text).toContain("  # - '(a998.*b){1,900}'");
    expect(await compileUnion(config.whitelist)).toHaveProperty("firstMatch");
  });

  it("says what Synapse's one-sided anchor means", async () => {
    const { notes, text } = await configFrom({ opentracing: { homeserver_whitelist: ["a\\.example"] } });
    expect(notes).toMatch(/matrix\.org admits matrix\.org\.evil\.example too/);
    expect(text).toMatch(/# .*matrix\.org\.evil\.example/);
  });
});

describe("merge keys, which PyYAML follows", () => {
  const entries = (yaml: string) => `server_name: hs.example\n${yaml}`;
  it.each([
    {
      yaml: "x: &d { homeserver_whitelist: ['a'] }\nopentracing: { <<: *d, enabled: true }\n",
      taken: ["a"],
      why: "a mapping",
    },
    {
      yaml: "x: &d { homeserver_whitelist: ['a'] }\nopentracing: { <<: *d, homeserver_whitelist: ['b'] }\n",
      taken: ["b"],
      why: "what stands there itself counts",
    },
    {
      yaml: "x: [&c { homeserver_whitelist: ['a'] }, &d { homeserver_whitelist: ['b'] }]\nopentracing: { <<: [*c, *d] }\n",
      taken: ["a"],
      why: "the first of a list counts",
    },
    {
      yaml: "x: &c { homeserver_whitelist: ['a'] }\ny: &d { <<: *c }\nopentracing: { <<: *d }\n",
      taken: ["a"],
      why: "through another",
    },
    {
      yaml: "x: &d { homeserver_whitelist: ['a'] }\nopentracing: { '<<': *d }\n",
      taken: [],
      why: "in quotes it is a key",
    },
    {
      yaml: "x: &d { homeserver_whitelist: ['a'] }\nopentracing: { <<: *d, homeserver_whitelist: }\n",
      taken: [],
      why: "a key without a value stays without one",
    },
  ])("$why", async ({ yaml, taken }) => {
    const { status, text } = await takeOver(entries(yaml));
    expect(status).toBe(0);
    expect((await acceptedConfig(text)).whitelist.map((one) => one.text)).toEqual(taken);
  });

  it.each([
    {
      yaml: "x: { <<: 5 }\n",
      at: /^homeserver\.yaml:2:10: x\["<<"\]: merges what is not a mapping/,
      why: "a number",
    },
    { yaml: "x: { <<: [{}, 5] }\n", at: /:2:10: x\["<<"\]: merges what is not/, why: "a number in a list" },
    { yaml: "x: { <<: }\n", at: /:2:10: x\["<<"\]: merges what is not/, why: "nothing" },
    {
      yaml: "x: &d { <<: *d }\n",
      at: /:2:13: x\["<<"\]: is an alias \(\*\) of what it stands in/,
      why: "itself",
    },
    { yaml: "x: { <<: {}, <<: {} }\n", at: /:2:14: x\["<<"\]: stands here a second time/, why: "two" },
  ])("refuses $why", async ({ yaml, at }) => {
    const { status, notes } = await takeOver(entries(yaml));
    expect({ status, count: notes.length }).toEqual({ status: 2, count: 1 });
    expect(notes[0]).toMatch(at);
  });
});

describe("what a terminal, an editor or a YAML reader would act on", () => {
  // From C1 controls, marks of direction, line ends, spaces, nothing to see, no character, half a pair, private use.
  const hostile =
    "\u0085\u009b\u202e\u2028\u2029\u2066\u200f\u061c\u00ad\u00a0\u3000\u200b\ufeff\u3164\ufffe\ud800\ue000\u{e0041}\u{10ffff}\u0000\u001b\n\t\u007f";

  it.each(Array.from(hostile))("is escaped, and read back: %j", async (character) => {
    const entry = `a\\.example|"'${character}`;
    const document = {
      opentracing: {
        homeserver_whitelist: [entry],
        jaeger_config: { [`k${character}`]: 1, local_agent: { reporting_host: character } },
      },
    };
    const { status, text, notes } = await takeOver(
      JSON.stringify({ server_name: "hs.example", ...document }),
    );
    expect(status).toBe(0);
    expect(text + notes.join("\n")).toMatch(/^[\n\x20-\x7e…→]*$/);
    await acceptedConfig(text);
    const [, line = ""] = /^ {2}(?:# )?- (["'].*a\\.*)$/m.exec(text) ?? [];
    expect(parse(line)).toBe(entry);
  });
});

it("says of a client with many keys only so much", async () => {
  const jaeger_config = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key${n}`, n]));
  const { notes } = await configFrom({ opentracing: { jaeger_config } });
  expect(notes).toMatch(/jaeger_config: has 4950 more keys/);
  expect(notes.split("\n").length).toBeLessThan(70);
});

describe("the sampler", () => {
  it.each([
    { sampler: { type: "const", param: 1 }, taken: { type: "const", param: 1 } },
    { sampler: { type: "const", param: true }, taken: { type: "const", param: 1 } },
    { sampler: { type: "const", param: 0 }, taken: { type: "const", param: 0 } },
    { sampler: { type: "probabilistic", param: 0.25 }, taken: { type: "probabilistic", param: 0.25 } },
    { sampler: { type: "probabilistic", param: "0.5" }, taken: { type: "probabilistic", param: 0.5 } },
    { sampler: { type: "ratelimiting", param: 2 }, taken: { type: "ratelimiting", param: 2 } },
    { sampler: { type: "rate_limiting", param: 2 }, taken: { type: "ratelimiting", param: 2 } },
  ])("$sampler", async ({ sampler, taken }) => {
    const { config, notes } = await configFrom({
      opentracing: { enabled: true, jaeger_config: { sampler } },
    });
    expect(config.sampling).toMatchObject(taken);
    expect(notes).not.toMatch(/sampler/);
  });

  it.each([
    { sampler: { type: "probabilistic", param: 2 }, why: "out of bounds" },
    { sampler: { type: "probabilistic" }, why: "no param" },
    { sampler: { type: "ratelimiting", param: 0 }, why: "no rate" },
    { sampler: { type: "lowerbound", param: 1 }, why: "not a sampler of the client" },
  ])("$why: $sampler is not taken over, with the reason", async ({ sampler }) => {
    const { config, notes } = await configFrom({ opentracing: { jaeger_config: { sampler } } });
    expect(config.sampling).toMatchObject({ type: "probabilistic", param: 0.01 });
    expect(notes).toMatch(
      /jaeger_config\.sampler: .*not taken over.*probabilistic 0\.01 stands in its place/,
    );
  });

  it.each([
    {
      why: "named",
      client: { sampler: { type: "remote", param: 0.5 } },
      param: 0.5,
      url: "http://localhost:5778/sampling",
    },
    { why: "the client's default", client: {}, param: 0.001, url: "http://localhost:5778/sampling" },
    {
      why: "not a mapping, which the client reads as none",
      client: { sampler: "const" },
      param: 0.001,
      url: "http://localhost:5778/sampling",
    },
    {
      why: "from another agent",
      client: { sampler: { type: "remote" }, local_agent: { reporting_host: "::1", sampling_port: 1 } },
      param: 0.001,
      url: "http://127.0.0.1:5778/sampling", // Not an address that a URL can have: the default.
    },
    {
      why: "from another port",
      client: {
        sampler: { type: "remote" },
        local_agent: { reporting_host: "[::1]", sampling_port: "15778" },
      },
      param: 0.001,
      url: "http://[::1]:15778/sampling",
    },
  ])("is asked of Jaeger where Synapse asks it: $why", async ({ client, param, url }) => {
    const { config } = await configFrom({ opentracing: { jaeger_config: client } });
    expect(config.sampling).toMatchObject({ type: "remote", param, remote: { url } });
  });

  it("is Synapse's own default where it says nothing", async () => {
    expect((await configFrom({ opentracing: { enabled: true } })).config.sampling).toMatchObject({
      type: "const",
      param: 1,
    });
    expect((await configFrom({})).config.sampling).toMatchObject({ type: "probabilistic", param: 0.01 });
  });
});

describe("the Jaeger agent", () => {
  it.each([
    { opentracing: { enabled: true }, agent: { host: "localhost", port: 6831 }, why: "the client's default" },
    {
      opentracing: {
        enabled: true,
        jaeger_config: { local_agent: { reporting_host: "j.example", reporting_port: 6832 } },
      },
      agent: { host: "j.example", port: 6832 },
      why: "both named",
    },
    { opentracing: { homeserver_whitelist: [] }, agent: undefined, why: "tracing is off" },
    {
      opentracing: { jaeger_config: { local_agent: { reporting_host: [{}] } } },
      agent: undefined,
      why: "no host",
    },
  ])("$why", async ({ opentracing, agent }) => {
    const { config } = await configFrom({ opentracing });
    if (agent === undefined) return expect(config.exports).toEqual([]);
    expect(config.exports).toMatchObject([{ kind: "jaeger", agent }]);
  });
});

it("says what it could not take over in the file too", async () => {
  const { text, notes } = await configFrom({
    worker_replication_secret: "hunter2",
    outbound_federation_restricted_to: ["sender1"],
    opentracing: {
      force_tracing_for_users: ["@u:hs.example"],
      jaeger_config: { tags: { a: "b" }, propagation: "b3", trace_id_header: "x-own" },
    },
  });
  const comments = text.replaceAll(/\n *#/g, "");
  for (const key of [
    "force_tracing_for_users",
    "jaeger_config.tags",
    "jaeger_config.propagation",
    "trace_id_header",
    "outbound_federation_restricted_to",
  ]) {
    expect(notes).toContain(key);
    expect(comments).toContain(key);
  }
  expect(text + notes).not.toContain("hunter2");
  expect(text).toContain("#   outbound_federation_restricted_to: [fedtrace]\n");
});

describe("a broken file is a fault with line and column, exit status 2", () => {
  it.each([
    { text: "server_name: [\n", at: /^homeserver\.yaml:2:1: \(file\): /, why: "no YAML" },
    {
      text: "server_name: hs.example\nserver_name: two.example\n",
      at: /^homeserver\.yaml:2:1: server_name: stands here a second time$/,
      why: "a key twice",
    },
    { text: "- a\n", at: /^homeserver\.yaml:1:1: \(file\): is not a mapping/, why: "a list" },
    { text: "", at: /^homeserver\.yaml:1:1: \(file\): has no server_name; Debian/, why: "empty" },
    { text: "pid_file: x\n", at: /^homeserver\.yaml:1:1: \(file\): has no server_name/, why: "no name" },
    {
      text: "\nserver_name: 'no name'\n",
      at: /^homeserver\.yaml:2:14: server_name: is not a server name/,
      why: "a wrong name",
    },
    {
      text: "server_name: 5\n",
      at: /^homeserver\.yaml:1:14: server_name: is a number, not text/,
      why: "a number",
    },
    {
      text: new Uint8Array([0xff, 0xfe]),
      at: /^homeserver\.yaml:1:1: \(file\): is not UTF-8/,
      why: "no text",
    },
    {
      text: "#".repeat(1024 ** 2 + 1),
      at: /^homeserver\.yaml:1:1: \(file\): names a file of over/,
      why: "too large",
    },
  ])("$why", async ({ text, at }) => {
    const { status, text: printed, notes } = await takeOver(text);
    expect({ status, printed }).toEqual({ status: 2, printed: "" });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(at);
  });

  it("as is one that isn't there", async () => {
    const { status, notes } = await takeOverFile("/absent/homeserver.yaml");
    expect({ status, notes }).toEqual({
      status: 2,
      notes: ["homeserver.yaml:1:1: (file): names a file that cannot be read (it does not exist)"],
    });
  });
});

describe("a hostile file ends soon, in few words", () => {
  it.each([
    {
      text: "server_name: a.example\nopentracing: &o\n  jaeger_config: *o\n  homeserver_whitelist: [*o]\n",
      at: /^homeserver\.yaml:3:18: opentracing\.jaeger_config: is an alias \(\*\) of what it stands in/,
      why: "aliases of themselves",
    },
    {
      text: `server_name: a.example\nx: &x { ${Array.from({ length: 50 }, (_, n) => `k${n}: *none`).join(", ")} }\ny: [${"*x, ".repeat(1000)}]\n`,
      at: /^homeserver\.yaml:1:1: \(file\): has more faults; the first 100 are listed$/,
      why: "one fault many times over",
    },
    {
      text: `server_name: a.example\n? ${"k".repeat(100_000)}\n: *none\n`,
      at: /^homeserver\.yaml:3:3: \["k{80}"\]: is an alias/,
      why: "a long key",
    },
  ])("$why", async ({ text, at }) => {
    const { status, notes } = await takeOver(text);
    expect(status).toBe(2);
    expect(notes[0]).toMatch(at);
    expect(notes.join("\n").length).toBeLessThan(20_000);
  });

  it("reads no more of a device than it may", async () => {
    const { status, notes } = await takeOverFile("/dev/zero");
    expect({ status, notes }).toEqual({
      status: 2,
      notes: ["homeserver.yaml:1:1: (file): names a file of over 1048576 bytes"],
    });
  });
});

describe("whatever stands there, check accepts what comes of it", () => {
  const anything = fc.oneof(unicodeText(), fc.json(), fc.jsonValue());
  const scalars = fc.oneof(
    anything,
    fc.constantFrom("yes", true, 0, 8448, 1e21, -1, null, [], {}, [{}], "0.0.0.0", "::", "/x"),
  );

  it("in the keys that are read", async () => {
    const document = fc.record({
      listeners: fc.oneof(
        scalars,
        fc.array(
          fc.record(
            {
              type: fc.constant("http"),
              port: scalars,
              path: scalars,
              tls: scalars,
              bind_addresses: fc.oneof(scalars, fc.array(scalars)),
              bind_address: scalars,
              x_forwarded: scalars,
              resources: fc.oneof(scalars, fc.constant([{ names: ["federation", "a'b\n"] }])),
            },
            { requiredKeys: ["type"] },
          ),
        ),
      ),
      tls_certificate_path: scalars,
      tls_private_key_path: scalars,
      worker_replication_secret: scalars,
      outbound_federation_restricted_to: scalars,
      opentracing: fc.oneof(
        scalars,
        fc.record(
          {
            enabled: scalars,
            homeserver_whitelist: fc.oneof(
              scalars,
              fc.array(
                fc.oneof(scalars, unicodeText(), fc.stringMatching(/^[a-z.*\\(){},|?$^'"#:-]{1,12}$/)),
              ),
            ),
            force_tracing_for_users: scalars,
            jaeger_config: fc.oneof(
              scalars,
              fc.record({
                sampler: fc.oneof(
                  scalars,
                  fc.record({
                    type: fc.oneof(
                      scalars,
                      fc.constantFrom("const", "probabilistic", "ratelimiting", "remote"),
                    ),
                    param: scalars,
                  }),
                ),
                local_agent: fc.oneof(
                  scalars,
                  fc.record({ reporting_host: scalars, reporting_port: scalars }),
                ),
              }),
            ),
          },
          { requiredKeys: [] },
        ),
      ),
    });
    const directory = temporaryDirectory();
    await fc.assert(
      fc.asyncProperty(document, async (made) => {
        // JSON is YAML, and keeps what YAML's own writer would refuse.
        const { status, text } = await takeOver(
          JSON.stringify({ server_name: "hs.example", ...made }),
          directory,
        );
        if (status === 0) await acceptedConfig(text, directory);
        else expect({ status, text }).toEqual({ status: 2, text: "" });
      }),
      { numRuns: runs(300) },
    );
  });

  it("in the whole file", async () => {
    const directory = temporaryDirectory();
    await fc.assert(
      fc.asyncProperty(anything, async (made) => {
        const { status, text } = await takeOver(
          `server_name: hs.example\n${typeof made === "string" ? made : JSON.stringify(made)}`,
          directory,
        );
        if (status === 0) await acceptedConfig(text, directory);
        else expect({ status, text }).toEqual({ status: 2, text: "" });
      }),
      { numRuns: runs(200) },
    );
  });
});
