/**
 * The 69 requests captured between two real Synapse servers pass byte for byte, but for what the contract takes
 * away and adds; the same for their responses.
 *
 * Method: each capture is sent as it was on the wire. What must come out is made from what went in by a second,
 * naive way (split into lines, filter, append), so the test does not lean on the code it tests.
 */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

interface Capture {
  readonly dir: "in" | "out";
  readonly target: string;
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly bodyBytes: number;
  readonly status: number;
  readonly respHeaders: readonly string[];
  readonly respBytes: number;
}

const NO_ANSWER = { bodyBytes: 0, respHeaders: [], respBytes: 0 };

const captures = readFileSync("test/fixtures/matrix-requests.jsonl", "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line, index) => {
    // One capture was answered by the capturing proxy itself: it has a request only, so an answer is made up.
    const { status, ...capture } = { ...NO_ANSWER, ...(JSON.parse(line) as Partial<Capture>) };
    return { ...(capture as Capture), index, status: typeof status === "number" ? status : 404 };
  });

/** What the contract takes from requests of these captures (rules 3 and 9), by lower-case name. */
const TAKEN_FROM_REQUESTS = new Set([
  "uber-trace-id",
  "uberctx-synapse-force-tracing",
  "connection",
  "proxy-authorization",
]);
/** What it takes from responses towards a peer that is not whitelisted (rule 8), and of this hop (rule 9). */
const TAKEN_FROM_RESPONSES = new Set(["synapse-trace-id", "connection", "keep-alive"]);
const TRACE_LINES =
  /^(?:traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]|uber-trace-id: [0-9a-f]{32}:[0-9a-f]{16}:0:[01]|b3: [0-9a-f]{32}-[0-9a-f]{16}-[01])$/;

let sidecar: TestSidecar;
let upstream: RecordingUpstream;
let response = "";

beforeAll(async () => {
  upstream = await recordingUpstream(() => response);
  sidecar = await startInProcess({
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}` },
    outbound: { listen: "127.0.0.1:0", shared_secret: "s", allow_networks: ["127.0.0.0/8"] },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
});

/** Name and value as the capture has them, in lines. */
function linesOf(rawHeaders: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return lines;
}

function without(lines: readonly string[], taken: ReadonlySet<string>): readonly string[] {
  return lines.filter((line) => !taken.has(line.slice(0, line.indexOf(":")).toLowerCase()));
}

/** A body of the captured length; every byte value occurs. */
function bodyOf(length: number): string {
  return Array.from({ length }, (_, at) => String.fromCharCode((at * 7) % 256)).join("");
}

function framed(lines: readonly string[], length: number): string {
  const body = bodyOf(length);
  const isChunked = lines.some((line) => /^transfer-encoding: chunked$/i.test(line));
  if (!isChunked) return body;
  const half = length >> 1;
  const parts = [body.slice(0, half), body.slice(half)].filter((part) => part !== "");
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
}

describe.each(captures)("capture $index: $dir $method $path", (capture) => {
  const isInbound = capture.dir === "in";
  // Captures of the other ways out carry no secret; those of this one carry another.
  const sent = linesOf(capture.rawHeaders).filter((line) => !line.startsWith("Proxy-Authorization"));
  const answered = linesOf(capture.respHeaders);
  const hasLength = answered.some((line) => /^(?:content-length|transfer-encoding):/i.test(line));

  it("arrives as it was sent", async () => {
    const known = upstream.received().length;
    const head = [...answered, ...(hasLength ? [] : [`Content-Length: ${capture.respBytes}`])];
    response = `HTTP/1.1 ${capture.status} Any Reason\r\n${head.join("\r\n")}\r\n\r\n${framed(head, capture.respBytes)}`;
    const hasFraming = sent.some((line) => /^(?:content-length|transfer-encoding):/i.test(line));
    const lines = [
      ...sent.filter((line) => !/^connection:/i.test(line)),
      ...(capture.bodyBytes > 0 && !hasFraming ? [`Content-Length: ${capture.bodyBytes}`] : []),
      ...(isInbound ? [] : ["Proxy-Authorization: Bearer s"]),
      "Connection: close",
    ];
    // The way out of this issue is http: the capture's name leads to the recording upstream, whatever its port.
    const host = isInbound ? undefined : `hs2.test:${upstream.port}`;
    const target = isInbound ? capture.path : `http://${host ?? ""}${capture.path}`;
    const body = framed(lines, capture.bodyBytes);
    const received = await exchangeRaw(
      sidecar.port[isInbound ? "inbound" : "outbound"],
      `${capture.method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`,
    );

    const arrived = upstream.received().slice(known);
    const [arrivedHead, arrivedBody] = splitHead(arrived);
    const [requestLine, ...arrivedLines] = arrivedHead.split("\r\n");
    expect(requestLine).toBe(`${capture.method} ${capture.path} HTTP/1.1`);
    const added = isInbound
      ? [`x-forwarded-for: 127.0.0.1`, `x-forwarded-proto: http`, `x-forwarded-host: ${capture.target}`]
      : [];
    const kept = without(lines, TAKEN_FROM_REQUESTS).filter((line) => isInbound || !/^host:/i.test(line));
    const hostLine = isInbound ? [] : [`host: ${host ?? ""}`];
    const traceLines = arrivedLines.filter((line) => TRACE_LINES.test(line));
    expect(arrivedLines).toEqual([...kept, ...hostLine, ...added, ...traceLines]);
    expect(traceLines).toHaveLength(isInbound ? 3 : 0);
    expect(arrivedBody).toBe(body);

    const [receivedHead, receivedBody] = splitHead(received);
    expect(receivedHead.split("\r\n")).toEqual([
      `HTTP/1.1 ${capture.status} Any Reason`,
      ...without(head, TAKEN_FROM_RESPONSES),
      "connection: close",
    ]);
    const isBodiless = capture.method === "HEAD" || capture.status === 204 || capture.status === 304;
    expect(receivedBody).toBe(isBodiless ? "" : framed(head, capture.respBytes));
  });
});

function splitHead(text: string): [head: string, body: string] {
  const end = text.indexOf("\r\n\r\n");
  return [text.slice(0, end), text.slice(end + 4)];
}
