/**
 * Two servers that sample the same traces at different rates, and what has to be true of the spans that they keep:
 *
 * ```
 *   A's server ──► A outbound, CLIENT span ──► B inbound, SERVER span ──► B's server
 * ```
 * Worked out here from each trace's R alone, with numbers in the place of the texts that src/sampling compares.
 * Not here: how spans get here, which differs (files, Jaeger, observers).
 */

import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { OK_RESPONSE, type RecordingUpstream, recordingUpstream } from "./wire.ts";

export interface KeptSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for a root. */
  readonly parentSpanId: string | undefined;
  /** OTLP's numbers: 2 is SERVER, 3 is CLIENT. */
  readonly kind: number;
  readonly traceState: string;
}

/** A share of all traces, and the threshold that goes with it: what a span says of it, by hand. */
export interface Rate {
  readonly probability: number;
  readonly said: string;
}

export const TENTH: Rate = { probability: 0.1, said: "e6666666666666" };
export const HALF: Rate = { probability: 0.5, said: "8" };

/** What A's server does: `new`: it knows of no traces; `own`: it sends contexts, unsampled, half of them with an R of their own. */
export type Contexts = "new" | "own";

export interface AgreementLoad {
  /** Heads of requests, each a trace of its own. */
  readonly heads: Iterable<string>;
  /** The context that went with each, by trace id; none of `new`. */
  readonly sent: ReadonlyMap<string, SentContext>;
}

interface SentContext {
  readonly spanId: string;
  /** Undefined: the trace id says R. */
  readonly rv: string | undefined;
}

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");

/** @param authority of B, as A's server asks for it */
export function agreementLoad(count: number, authority: string, contexts: Contexts): AgreementLoad {
  const sent = new Map<string, SentContext>();
  const lines = [
    `GET http://${authority}/_matrix/key/v2/server HTTP/1.1`,
    `Host: ${authority}`,
    'Authorization: X-Matrix origin="a.test",key="ed25519:1",sig="c2ln"',
  ];
  function contextLines(index: number): readonly string[] {
    if (contexts === "new") return [];
    const traceId = hex(16);
    const context = { spanId: hex(8), rv: index % 2 === 0 ? undefined : hex(7) };
    sent.set(traceId, context);
    return [
      `traceparent: 00-${traceId}-${context.spanId}-${index % 4 < 2 ? "00" : "02"}`,
      ...(context.rv === undefined ? [] : [`tracestate: ot=rv:${context.rv},a=1`]),
    ];
  }
  function* heads(): Generator<string> {
    for (let index = 0; index < count; index++) {
      yield [...lines, ...contextLines(index), "", ""].join("\r\n");
    }
  }
  return { heads: heads(), sent };
}

export interface ServerBehind extends RecordingUpstream {
  /** `traceparent` of each request that came, in turn. */
  readonly traceparents: readonly string[];
}

/** B's server, which every trace reaches, kept or not. */
export async function serverBehind(): Promise<ServerBehind> {
  const traceparents: string[] = [];
  const upstream = await recordingUpstream((head) => {
    traceparents.push(/\r\ntraceparent: (\S+)\r\n/i.exec(head)?.[1] ?? "none");
    return OK_RESPONSE;
  });
  return { ...upstream, traceparents };
}

export interface Agreement {
  readonly load: AgreementLoad;
  /** The number of them is the number of traces. */
  readonly traceparents: readonly string[];
  readonly a: { readonly rate: Rate; readonly spans: readonly KeptSpan[] };
  readonly b: { readonly rate: Rate; readonly spans: readonly KeptSpan[] };
}

/** What came of it, for a test's own eyes. */
export interface AgreementCounts {
  readonly a: number;
  readonly b: number;
  readonly both: number;
}

const CLIENT = 3;
const SERVER = 2;
/** Once in two million. */
const SIGMAS = 5;

/** Fails where the two do not agree. */
export function expectAgreement({ load: { sent }, traceparents, a, b }: Agreement): AgreementCounts {
  const arrived = traceparents.map((text) => /^00-([0-9a-f]{32})-[0-9a-f]{16}-(0[0-3])$/.exec(text) ?? []);
  const traceIds = arrived.map(([, traceId = "none"]) => traceId);
  expect(new Set(traceIds).size).toBe(traceparents.length);

  const rOf = (traceId: string): string => sent.get(traceId)?.rv ?? traceId.slice(-14);
  const keptBy = ({ probability }: Rate): readonly string[] => {
    const rejected = 2n ** 56n - BigInt(Math.round(probability * 2 ** 56));
    return traceIds.filter((traceId) => BigInt(`0x${rOf(traceId)}`) >= rejected).toSorted();
  };
  for (const [{ rate, spans }, kind] of [
    [a, CLIENT],
    [b, SERVER],
  ] as const) {
    expect(spans.map(({ traceId }) => traceId).toSorted()).toEqual(keptBy(rate));
    expect(spans.every((span) => span.kind === kind)).toBe(true);
    const states = spans.map(({ traceId, traceState }) => [traceId, traceState]);
    expect(states).toEqual(
      spans.map(({ traceId }) => [traceId, stateOf(rate, sent.get(traceId)?.rv)] as const),
    );
    expectShare(spans, rate, traceparents.length);
  }

  // B's server is told what B kept.
  const flagged = arrived.flatMap(([, traceId = "", flags = ""]) =>
    Number(flags) % 2 === 1 ? [traceId] : [],
  );
  expect(flagged.toSorted()).toEqual(keptBy(b.rate));

  const ofA = new Map(a.spans.map((span) => [span.traceId, span]));
  const ofB = new Map(b.spans.map((span) => [span.traceId, span]));
  const [fewer, more] = a.rate.probability < b.rate.probability ? [ofA, ofB] : [ofB, ofA];
  expect([...fewer.keys()].filter((traceId) => !more.has(traceId))).toEqual([]);
  const unlinked = [...fewer.keys()].filter(
    (traceId) => ofB.get(traceId)?.parentSpanId !== ofA.get(traceId)?.spanId,
  );
  expect(unlinked).toEqual([]);
  expect(a.spans.filter(({ traceId, parentSpanId }) => parentSpanId !== sent.get(traceId)?.spanId)).toEqual(
    [],
  );
  // Whose parent A has not kept has one all the same.
  expect(b.spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toEqual([]);
  return { a: ofA.size, b: ofB.size, both: fewer.size };
}

function stateOf({ said }: Rate, rv: string | undefined): string {
  return rv === undefined ? `ot=th:${said}` : `ot=th:${said};rv:${rv},a=1`;
}

/** The number of spans, and the number of traces that they say there were: each counts for 1 / its probability. */
function expectShare(spans: readonly KeptSpan[], { probability: p }: Rate, count: number): void {
  const sigma = Math.sqrt(count * p * (1 - p));
  expect(Math.abs(spans.length - count * p)).toBeLessThan(SIGMAS * sigma);
  const estimated = spans.reduce((sum, { traceState }) => sum + 1 / probabilityIn(traceState), 0);
  expect(Math.abs(estimated - count)).toBeLessThan((SIGMAS * sigma) / p);
}

function probabilityIn(traceState: string): number {
  const th = /^ot=th:([0-9a-f]{1,14})(?:[;,]|$)/.exec(traceState)?.[1] ?? "none";
  return 1 - Number(`0x${th.padEnd(14, "0")}`) / 2 ** 56;
}
