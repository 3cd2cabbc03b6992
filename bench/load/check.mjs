/**
 * What a proxy must show before it is timed: the answer's status and bytes, the request's bytes, a header that is nobody's
 * business, and, where it claims to trace, the context at the upstream and a span at the collector.
 *
 * A proxy that is fast because it leaves something out would win every comparison.
 */

import { Agent, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { CAPTURED, traceIdOf } from "./captured.mjs";

/** Envoy and OpenTelemetry's batching processors send every five seconds. */
const SPAN_WAIT_MS = 12_000;
const SPAN_POLL_MS = 250;
const VARIANT = 7;
const TRACEPARENT = /\r\ntraceparent: *00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})\r\n/i;

/** Sends a captured request with headers added. @returns {Promise<{ status: number, body: string }>} */
async function send(port, rung, added = {}) {
  const [head, body] = CAPTURED[rung].make(VARIANT).split("\r\n\r\n");
  const [line, ...fields] = head.split("\r\n");
  const [method, path] = line.split(" ");
  const headers = Object.fromEntries(fields.map((field) => field.split(": ")));
  const agent = new Agent({ keepAlive: false });
  const { promise, resolve, reject } = withResolvers();
  const outgoing = request({
    port,
    host: "127.0.0.1",
    agent,
    method,
    path,
    headers: { ...headers, ...added },
  });
  outgoing.on("error", reject).on("response", (response) => {
    let text = "";
    response.setEncoding("latin1").on("data", (part) => (text += part));
    response.on("end", () => resolve({ status: response.statusCode, body: text })).on("error", reject);
  });
  outgoing.end(body, "latin1");
  return await promise;
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/**
 * @param {{ isTraced: boolean, keepsTraceId?: boolean, name: string }} contestant
 * @param {number} port
 * @param {() => Promise<number>} countSpans spans of this contestant since the last call
 * @returns {Promise<string[]>} what is wrong; empty: it may be timed
 */
export async function findFaults(contestant, port, countSpans) {
  const faults = [];
  const expect = (isMet, fault) => {
    if (!isMet) faults.push(fault);
  };
  await countSpans();
  for (const rung of Object.keys(CAPTURED)) {
    const { status, body } = await send(port, rung);
    expect(status === 200, `${rung}: status ${status}`);
    expect(body === CAPTURED[rung].answer, `${rung}: another body`);
    const echo = await send(port, rung, { "X-Bench-Echo": `nonce-${rung}`, Connection: "keep-alive" });
    const [head, sentBody] = echo.body.split("\r\n\r\n");
    expect(
      new RegExp(`\\r\\nx-bench-echo: *nonce-${rung}\\r\\n`, "i").test(`${head}\r\n`),
      `${rung}: a header is lost`,
    );
    expect(
      sentBody === CAPTURED[rung].make(VARIANT).split("\r\n\r\n")[1],
      `${rung}: the request's body is changed`,
    );
    if (!contestant.isTraced) continue;
    const [, traceId, flags] = TRACEPARENT.exec(`${head}\r\n`) ?? [];
    expect(flags === "01", `${rung}: no sampled traceparent at the upstream`);
    const isKept = traceId === traceIdOf(VARIANT).padStart(32, "0");
    expect(
      isKept || contestant.keepsTraceId !== true,
      `${rung}: a whitelisted peer's trace is not continued`,
    );
  }
  if (contestant.isTraced) expect(await haveSpansCome(countSpans), "no span arrives at the collector");
  else expect((await countSpans()) === 0, "spans arrive, though it does not trace");
  return faults;
}

async function haveSpansCome(countSpans) {
  for (let waitedMs = 0; waitedMs < SPAN_WAIT_MS; waitedMs += SPAN_POLL_MS) {
    if ((await countSpans()) > 0) return true;
    await wait(SPAN_POLL_MS);
  }
  return false;
}
