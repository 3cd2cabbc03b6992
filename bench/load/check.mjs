/**
 * What a proxy must show before it is timed: the answer's status and bytes, the request's bytes, a header that is nobody's
 * business, and, where it claims to trace, the context at the upstream and a span at the collector. With TLS and with large
 * bodies too, where the rung has them.
 *
 * A proxy that is fast because it leaves something out would win every comparison.
 */

import { createHash } from "node:crypto";
import { request } from "node:http";
import { request as requestOverTls } from "node:https";
import { setTimeout as wait } from "node:timers/promises";
import { BULK_SIZES, bulkBytes, bulkPath } from "./bulk.mjs";
import { CAPTURED, SERVER_NAME, traceIdOf } from "./captured.mjs";

/** Envoy and OpenTelemetry's batching processors send every five seconds. */
const SPAN_WAIT_MS = 12_000;
const SPAN_POLL_MS = 250;
const ANSWER_WAIT_MS = 20_000;
const VARIANT = 7;
const TRACEPARENT = /\r\ntraceparent: *00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})\r\n/i;

/** @returns {Promise<{ status: number, body: Buffer }>} */
async function send({ port, kind, tls }, { method, path, headers, body }) {
  const options = { port, host: "127.0.0.1", agent: false, method, path, headers };
  const signal = AbortSignal.timeout(ANSWER_WAIT_MS);
  return await new Promise((resolve, reject) => {
    const outgoing =
      kind === "tls"
        ? requestOverTls({ ...options, signal, ca: tls.ca, servername: tls.name })
        : request({ ...options, signal });
    outgoing.on("error", reject).on("response", (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part)).on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(parts) }));
    });
    outgoing.end(body);
  });
}

/** A captured request with headers added. */
function captured(rung, added = {}) {
  const [head, body] = CAPTURED[rung].make(VARIANT).split("\r\n\r\n");
  const [line, ...fields] = head.split("\r\n");
  const [method, path] = line.split(" ");
  const headers = { ...Object.fromEntries(fields.map((field) => field.split(": "))), ...added };
  return { method, path, headers, body: Buffer.from(body, "latin1") };
}

/**
 * @param {{ isTraced: boolean, keepsTraceId?: boolean, tracesSome?: boolean }} contestant
 * @param {{ port: number, kind?: "captured" | "tls" | "bodies", tls?: { ca: string, name: string } }} place
 * @param {() => Promise<number>} countSpans spans of this contestant since it started
 * @returns {Promise<string[]>} what is wrong; empty: it may be timed
 */
export async function findFaults(contestant, place, countSpans) {
  const faults = [];
  const expect = (isMet, fault) => {
    if (!isMet) faults.push(fault);
  };
  if (place.kind === "bodies") await checkBodies(place, expect);
  else for (const rung of Object.keys(CAPTURED)) await checkCaptured(contestant, place, rung, expect);
  if (contestant.tracesSome === true) return faults; // Which requests, its sampler says.
  if (contestant.isTraced) expect(await haveSpansCome(countSpans), "no span arrives at the collector");
  else expect((await countSpans()) === 0, "spans arrive, though it does not trace");
  return faults;
}

async function checkCaptured(contestant, place, rung, expect) {
  const { status, body } = await send(place, captured(rung));
  expect(status === 200, `${rung}: status ${status}`);
  expect(body.toString("latin1") === CAPTURED[rung].answer, `${rung}: another body`);
  const echo = await send(
    place,
    captured(rung, { "X-Bench-Echo": `nonce-${rung}`, Connection: "keep-alive" }),
  );
  const [head, sentBody] = echo.body.toString("latin1").split("\r\n\r\n");
  const hasHeader = new RegExp(`\\r\\nx-bench-echo: *nonce-${rung}\\r\\n`, "i").test(`${head}\r\n`);
  expect(hasHeader, `${rung}: a header is lost`);
  expect(
    sentBody === CAPTURED[rung].make(VARIANT).split("\r\n\r\n")[1],
    `${rung}: the request's body is changed`,
  );
  if (!contestant.isTraced) return;
  const [, traceId, flags] = TRACEPARENT.exec(`${head}\r\n`) ?? [];
  expect(flags === "01", `${rung}: no sampled traceparent at the upstream`);
  const isKept = traceId === traceIdOf(VARIANT).padStart(32, "0");
  expect(isKept || contestant.keepsTraceId !== true, `${rung}: a whitelisted peer's trace is not continued`);
}

/** Bodies of every size, both ways, by their digests. */
async function checkBodies(place, expect) {
  const headers = { Host: SERVER_NAME };
  for (const [size, { label }] of Object.entries(BULK_SIZES)) {
    const bytes = bulkBytes(Number(size));
    const path = bulkPath(size);
    const answer = await send(place, { method: "GET", path, headers });
    expect(answer.status === 200 && answer.body.equals(bytes), `${label} response: changed or cut`);
    const sent = await send(place, {
      method: "PUT",
      path,
      headers: { ...headers, "Content-Length": size, "X-Bench-Echo": "digest" },
      body: bytes,
    });
    const digest = createHash("sha256").update(bytes).digest("hex");
    expect(
      sent.status === 200 && sent.body.toString("latin1") === digest,
      `${label} request: changed or cut`,
    );
  }
}

async function haveSpansCome(countSpans) {
  for (let waitedMs = 0; waitedMs < SPAN_WAIT_MS; waitedMs += SPAN_POLL_MS) {
    if ((await countSpans()) > 0) return true;
    await wait(SPAN_POLL_MS);
  }
  return false;
}
