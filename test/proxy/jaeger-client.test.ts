/**
 * Peers and servers that still run Jaeger's retired client: what they send is continued, what we send they continue.
 * Method: both sides of the sidecar are that client itself (test/support/jaeger-client.ts), with the headers it makes and reads.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { createLegacyTracer, type LegacyContext, type LegacyTracer } from "../support/jaeger-client.ts";
import { exchangeRaw, OK_RESPONSE, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const PATH = "/_matrix/key/v2/server";
const IDS = [
  { ids: "64-bit ids", is128Bit: false },
  { ids: "128-bit ids", is128Bit: true },
] as const;

let upstream: RecordingUpstream;
let sampling: TestSidecar;
let silent: TestSidecar;
let server: LegacyTracer;

beforeAll(async () => {
  upstream = await recordingUpstream(OK_RESPONSE);
  server = createLegacyTracer({ service: "server" });
  const config = {
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
    outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
    whitelist: ["friend\\.test"],
    propagation: { formats: ["jaeger"] },
  };
  sampling = await startInProcess(config);
  silent = await startInProcess({ ...config, sampling: { type: "const", param: 0 } });
});
afterAll(async () => {
  upstream.stop();
  await Promise.all([sampling.sidecar.stop(), silent.sidecar.stop(), server.close()]);
});

/** One request in: what arrived behind us, as the client there reads it, and our span. */
async function passIn(origin: string, lines: readonly string[], sidecar = sampling) {
  const [known, spans] = [upstream.received().length, sidecar.spans.length];
  const head = [
    `GET ${PATH} HTTP/1.1`,
    "Host: own.test",
    `Authorization: X-Matrix origin="${origin}",key="ed25519:a",sig="AA"`,
    ...lines,
    "Connection: close",
  ];
  await exchangeRaw(sidecar.port.inbound, `${head.join("\r\n")}\r\n\r\n`);
  const arrived = upstream.received().slice(known);
  return { arrived, extracted: server.extract(arrived), span: sidecar.spans[spans] };
}

/** One request out of our own server, which runs the client. */
async function passOut(host: string, lines: readonly string[]) {
  const [known, spans] = [upstream.received().length, sampling.spans.length];
  const authority = `${host}:${upstream.port}`;
  const head = [`GET http://${authority}${PATH} HTTP/1.1`, `Host: ${authority}`, ...lines];
  await exchangeRaw(sampling.port.outbound, `${head.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  const arrived = upstream.received().slice(known);
  return { arrived, extracted: server.extract(arrived), span: sampling.spans[spans] };
}

/** Its ids as everybody else writes them. */
function padded({ traceIdStr, spanIdStr }: LegacyContext): {
  readonly traceId: string;
  readonly spanId: string;
} {
  return { traceId: traceIdStr.padStart(32, "0"), spanId: spanIdStr.padStart(16, "0") };
}

describe.each(IDS)("a whitelisted peer with $ids", ({ is128Bit }) => {
  const peer = createLegacyTracer({ service: "peer", is128Bit });
  afterAll(() => peer.close());

  it("has its span as the parent of ours, in its own trace", async () => {
    const request = peer.startSpan("request");
    const { span } = await passIn("friend.test", peer.inject(request));
    const theirs = padded(request.context());
    expect(span?.fields.parent).toMatchObject(theirs);
    expect(span?.fields.context.traceId).toBe(theirs.traceId);
    expect(span?.fields.attributes["fedtrace.context"]).toBe("extracted");
    // The ids are what the row says, or both rows would test the same.
    expect(request.context().traceIdStr.length > 16).toBe(is128Bit);
  });

  it("is continued by the server behind us, whose parent is our span", async () => {
    const request = peer.startSpan("request");
    const { extracted, span } = await passIn("friend.test", peer.inject(request));
    const { context } = span?.fields ?? {};
    expect(padded(extracted)).toEqual({ traceId: context?.traceId, spanId: context?.spanId });
    const handled = server.startSpan("handle", { childOf: extracted });
    expect(padded(handled.context()).traceId).toBe(padded(request.context()).traceId);
    expect(handled.context().parentIdStr?.padStart(16, "0")).toBe(context?.spanId);
    expect(handled.context().flags).toBe(1);
  });

  it("keeps its baggage to itself", async () => {
    const request = peer.startSpan("request");
    request.setBaggageItem("colour", "red");
    const lines = peer.inject(request);
    expect(lines).toContain("uberctx-colour: red");
    const { arrived, extracted, span } = await passIn("friend.test", [...lines, "jaeger-baggage: size=big"]);
    expect(arrived).not.toMatch(/uberctx|baggage|red|big/i);
    expect(extracted.baggage).toEqual({});
    expect(span?.fields.attributes["fedtrace.headers.removed"]).toBe(lines.length + 1);
  });

  it("forces nothing: debug is dropped where we sample, and is no sample where we don't", async () => {
    const request = peer.startSpan("request");
    request.setTag("sampling.priority", 1);
    expect(request.context().flags).toBe(3);
    const { extracted, span } = await passIn("friend.test", peer.inject(request));
    expect(extracted.flags).toBe(1);
    expect(span?.fields.parent?.traceId).toBe(padded(request.context()).traceId);

    const unsampled = await passIn("friend.test", peer.inject(request), silent);
    expect(unsampled.span).toBeUndefined();
    expect(unsampled.extracted.flags).toBe(0);
    expect(padded(unsampled.extracted).traceId).toBe(padded(request.context()).traceId);
  });

  it("forces nothing by a debug id", async () => {
    const { arrived, extracted, span } = await passIn("friend.test", ["jaeger-debug-id: look-at-me"], silent);
    expect(span).toBeUndefined();
    expect(arrived).not.toMatch(/jaeger-debug-id|look-at-me/);
    expect(extracted.flags).toBe(0);
  });
});

describe.each(IDS)("a stranger with $ids", ({ is128Bit }) => {
  const peer = createLegacyTracer({ service: "peer", is128Bit });
  afterAll(() => peer.close());

  it("is in a trace of its own, and nothing it sent gets behind us", async () => {
    const request = peer.startSpan("request");
    request.setBaggageItem("colour", "red");
    const { arrived, extracted, span } = await passIn("stranger.test", peer.inject(request));
    const theirs = padded(request.context());
    expect(span?.fields.parent).toBeUndefined();
    expect(span?.fields.attributes["fedtrace.context"]).toBe("restarted");
    expect(padded(extracted)).toMatchObject({ traceId: span?.fields.context.traceId });
    expect(extracted.traceIdStr).not.toBe(theirs.traceId);
    expect(arrived).not.toContain(request.context().traceIdStr);
    expect(arrived).not.toMatch(/uberctx|red/);
  });
});

describe.each(IDS)("our own server with $ids", ({ is128Bit }) => {
  const own = createLegacyTracer({ service: "own", is128Bit });
  afterAll(() => own.close());

  it("is continued to a whitelisted host: own server, our span, their server", async () => {
    const request = own.startSpan("request");
    request.setBaggageItem("colour", "red");
    const { arrived, extracted, span } = await passOut("friend.test", own.inject(request));
    expect(span?.fields.parent).toMatchObject(padded(request.context()));
    expect(padded(extracted)).toEqual({
      traceId: padded(request.context()).traceId,
      spanId: span?.fields.context.spanId,
    });
    expect(arrived).not.toMatch(/uberctx|red/);
  });

  it("is not shown to any other host", async () => {
    const request = own.startSpan("request");
    const { arrived, extracted, span } = await passOut("elsewhere.test", own.inject(request));
    expect(span?.fields.parent).toMatchObject(padded(request.context()));
    expect(arrived).not.toMatch(/uber/i);
    expect(extracted.traceIdStr).toBeFalsy();
  });
});
