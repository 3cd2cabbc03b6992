/**
 * An uploaded file as a key. Whoever may upload files at a friend's server has a URL of that server's, and often the choice of the
 * Content-Type: he uploads an actor with a key of his own, signs with it, and names the file as the key. Beside it, key ids that no
 * key can be behind, which would fill the log and the memory.
 *
 * Source: CVE-2024-25623 (GHSA-jhrq-qvrm-qr36: Mastodon took an uploaded JSON file for a post of its host), CVE-2024-25636 (GHSA-qqrm-9grj-6v32: the same
 * in Misskey, with actors); FEP-fe34, https://codeberg.org/fediverse/fep/src/branch/main/fep/fe34/fep-fe34.md.
 * Without the rule: any user of a whitelisted server is that server, with proof `signature`.
 */

import { metricsText } from "../support/metrics.ts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startWeb, type Web } from "../discovery/web.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { signByDraft } from "../support/signed-requests.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";
import { TRACE } from "./attacked.ts";
import { rsaPair } from "../support/rsa-keys.ts";

const OWN = "own.example";
const BODY = '{"type":"Follow"}';
const ACTIVITY = "application/activity+json";
const rsa = rsaPair("one");
const publicKeyPem = rsa.publicKey.export({ type: "spki", format: "pem" });

let web: Web;
let upstream: RecordingUpstream;
let sidecar: TestSidecar;

beforeAll(async () => {
  web = await startWeb();
  upstream = await recordingUpstream();
});
afterEach(async () => {
  await sidecar.sidecar.stop();
  web.takeRequests();
});
afterAll(() => {
  web.stop();
  upstream.stop();
});

async function start(): Promise<void> {
  sidecar = await startInProcess(
    {
      server_name: OWN,
      inbound: {
        listen: "127.0.0.1:0",
        upstream: `http://127.0.0.1:${upstream.port}`,
        keys: { ca_file: "test/fixtures/discovery/ca.pem", allow_networks: ["127.0.0.0/8"] },
      },
      whitelist: ["a\\.example"],
    },
    () => Promise.resolve(["127.0.0.1"]),
  );
}

/** A delivery that is signed with the attacker's key. @returns what came of its proof, and what reached the server behind */
async function deliver(keyId: string): Promise<{ readonly proof: unknown; readonly arrived: string }> {
  const [spans, bytes] = [sidecar.spans.length, upstream.received().length];
  const lines = [
    "POST /inbox HTTP/1.1",
    ...signByDraft({ url: `http://${OWN}/inbox`, host: OWN, keyId, key: rsa.privateKey, body: BODY }),
    `Content-Length: ${BODY.length}`,
    `traceparent: 00-${TRACE}-00f067aa0ba902b7-01`,
    "Connection: close",
  ];
  await exchangeRaw(sidecar.port.inbound, [...lines, "", BODY].join("\r\n"));
  const attributes = (await sidecar.spansOf(spans + 1))[spans]?.attributes;
  const proof = [attributes?.["fedtrace.peer.proof"], attributes?.["fedtrace.peer.proof_refused"]];
  return { proof, arrived: upstream.received().slice(bytes) };
}

/** Value of one series of /metrics; undefined where there is none yet. */
function counted(series: string): string | undefined {
  const lines = metricsText(sidecar.sidecar.registry).split("\n");
  return lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1);
}

const fetches = (result: string): string | undefined =>
  counted(`fedtrace_key_fetches_total{kind="actor",result="${result}"}`);

interface Upload {
  readonly why: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Beside the key's owner; undefined: the key by itself. */
  readonly actor?: object;
  readonly result: string;
}

const ACTOR = "/users/admin";

it.each<Upload>([
  {
    why: "JSON",
    headers: { "content-type": "application/json" },
    actor: { type: "Person" },
    result: "media-type",
  },
  {
    why: "JSON-LD of no profile",
    headers: { "content-type": "application/ld+json" },
    actor: { type: "Person" },
    result: "media-type",
  },
  {
    why: "an actor's type, which the uploader gave, as something to save",
    headers: { "content-type": ACTIVITY, "content-disposition": "attachment; filename=x.json" },
    actor: { type: "Person" },
    result: "attachment",
  },
  { why: "a key by itself", headers: { "content-type": ACTIVITY }, result: "missing" },
  { why: "what is no upload", headers: { "content-type": ACTIVITY }, actor: {}, result: "fetched" },
])("a key is not taken of $why", async ({ headers, actor, result }) => {
  await start();
  const host = `https://a.example:${web.port}`;
  const keyId = `${host}/files/x.json`;
  const key = { id: keyId, owner: `${host}${ACTOR}`, publicKeyPem };
  web.answer((_request, response) => {
    response.writeHead(200, headers);
    response.end(JSON.stringify(actor === undefined ? key : { id: key.owner, ...actor, publicKey: key }));
  });
  expect((await deliver(keyId)).proof).toEqual(["claimed", "fetching"]);
  await expect.poll(() => fetches(result)).toBe("1");

  const { proof, arrived } = await deliver(keyId);
  expect(proof).toEqual(result === "fetched" ? ["signature", undefined] : ["claimed", "unknown"]);
  expect(arrived.includes(TRACE)).toBe(result === "fetched");
});

const MEDIA = "_matrix/media/v3/download/a.example/GCmhgzMPRjqgpODLsNQzVuHZ";

it.each([
  { why: "an upload of Matrix", idOf: (host: string) => `${host}/${MEDIA}` },
  { why: "the same in other letters", idOf: (host: string) => `${host}/%5fmatrix${MEDIA.slice(7)}` },
  { why: "the same behind dots", idOf: (host: string) => `${host}/users/..%2f${MEDIA}` },
  { why: "a URL that is not https", idOf: () => "http://a.example/users/x" },
  { why: "7,000 characters", idOf: (host: string) => `${host}/`.padEnd(7000, "x") },
])("$why costs no fetch, no place and no line", async ({ idOf }) => {
  await start();
  web.answer((_request, response) => response.writeHead(404).end());
  const { proof } = await deliver(idOf(`https://a.example:${web.port}`));
  expect(proof).toEqual(["claimed", "malformed"]);
  expect(counted("fedtrace_actor_keys")).toBe("0");
  expect(web.takeRequests()).toEqual([]);
  expect(sidecar.logged.filter((line) => line.includes("keys can't be had"))).toEqual([]);
});

it("a key that can't be had is told by its host alone", async () => {
  await start();
  web.answer((_request, response) => response.writeHead(404).end());
  await deliver(`https://a.example:${web.port}/users/someone#main-key`);
  await expect.poll(() => fetches("status")).toBe("1");
  const lines = sidecar.logged.filter((line) => line.includes("keys can't be had"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`"holder":"a.example:${web.port}"`);
  expect(lines.join()).not.toContain("someone");
});
