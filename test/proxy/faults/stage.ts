/**
 * A stage for faults: a sidecar of this process between one client and one upstream, both raw sockets that do what a row says.
 *
 * Time limits pass without waiting: the sidecar's clock is put forward (`pass`). What must hold after every fault is one
 * function (`expectAftermath`): one span, one count, every socket given back, and the next request answered.
 */

import { sumOf } from "../../support/metrics.ts";
import { expect, onTestFinished } from "vitest";
import { connectPeer, type RawPeer, startRawServer, turn } from "../../http1/sockets.ts";
import { SPAN_KIND_CLIENT, SPAN_KIND_SERVER } from "../../../src/span/record.ts";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";

/** The shortest is the first head's, by which `pass` sees that all limits were looked at. */
export const LIMIT_MS = {
  head: 1000,
  body: 20_000,
  idle: 40_000,
  connect: 10_000,
  response: 30_000,
} as const;

export type Side = "inbound" | "outbound";

/** What an upstream does with a connection; `index` counts them from 0. */
export type Script = (peer: RawPeer, index: number) => void | Promise<void>;

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Answers every request as long as the connection lives, once its body of `content-length` is there. */
export const answerAll: Script = (peer) => {
  let at = 0;
  const answer = (): void => {
    for (;;) {
      const [head] = /^[^]+?\r\n\r\n/.exec(peer.received.slice(at)) ?? [];
      const end = at + (head?.length ?? 0) + Number(/^content-length: (\d+)\r$/im.exec(head ?? "")?.[1] ?? 0);
      if (head === undefined || peer.received.length < end) return;
      at = end;
      peer.send(head.startsWith("HEAD ") ? OK.slice(0, -2) : OK);
    }
  };
  peer.socket.on("data", answer);
  answer();
};

/** Writes `length` bytes as fast as they are taken. @returns how many were */
export function pour({ socket }: RawPeer, length: number): { readonly taken: number } {
  const poured = { taken: 0 };
  const piece = Buffer.alloc(65_536, "b");
  const next = (error?: Error | null): void => {
    if (error) return;
    const left = length - poured.taken;
    if (left === 0) return;
    socket.write(piece.subarray(0, left), (failed) => {
      poured.taken += Math.min(left, piece.length);
      next(failed);
    });
  };
  next();
  return poured;
}

/** Waits until a number stays as it is for some turns: every buffer on the way is full, or empty. */
export async function untilSteady(read: () => number): Promise<void> {
  let known = read();
  for (let same = 0; same < 30;) {
    await turn();
    const now = read();
    same = now === known ? same + 1 : 0;
    known = now;
  }
}

/** What was there once the dust has settled. */
export interface Aftermath {
  /** `error.type` of each span in the order they ended; undefined for none. */
  readonly errors: readonly (string | undefined)[];
  /** `http.response.status_code` of the last. */
  readonly status?: number | undefined;
  readonly resends?: number | undefined;
  /** Upstream connections that rest in the pool. */
  readonly idle?: number;
  /** Attempts with a span of their own and an error that was not the end of their exchange. */
  readonly sentAgain?: number;
}

export interface Stage {
  readonly side: Side;
  readonly sidecar: TestSidecar;
  /** Replaces what the upstream does with connections from now on. */
  perform(script: Script): void;
  /** Upstream connections so far. */
  readonly upstreams: readonly RawPeer[];
  /** A client that closes its side when the sidecar has closed its own, as clients do. */
  client(): Promise<RawPeer>;
  /** A request head in the form that the side wants. @param lines each with its CRLF */
  head(method?: string, lines?: string): string;
  /** Puts the clock forward, and waits until every limit was looked at. */
  pass(ms: number): Promise<void>;
  /** One of the sidecar's own numbers, over all labels. */
  metric(name: string): number;
}

export interface StageOptions {
  readonly script?: Script;
  readonly limits?: Readonly<Record<string, unknown>>;
  /** In the raw server's place. */
  readonly upstreamPort?: number;
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** Stopped when the test is over, without a drain. */
export async function openStage(side: Side, options: StageOptions = {}): Promise<Stage> {
  let script = options.script ?? answerAll;
  const upstreams: RawPeer[] = [];
  const server = await startRawServer();
  void (async () => {
    for (let peer = await server.peers.next(); ; peer = await server.peers.next()) {
      upstreams.push(peer);
      void script(peer, upstreams.length - 1);
    }
  })();
  const port = options.upstreamPort ?? server.port;
  const sidecar = await startInProcess(documentOf(side, port, options.limits), options.resolve);
  onTestFinished(() => sidecar.sidecar.stop());

  const connect = (): Promise<RawPeer> => connectPeer(sidecar.port[side]);
  return {
    side,
    sidecar,
    perform(next) {
      script = next;
    },
    upstreams,
    async client() {
      const client = await connect();
      client.socket.once("end", () => {
        // libuv tells a slow reader of a reset as of an end; but then the socket has no peer any more.
        const wasReset = !client.socket.writableEnded && client.socket.remoteAddress === undefined;
        if (wasReset) client.socket.destroy(new Error("ECONNRESET"));
        client.socket.end();
      });
      return client;
    },
    head(method = "GET", lines = "") {
      const authority = side === "inbound" ? "own.test" : `peer.test:${port}`;
      const target = side === "inbound" ? "/x" : `http://${authority}/x`;
      return `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${lines}\r\n`;
    },
    async pass(ms) {
      // Its own head limit is the last to be looked at, so the others were when it is closed.
      const probe = await connect();
      await turn();
      await turn();
      sidecar.advance(Math.max(ms, LIMIT_MS.head));
      await probe.ended();
      probe.socket.destroy();
    },
    metric: (name) => metric(sidecar, name),
  };
}

/** For `expect.poll`: what takes a few turns, on a machine that may be busy. */
export const FAST = { interval: 2, timeout: 5000 } as const;

function documentOf(side: Side, port: number, limits: object = {}): Record<string, unknown> {
  const listen = "127.0.0.1:0";
  const seconds = (ms: number): string => `${ms / 1000}s`;
  return {
    ...(side === "inbound"
      ? { inbound: { listen, upstream: `http://127.0.0.1:${port}` } }
      : { outbound: { listen, allow_networks: ["127.0.0.0/8"], allow_ports: [1] } }),
    limits: {
      head_timeout: seconds(LIMIT_MS.head),
      body_timeout: seconds(LIMIT_MS.body),
      idle: seconds(LIMIT_MS.idle),
      connect_timeout: seconds(LIMIT_MS.connect),
      response_timeout: seconds(LIMIT_MS.response),
      drain: "0s",
      ...limits,
    },
  };
}

/** The sum of a family's series; 0 where it has none. */
function metric({ sidecar }: TestSidecar, name: string): number {
  if (sidecar.registry.find(name.replace(/_total$/, "")) === undefined)
    throw new Error(`no such metric: ${name}`);
  return sumOf(sidecar.registry, name);
}

/** Waits until the sidecar has given back every connection but idle ones to the upstream, then looks at spans and counts. */
export async function expectSettled(stage: Stage, expected: Aftermath): Promise<void> {
  const { errors, idle = 0 } = expected;
  await expect
    .poll(
      () => ({
        clients: stage.metric("fedtrace_connections"),
        upstreams: stage.metric("fedtrace_upstream_connections"),
        waiting: stage.metric("fedtrace_upstream_queue"),
        spans: stage.sidecar.spans.length,
      }),
      FAST,
    )
    .toEqual({ clients: 0, upstreams: idle, waiting: 0, spans: errors.length });
  const { spans } = stage.sidecar;
  expect(spans.map(({ attributes }) => attributes["error.type"])).toEqual(errors);
  const kind = stage.side === "inbound" ? SPAN_KIND_SERVER : SPAN_KIND_CLIENT;
  expect(spans.map((span) => span.kind)).toEqual(errors.map(() => kind));
  const last = spans.at(-1)?.attributes;
  expect(last?.["http.response.status_code"]).toBe(expected.status);
  expect(last?.["http.request.resend_count"]).toBe(expected.resends);
  expect(stage.metric("fedtrace_errors")).toBe(
    errors.filter((error) => /[A-Z]/.test(error ?? "")).length - (expected.sentAgain ?? 0),
  );
  expect(stage.metric("fedtrace_spans_started")).toBe(errors.length);
}

/** Also sends one more request, on a connection of its own, to an upstream that is well again. */
export async function expectAftermath(stage: Stage, expected: Aftermath): Promise<void> {
  await expectSettled(stage, expected);
  stage.perform(answerAll);
  const next = await stage.client();
  next.send(stage.head("GET", "Connection: close\r\n"));
  await next.closed();
  expect(outcomeOf(next)).toBe("200 whole");
  await expect.poll(() => stage.sidecar.spans.length, FAST).toBe(expected.errors.length + 1);
}

/**
 * What a strict client makes of what it got, once its connection is over: "502 FEDTRACE_UPSTREAM_CLOSED", "200 whole",
 * "200 cut" (a clean end, but the framing says that there is more), "reset", or "nothing" (a clean end without a byte).
 */
export function outcomeOf({ received, errors }: RawPeer): string {
  if (errors.length > 0) return "reset";
  const final = received.replace(/^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/, "");
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(final) ?? [];
  const headEnd = final.indexOf("\r\n\r\n");
  if (status === undefined || headEnd === -1) return received === "" ? "nothing" : "garbage";
  const body = final.slice(headEnd + 4);
  const [, code] = /"errcode":"(FEDTRACE_\w+)"/.exec(body) ?? [];
  return `${status} ${isWhole(final.slice(0, headEnd + 2), body) ? (code ?? "whole") : "cut"}`;
}

function isWhole(head: string, body: string): boolean {
  const [, length] = /^content-length: (\d+)\r$/im.exec(head) ?? [];
  if (length !== undefined) return body.length === Number(length);
  return !/^transfer-encoding: chunked\r$/im.test(head) || body.endsWith("0\r\n\r\n");
}
