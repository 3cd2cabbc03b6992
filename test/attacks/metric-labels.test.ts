/**
 * Metric-label explosion. Each new value of a label is a series, kept for ever here and in whatever scrapes it: whoever chooses
 * a label's value chooses how much memory two programs use.
 *
 * Source: CVE-2023-45142 (GHSA-rcjv-mgp8-qvmr): otelhttp took method and user agent as labels; CVE-2022-21698: client_golang
 * took the method.
 * Without the rule: a client who counts upwards in a header fills the sidecar and then Prometheus.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawClient } from "../support/wire.ts";
import { type Attacked, from, startAttacked } from "./attacked.ts";
import { runs } from "../support/runs.ts";

/** Many times the places that a label has: what is not bounded by them has hundreds of new series. */
const VARIANTS = runs(2000);
/** Of them those that come first: the busiest of a label (metrics.top) are shown, and these take the places. */
const FIRST = 200;
/** metrics.top */
const PLACES = 20;
/** metrics.size */
const SCRAPE_MAX = 1024 * 1024;
/** Requests in one write. */
const BATCH = 100;

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ sampling: { type: "const", param: 0 } });
  attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
});
afterAll(() => attacked.stop());

/** Sends so many requests, a connection a batch, and reads their answers. */
async function flood(port: number, count: number, request: (at: number) => string): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH) {
    const size = Math.min(BATCH, count - sent);
    const client = await rawClient(port);
    client.send(Array.from({ length: size }, (_, at) => request(sent + at)).join(""));
    await client.until((received) => received.split("HTTP/1.1 ").length - 1 === size);
    client.socket.destroy();
  }
}

/** @param send sends so many; the first, so that the series that its kind may have are there, are sent alone */
async function newSeries(
  send: (count: number) => Promise<void>,
  of: Attacked = attacked,
): Promise<readonly string[]> {
  await send(FIRST);
  const before = await of.scrape();
  await send(VARIANTS);
  return [...(await of.scrape()).keys()].filter((name) => !before.has(name));
}

/** A number in letters alone, as a method may be. */
function letters(at: number): string {
  return String(at).replaceAll(/\d/g, (digit) => "ABCDEFGHIJ"[Number(digit)] ?? "");
}

/** Each varies all that it names at once: what grows shows in the names of the new series. */
const KINDS: readonly { readonly why: string; readonly request: (at: number) => string }[] = [
  {
    why: "paths, queries, hosts, user agents, baggage and peers of strangers",
    request: (at) =>
      `GET /p${at}?q${at}=${at} HTTP/1.1\r\nHost: h${at}.test\r\nUser-Agent: a${at}\r\nuberctx-${at}: 1\r\n` +
      `${from(`p${at}.test`)}\r\n\r\n`,
  },
  {
    why: "paths of a known route, ports and malformed contexts of a whitelisted peer",
    request: (at) =>
      `GET /_matrix/federation/v1/event/$${at} HTTP/1.1\r\nHost: own.test\r\n${from(`friend.test:${at + 1}`)}\r\n` +
      `traceparent: ${at}\r\nb3: ${at}-\r\n\r\n`,
  },
  {
    why: "methods and key ids",
    request: (at) =>
      `M${letters(at)} /x HTTP/1.1\r\nHost: own.test\r\n` +
      `Signature: keyId="https://k${at}.test/x",signature="x"\r\n\r\n`,
  },
];

describe(`${VARIANTS} of a kind make no series more than ${FIRST} do`, () => {
  it.each(KINDS)("inbound: $why", async ({ request }) => {
    expect(await newSeries((count) => flood(attacked.port.inbound, count, request))).toEqual([]);
  });

  it("outbound: targets that are not there", async () => {
    const request = (at: number): string => `GET http://t${at}.invalid/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(await newSeries((count) => flood(attacked.port.outbound, count, request))).toEqual([]);
  });
});

describe(`${VARIANTS} forged proofs make no series more than ${FIRST} do`, () => {
  let proven: Attacked;
  beforeAll(async () => {
    proven = await startAttacked(
      { whitelist: [".*"], sampling: { type: "const", param: 0 } },
      { keys: { allow_networks: [] } },
      { fetchServerKeys: async () => "" },
    );
    proven.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  afterAll(() => proven.stop());

  const signed = (lines: string): string => `GET /x HTTP/1.1\r\nHost: own.test\r\n${lines}\r\n\r\n`;
  const matrix = (name: string, keyId: string): string =>
    signed(`Authorization: X-Matrix origin="${name}",key="${keyId}",sig="${"A".repeat(86)}"`);
  const http = (keyId: string): string =>
    signed(
      `Date: ${new Date().toUTCString()}\r\n` +
        `Signature: keyId="${keyId}",headers="(request-target) host date",signature="AA=="`,
    );

  it.each([
    { why: "names and key ids", request: (at: number) => matrix(`p${at}.test`, `ed25519:k${at}`) },
    { why: "key ids of one name", request: (at: number) => matrix("friend.test", `ed25519:k${at}`) },
    { why: "keys' URLs", request: (at: number) => http(`https://p${at}.test/k${at}`) },
  ])("$why", async ({ request }) => {
    // A few: those whose keys are asked for, and those for whom too many are.
    const grown = await newSeries((count) => flood(proven.port.inbound, count, request), proven);
    // What came of a signature, or of a fetch, may be new behind all of them, and is one of our words.
    const word =
      /^fedtrace_(?:proofs|key_fetches|peer_forged_names)_total\{(?:kind="(?:server|actor)",|peer="[\w.]+",)?(?:result|reason)="(\w[\w-]*)"\}$/;
    const words = new Set(["fetching", "busy", "unknown", "json", "address", "key-id"]);
    expect(grown.filter((name) => !words.has(word.exec(name)?.[1] ?? ""))).toEqual([]);
    const series = [...(await proven.scrape()).keys()].join("\n");
    expect(series).not.toMatch(/k\d+"/);
    const names = series.matchAll(/^fedtrace_peer_forged_names_total\{peer="([^"]+)"/gm);
    expect(new Set([...names].map(([, name]) => name)).size).toBeLessThanOrEqual(PLACES + 1);
  });
});

it("statuses of a server gone mad have their part of a scrape, and no more", async () => {
  for (let status = 200; status < 1000; status += 3) {
    attacked.answerWith(`HTTP/1.1 ${status} S${status}\r\nContent-Length: 0\r\n\r\n`);
    await attacked.passIn([]);
  }
  expect([...(await attacked.scrape()).keys()].join("\n").length).toBeLessThan(SCRAPE_MAX);
  attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
});

it("what is refused makes one for each word of ours, and none has a peer's text", async () => {
  const refused = [
    "GET /x HTTP/2.0\r\n\r\n",
    "G\0T /x HTTP/1.1\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "GET http://other.test/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: mine\r\n\r\n",
  ];
  for (let round = 0; round < 20; round++) {
    for (const text of refused) {
      const client = await rawClient(attacked.port.inbound);
      client.send(text.replace("/x", `/secret-word-${round}`).replace("mine", `secret-word-${round}`));
      await client.closed();
    }
  }
  const names = [...(await attacked.scrape()).keys()];
  expect(names.join()).not.toContain("secret-word");
  const reasons = names.filter((name) =>
    name.startsWith('fedtrace_requests_refused_total{direction="inbound"'),
  );
  expect(reasons.length).toBeGreaterThan(2);
  expect(reasons.length).toBeLessThanOrEqual(refused.length);
});
