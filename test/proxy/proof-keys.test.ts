/**
 * Keys as they are fetched, over TLS from where their owners publish them: a Matrix server, its notary, and an ActivityPub actor. The
 * first request begins a trace of its own, and the next one is proven.
 */

import { metricsText } from "../support/metrics.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startWeb, type Web } from "../discovery/web.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { createMatrixSigner } from "../support/matrix-signer.ts";
import { type Delivery, signByDraft, signByRfc } from "../support/signed-requests.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";
import { rsaPair } from "../support/rsa-keys.ts";

const TRACEPARENT = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OWN = "own.example";

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

const REACH = { ca_file: "test/fixtures/discovery/ca.pem", allow_networks: ["127.0.0.0/8"] };

/** @param outbound undefined: there is no way out */
async function start(keys: object = {}, outbound?: object): Promise<void> {
  sidecar = await startInProcess(
    {
      server_name: OWN,
      inbound: {
        listen: "127.0.0.1:0",
        upstream: `http://127.0.0.1:${upstream.port}`,
        keys: outbound === undefined ? { ...REACH, ...keys } : keys,
      },
      ...(outbound === undefined ? {} : { outbound }),
      whitelist: ["[abc]\\.example"],
    },
    () => Promise.resolve(["127.0.0.1"]),
  );
}

async function proofOf(lines: readonly string[], body = ""): Promise<readonly unknown[]> {
  const known = sidecar.spans.length;
  await exchangeRaw(
    sidecar.port.inbound,
    [...lines, TRACEPARENT, "Connection: close", "", body].join("\r\n"),
  );
  const attributes = (await sidecar.spansOf(known + 1))[known]?.fields.attributes;
  return [attributes?.["fedtrace.peer.proof"], attributes?.["fedtrace.peer.proof_refused"]];
}

/** Until the fetch that a request has begun is over. */
async function fetched(count = 1): Promise<void> {
  await expect
    .poll(() => /fedtrace_key_fetches_total\{.*\} (\d+)/.exec(metricsText(sidecar.sidecar.registry))?.[1])
    .toBe(String(count));
}

describe("of a Matrix server", () => {
  const uri = "/_matrix/federation/v1/version";
  const signerOf = (host: string) => createMatrixSigner(`${host}:${web.port}`);
  const requestBy = (signer: ReturnType<typeof signerOf>): readonly string[] => [
    `GET ${uri} HTTP/1.1`,
    `Host: ${OWN}`,
    `Authorization: ${signer.authorize({ method: "GET", uri, destination: OWN })}`,
  ];

  it("come from itself, found as any server is", async () => {
    await start();
    const signer = signerOf("a.example");
    web.answer((_request, response) =>
      response.setHeader("content-type", "application/json").end(signer.keyDocument()),
    );
    expect(await proofOf(requestBy(signer))).toEqual(["claimed", "fetching"]);
    await fetched();
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /_matrix/key/v2/server`]);
    expect(await proofOf(requestBy(signer))).toEqual(["signature", undefined]);
  });

  it("are asked for as the way out asks, where nothing else is said", async () => {
    await start({}, { listen: "127.0.0.1:0", ...REACH });
    const signer = signerOf("a.example");
    web.answer((_request, response) =>
      response.setHeader("content-type", "application/json").end(signer.keyDocument()),
    );
    expect(await proofOf(requestBy(signer))).toEqual(["claimed", "fetching"]);
    await fetched();
    expect(await proofOf(requestBy(signer))).toEqual(["signature", undefined]);
  });

  it("come from the notary, where it can't be asked itself", async () => {
    const notary = signerOf("b.example");
    await start({ notary: { server_name: notary.name } });
    const signer = signerOf("a.example");
    web.answer(({ headers, url }, response) => {
      response.setHeader("content-type", "application/json");
      if (headers.host === signer.name) response.writeHead(503).end();
      else if (url === "/_matrix/key/v2/server") response.end(notary.keyDocument());
      else response.end(`{"server_keys":[${notary.certify(signer.keyDocument())}]}`);
    });
    expect(await proofOf(requestBy(signer))).toEqual(["claimed", "fetching"]);
    await fetched();
    expect(web.takeRequests().toSorted()).toEqual([
      `${signer.name} /_matrix/key/v2/server`,
      `${notary.name} /_matrix/key/v2/query/${encodeURIComponent(signer.name)}`,
      `${notary.name} /_matrix/key/v2/server`,
    ]);
    expect(await proofOf(requestBy(signer))).toEqual(["signature", undefined]);
  });

  it("are not asked for inside this network, whatever name leads there", async () => {
    await start({ allow_networks: [] });
    expect(await proofOf(requestBy(signerOf("a.example")))).toEqual(["claimed", "fetching"]);
    await fetched();
    expect(web.takeRequests()).toEqual([]);
    expect(metricsText(sidecar.sidecar.registry)).toContain(
      'fedtrace_key_fetches_total{kind="server",result="address"} 1',
    );
  });
});

describe("of an ActivityPub actor", () => {
  const rsa = rsaPair("one");
  const body = JSON.stringify({ type: "Follow" });

  it.each([
    { why: "a draft signature, as Mastodon sends it", sign: signByDraft },
    { why: "a signature of RFC 9421", sign: signByRfc },
  ])("$why", async ({ sign }) => {
    await start();
    const actor = `https://c.example:${web.port}/users/x`;
    const keyId = `${actor}#main-key`;
    const publicKeyPem = rsa.publicKey.export({ type: "spki", format: "pem" });
    web.answer((_request, response) =>
      response
        .setHeader("content-type", "application/activity+json")
        .end(JSON.stringify({ id: actor, publicKey: { id: keyId, owner: actor, publicKeyPem } })),
    );
    const delivery: Delivery = { url: `http://${OWN}/inbox`, host: OWN, keyId, key: rsa.privateKey, body };
    const lines = (): readonly string[] => [
      "POST /inbox HTTP/1.1",
      ...sign(delivery),
      `Content-Length: ${body.length}`,
    ];
    expect(await proofOf(lines(), body)).toEqual(["claimed", "fetching"]);
    await fetched();
    expect(await proofOf(lines(), body)).toEqual(["signature", undefined]);
    expect(await proofOf(lines(), body.replace("Follow", "Delete"))).toEqual(["claimed", "wrong"]);
  });
});
