/**
 * `authenticate: signature` over real sockets: whose context counts, what is held and for how long, and that nothing is ever in a
 * request's way. Keys come from the test (its peers have no TLS); proof-keys.test.ts fetches them as they are fetched. What is
 * tried against it is in test/attacks/forged-proof.test.ts.
 */

import { metricsText } from "../support/metrics.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMatrixSigner, type MatrixSigner } from "../support/matrix-signer.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, rawClient, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT = `traceparent: 00-${TRACE_ID}-00f067aa0ba902b7-01`;
const URI = "/_matrix/federation/v1/send/1?a=%21b";
const OWN = "own.test";

const friend = createMatrixSigner("friend.test:8448");
const stranger = createMatrixSigner("stranger.test");
const forger = createMatrixSigner(friend.name, friend.keyId);

let upstream: RecordingUpstream;
let asked: string[];
let publishing: readonly MatrixSigner[];
let sidecar: TestSidecar;

beforeEach(async () => {
  upstream = await recordingUpstream();
  asked = [];
  publishing = [friend, stranger];
});
afterEach(async () => {
  await sidecar.sidecar.stop();
  upstream.stop();
});

/** @param inbound more keys of it */
async function start(inbound: object = {}, whitelist: readonly unknown[] = ["friend\\.test"]): Promise<void> {
  sidecar = await startInProcess(documentOf(inbound, whitelist), undefined, ({ name }) => {
    asked.push(name);
    return Promise.resolve(publishing.find((signer) => signer.name === name)?.keyDocument());
  });
}

function documentOf(inbound: object, whitelist: readonly unknown[]): Readonly<Record<string, unknown>> {
  return {
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}`, ...inbound },
    whitelist,
    admin: { listen: "127.0.0.1:0" },
  };
}

interface Sent {
  readonly method?: string;
  readonly signer?: MatrixSigner;
  readonly body?: string;
  readonly lines?: readonly string[];
  readonly authorization?: string;
}

function requestOf({ method = "GET", signer = friend, body, lines = [], authorization }: Sent): string {
  const content = body === undefined ? {} : { content: JSON.parse(body) as unknown };
  const parts = { method, uri: URI, destination: OWN, ...content };
  return [
    `${method} ${URI} HTTP/1.1`,
    `Host: ${OWN}`,
    "Connection: close",
    `Authorization: ${authorization ?? signer.authorize(parts)}`,
    TRACEPARENT,
    ...(body === undefined || lines.some((line) => /^transfer/i.test(line))
      ? []
      : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...lines,
    "",
    body ?? "",
  ].join("\r\n");
}

/** What a request came to: its answer's status, and what its span says. */
async function send(request: string): Promise<Readonly<Record<string, unknown>>> {
  const known = sidecar.spans.length;
  const answer = await exchangeRaw(sidecar.port.inbound, Buffer.from(request).toString("latin1"));
  const span = (await sidecar.spansOf(known + 1))[known];
  const { context, attributes } = span?.fields ?? {};
  return {
    status: Number(answer.split(" ")[1]),
    isJoined: context?.traceId === TRACE_ID,
    proof: attributes?.["fedtrace.peer.proof"],
    isWhitelisted: attributes?.["fedtrace.whitelisted"],
    context: attributes?.["fedtrace.context"],
    refusal: attributes?.["fedtrace.peer.proof_refused"],
  };
}

const PROVEN = {
  status: 200,
  isJoined: true,
  proof: "signature",
  isWhitelisted: true,
  context: "extracted",
  refusal: undefined,
};
const unproven = (refusal: string | undefined) => ({
  status: 200,
  isJoined: false,
  proof: "claimed",
  isWhitelisted: false,
  context: "restarted",
  refusal,
});

const BODY =
  '{"pdus": [], "origin": "friend.test:8448",\n "edus": [{"edu_type": "m.typing", "content": {"é": 1}}]}';
const CHUNKED_BODY = [...BODY.matchAll(/[^]{1,20}/g)].map(([piece]) => {
  return `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`;
});

describe("with the key at hand", () => {
  beforeEach(async () => {
    await start();
    expect(await sidecar.sidecar.learnKeys(friend.name)).toBe(true);
  });

  it.each([
    { why: "a GET that its origin signed", sent: {}, outcome: PROVEN },
    {
      why: "a PUT whose JSON is not in its canonical form",
      sent: { method: "PUT", body: BODY },
      outcome: PROVEN,
    },
    {
      why: "the same from an older server, which names no destination",
      sent: {
        authorization: friend
          .authorize({ method: "GET", uri: URI, destination: OWN })
          .replace(/,destination=.*/, ""),
      },
      outcome: PROVEN,
    },
    {
      why: "two lines of one origin, of which one is right",
      sent: {
        lines: [
          `Authorization: X-Matrix origin="${friend.name}",key="ed25519:other",sig="${"A".repeat(86)}"`,
        ],
      },
      outcome: PROVEN,
    },
    { why: "a forged name", sent: { signer: forger }, outcome: unproven("wrong") },
    {
      why: "a body that has no canonical form",
      sent: { method: "PUT", body: '{"depth": 1.5}' },
      outcome: unproven("body"),
    },
    {
      why: "a body whose sender waits for a 100",
      sent: { method: "PUT", body: BODY, lines: ["Expect: 100-continue"] },
      outcome: unproven("expect"),
    },
  ] satisfies readonly { why: string; sent: Sent; outcome: object }[])("$why", async ({ sent, outcome }) => {
    expect(await send(requestOf(sent))).toEqual(outcome);
  });

  it("forwards a chunked body as it came, once all of it is verified", async () => {
    const body = `${CHUNKED_BODY.join("")}0\r\n\r\n`;
    const head = requestOf({ method: "PUT", body: BODY, lines: ["Transfer-Encoding: chunked"] });
    const client = await rawClient(sidecar.port.inbound);
    client.send(head.slice(0, -BODY.length));
    client.socket.write(body.slice(0, 30));
    client.socket.write(body.slice(30));
    await client.closed();
    const [span] = await sidecar.spansOf(1);
    expect(span?.fields.attributes["fedtrace.peer.proof"]).toBe("signature");
    expect(Buffer.from(upstream.received(), "latin1").toString()).toContain(`\r\n\r\n${body}`);
  });

  it("lets nothing of a request leave before its body's end", async () => {
    const request = Buffer.from(requestOf({ method: "PUT", body: BODY }));
    const client = await rawClient(sidecar.port.inbound);
    client.socket.write(request.subarray(0, -1));
    // Another request goes its whole way meanwhile.
    expect(await send(requestOf({}))).toEqual(PROVEN);
    expect(upstream.received()).not.toContain("PUT");
    client.socket.write(request.subarray(-1));
    await client.closed();
    expect(upstream.received()).toContain("PUT");
    expect(upstream.received()).toContain(`-${TRACE_ID}-`);
  });

  it("ends a held request whose client goes away with a span, and sends nothing", async () => {
    const request = Buffer.from(requestOf({ method: "PUT", body: BODY }));
    const client = await rawClient(sidecar.port.inbound);
    client.socket.write(request.subarray(0, -1));
    client.socket.end();
    const [span] = await sidecar.spansOf(1);
    expect(span?.fields.error).toBe("CLIENT_ABORTED");
    expect(upstream.received()).toBe("");
  });

  it("tells of forged names once a minute for each, and counts them all", async () => {
    for (let at = 0; at < 3; at++) await send(requestOf({ signer: forger }));
    const told = (): number => sidecar.logged.filter((line) => line.includes("does not prove it")).length;
    expect(told()).toBe(1);
    expect(sidecar.logged.find((line) => line.includes("does not prove it"))).toContain(friend.name);
    sidecar.advance(59_000);
    await send(requestOf({ signer: forger }));
    expect(told()).toBe(1);
    sidecar.advance(1000);
    await send(requestOf({ signer: forger }));
    expect(told()).toBe(2);
    expect(metricsText(sidecar.sidecar.registry)).toContain('fedtrace_proofs_total{result="wrong"} 5');
  });

  it("tells by whose name a forger came", async () => {
    await send(requestOf({ signer: forger }));
    expect(metricsText(sidecar.sidecar.registry)).toContain(
      `fedtrace_peer_forged_names_total{peer="${friend.name}",reason="wrong"} 1`,
    );
  });
});

describe("with a body limit", () => {
  it.each([
    { why: "as long as may be", limit: Buffer.byteLength(BODY), outcome: PROVEN },
    { why: "a byte longer", limit: Buffer.byteLength(BODY) - 1, outcome: unproven("body-size") },
    { why: "none held at all", limit: 0, outcome: unproven("body-size") },
  ])("a body $why", async ({ limit, outcome }) => {
    await start({ authenticate_body_limit: `${limit}B` });
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({ method: "PUT", body: BODY }))).toEqual(outcome);
    expect(Buffer.from(upstream.received(), "latin1").toString()).toContain(BODY);
  });

  it("of 0 a chunked body's head does not wait for its first byte", async () => {
    await start({ authenticate_body_limit: "0B" });
    await sidecar.sidecar.learnKeys(friend.name);
    const client = await rawClient(sidecar.port.inbound);
    client.send(
      requestOf({ method: "PUT", lines: ["Transfer-Encoding: chunked"], body: "{}" }).slice(0, -"{}".length),
    );
    await expect.poll(() => upstream.received()).toContain("PUT ");
    client.socket.destroy();
  });

  it("a chunked body that grows beyond it goes on as it comes", async () => {
    await start({ authenticate_body_limit: "50B" });
    await sidecar.sidecar.learnKeys(friend.name);
    const client = await rawClient(sidecar.port.inbound);
    client.send(
      requestOf({ method: "PUT", body: BODY, lines: ["Transfer-Encoding: chunked"] }).slice(0, -BODY.length),
    );
    for (const piece of CHUNKED_BODY) client.socket.write(piece);
    client.send("0\r\n\r\n");
    await client.closed();
    const [span] = await sidecar.spansOf(1);
    expect(span?.fields.attributes["fedtrace.peer.proof_refused"]).toBe("body-size");
    expect(Buffer.from(upstream.received(), "latin1").toString()).toContain(
      `${CHUNKED_BODY.join("")}0\r\n\r\n`,
    );
  });
});

it("looks at no longer body for a while where forged ones have cost too much", async () => {
  await start({ authenticate_body_limit: "1MiB" });
  await sidecar.sidecar.learnKeys(friend.name);
  const long = JSON.stringify({ edus: ["x".repeat(600_000)] });
  const usual = JSON.stringify({ edus: ["x".repeat(5000)] });
  expect(await send(requestOf({ signer: forger, method: "PUT", body: long }))).toEqual(unproven("wrong"));
  expect(await send(requestOf({ method: "PUT", body: usual }))).toEqual(unproven("busy"));
  expect(await send(requestOf({ method: "PUT", body: BODY }))).toEqual(PROVEN);
  sidecar.advance(1000);
  expect(await send(requestOf({ method: "PUT", body: usual }))).toEqual(PROVEN);
});

describe("without the key", () => {
  it("begins a new trace and asks for the key behind it; the next request is proven", async () => {
    await start();
    expect(await send(requestOf({}))).toEqual(unproven("fetching"));
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({}))).toEqual(PROVEN);
    expect(asked).toEqual([friend.name]);
  });

  it("never waits for it, however long it takes", async () => {
    sidecar = await startInProcess(
      documentOf({}, ["friend\\.test"]),
      undefined,
      () => new Promise(() => undefined),
    );
    expect(await send(requestOf({}))).toEqual(unproven("fetching"));
    expect(await send(requestOf({ method: "PUT", body: BODY }))).toEqual(unproven("fetching"));
  });

  it("that its origin does not publish leaves it alone for a while", async () => {
    publishing = [];
    await start();
    await send(requestOf({}));
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({}))).toEqual(unproven("unknown"));
    expect(asked.length).toBe(1);
  });

  it("asks for nobody's key whom the whitelist does not name", async () => {
    await start();
    expect(await send(requestOf({ signer: stranger }))).toEqual(unproven(undefined));
    expect(asked).toEqual([]);
  });
});

describe("what an entry asks for", () => {
  const STRICT = [{ regex: "friend\\.test", authenticate: "signature" }, "stranger\\.test"];

  it("counts where it is more", async () => {
    await start({ authenticate: "claimed" }, STRICT);
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({ signer: forger }))).toEqual(unproven("wrong"));
    expect(await send(requestOf({}))).toEqual(PROVEN);
    expect(await send(requestOf({ signer: stranger }))).toEqual({ ...PROVEN, proof: "claimed" });
  });

  it("is no less than what all need", async () => {
    await start({}, [{ regex: "friend\\.test", authenticate: "claimed" }]);
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({ signer: forger }))).toEqual(unproven("wrong"));
  });

  it("is met by what proves more", async () => {
    await start({ authenticate: "network", networks: { "elsewhere.test": ["10.0.0.0/8"] } });
    await sidecar.sidecar.learnKeys(friend.name);
    expect(await send(requestOf({}))).toEqual(PROVEN);
  });
});

it("looks at no signature where claimed is enough", async () => {
  await start({ authenticate: "claimed" });
  expect(await send(requestOf({ signer: forger }))).toEqual({ ...PROVEN, proof: "claimed" });
  expect(asked).toEqual([]);
});

it("takes a reload over: from then on names are proven, by keys that stay", async () => {
  await start();
  await sidecar.sidecar.learnKeys(friend.name);
  await sidecar.reload(documentOf({ authenticate: "claimed" }, ["friend\\.test"]));
  expect(await send(requestOf({ signer: forger }))).toMatchObject({ isJoined: true, proof: "claimed" });
  await sidecar.reload(documentOf({}, ["friend\\.test"]));
  expect(await send(requestOf({ signer: forger }))).toEqual(unproven("wrong"));
  expect(await send(requestOf({}))).toEqual(PROVEN);
  expect(asked.length).toBe(1);
});
