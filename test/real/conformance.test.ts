/**
 * The tables of test/http1/conformance against real nginx and haproxy: there is no row in which either of them is safe and
 * fedtrace is not (conformance-judges.ts says what safe is). What each of the three does with each row stands in
 * docs/conformance.md, which `UPDATE_CONFORMANCE=1 npm run test:real -- conformance` writes anew.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LenientUpstream, startLenientUpstream } from "../http1/conformance/lenient-upstream.ts";
import { PERSONALITIES } from "../http1/conformance/personalities.ts";
import { REQUEST_THEMES } from "../http1/conformance/request-rows.ts";
import type { RequestRow } from "../http1/conformance/row.ts";
import type { ResponseRow } from "../http1/conformance/response-row.ts";
import { RESPONSE_ROWS } from "../http1/conformance/rows-responses.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../http1/conformance/scripted-upstream.ts";
import { startInProcess } from "../support/in-process.ts";
import { judgeRequest, judgeResponse, type Verdict } from "./conformance-judges.ts";
import { HAPROXY, NGINX, startRealProxy } from "./conformance-proxies.ts";

const DOCUMENT = "docs/conformance.md";
const NAMES = ["fedtrace", "nginx", "haproxy"] as const;
type Name = (typeof NAMES)[number];

/** One proxy twice, before an upstream that reads requests and before one that sends responses. */
interface Contestant {
  readonly version: string;
  readonly port: number;
  readonly responsePort: number;
  readonly upstream: LenientUpstream;
  readonly scripted: ScriptedUpstream;
  stop(): Promise<void>;
}

interface Proxy {
  readonly port: number;
  readonly version: string;
  stop(): Promise<unknown>;
}

const REQUEST_ROWS = Object.values(REQUEST_THEMES).flat();
const RESPONSES = "Responses";
const THEMES: Readonly<Record<string, readonly (RequestRow | ResponseRow)[]>> = {
  ...REQUEST_THEMES,
  [RESPONSES]: RESPONSE_ROWS,
};
/** Theme and name: a request and a response may have the same name. */
const KEYS = Object.entries(THEMES).flatMap(([theme, rows]) => rows.map((row) => `${theme}: ${row.name}`));

const contestants = new Map<Name, Contestant>();
const verdicts = new Map<Name, Map<string, Verdict>>();

beforeAll(async () => {
  for (const name of NAMES) contestants.set(name, await enter(name));
});
afterAll(async () => {
  for (const contestant of contestants.values()) await contestant.stop();
});

async function enter(name: Name): Promise<Contestant> {
  const upstream = await startLenientUpstream();
  const scripted = await startScriptedUpstream();
  const first = await startProxy(name, upstream.port);
  const second = await startProxy(name, scripted.port);
  return {
    version: first.version,
    port: first.port,
    responsePort: second.port,
    upstream,
    scripted,
    async stop() {
      await Promise.all([first.stop(), second.stop()]);
      await Promise.all([upstream.stop(), scripted.stop()]);
    },
  };
}

async function startProxy(name: Name, upstreamPort: number): Promise<Proxy> {
  if (name !== "fedtrace") return startRealProxy(name === "nginx" ? NGINX : HAPROXY, upstreamPort);
  const { port, sidecar } = await startInProcess({
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstreamPort}`, authenticate: "claimed" },
  });
  return { port: port.inbound, version: "", stop: () => sidecar.stop() };
}

it.each(NAMES)("every row is sent through %s", async (name) => {
  const contestant = contestants.get(name);
  if (contestant === undefined) throw new Error(`${name} is not running`);
  const { port, responsePort, upstream, scripted } = contestant;
  const own = new Map<string, Verdict>();
  for (const [theme, rows] of Object.entries(REQUEST_THEMES)) {
    for (const row of rows) own.set(`${theme}: ${row.name}`, await judgeRequest(port, upstream, row));
  }
  for (const row of RESPONSE_ROWS) {
    own.set(`${RESPONSES}: ${row.name}`, await judgeResponse(responsePort, scripted, row));
  }
  verdicts.set(name, own);
  expect([...own.keys()]).toEqual(KEYS);
});

function isSafe(name: Name, key: string): boolean {
  return verdicts.get(name)?.get(key)?.isSafe === true;
}

it("has no row in which fedtrace is not safe, whatever nginx and haproxy are", () => {
  expect(KEYS.filter((key) => !isSafe("fedtrace", key))).toEqual([]);
});

it("finds a row in which nginx or haproxy is not safe: the lenient upstream tells one from the other", () => {
  expect(KEYS.filter((key) => !isSafe("nginx", key) || !isSafe("haproxy", key))).not.toEqual([]);
});

it("stands in docs/conformance.md as it is", async () => {
  const text = await documentText();
  if (process.env["UPDATE_CONFORMANCE"] === "1") writeFileSync(DOCUMENT, text);
  const written = readFileSync(DOCUMENT, "utf8");
  // Another nginx or haproxy may do another thing, and on a busy machine the same one may; fedtrace's own column must be right.
  expect(withoutOthers(written), "UPDATE_CONFORMANCE=1 npm run test:real -- conformance").toBe(
    withoutOthers(text),
  );
});

function withoutOthers(document: string): string {
  return [...document.matchAll(/^\| (.*?) \| (.*?) \| (.*?) \|/gm)]
    .map(([line]) => line.replaceAll(/ +/g, " "))
    .join("\n");
}

async function documentText(): Promise<string> {
  const version = (name: Name): string => contestants.get(name)?.version ?? "";
  const safe = NAMES.map((name) => `${name} ${KEYS.filter((key) => isSafe(name, key)).length}`).join(", ");
  const text = `# HTTP/1.1 conformance

What fedtrace, nginx and haproxy do with ${REQUEST_ROWS.length} requests and ${RESPONSE_ROWS.length} responses, most of them made to be read in
two ways. Made by test/real/conformance.test.ts; the rows are in test/http1/conformance.

Versions: nginx ${version("nginx")}, haproxy ${version("haproxy")}; both as Debian packages them, set up as reverse proxies with reused
connections (test/real/conformance-proxies.ts).

- **refused**: no whole request reached the upstream; of a response: the client was told that there is none.
- **normalised**: it did, written in another way.
- **as is**: it did, byte for byte but for hop-by-hop headers.
- **passed**, **cut**: the client got the response, or as much as there was of it.
- **unsafe**, of a request: ${PERSONALITIES.length} upstreams, each with one fault that servers of the field had, do not all find the requests in it
  that the client was answered for. A fault of the upstream's, but one that a proxy in front could have kept from it.
- **unsafe**, of a response: the client takes a cut one for whole, gets more than its own answer, or the next client gets
  what was left.

Safe rows of ${KEYS.length}: ${safe}.

${Object.keys(THEMES).map(tableOf).join("\n")}`;
  return format(text, { ...(await resolveConfig(DOCUMENT)), parser: "markdown" });
}

function tableOf(theme: string): string {
  const cell = (name: Name, key: string): string => {
    const verdict = verdicts.get(name)?.get(key);
    return verdict === undefined ? "" : verdict.word + (verdict.isSafe ? "" : ", **unsafe**");
  };
  const escape = (text: string): string => text.replaceAll(/[|*<>]/g, String.raw`\$&`);
  const lines = (THEMES[theme] ?? []).map((row) => {
    const cells = NAMES.map((name) => cell(name, `${theme}: ${row.name}`));
    return `| ${escape(row.name)} | ${cells.join(" | ")} | ${escape(`${row.why} (${row.source})`)} |`;
  });
  const head = `| what is sent | ${NAMES.join(" | ")} | why it matters |\n|---|---|---|---|---|`;
  return `## ${theme}\n\n${head}\n${lines.join("\n")}\n`;
}
