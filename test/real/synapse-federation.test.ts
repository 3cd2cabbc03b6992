/**
 * Two real Synapse servers that federate through fedtrace, each behind one of its own, and what Jaeger and the wire then tell:
 *
 * ```
 *   Synapse A ──► sidecar A ──TLS──► recorder ──TLS──► sidecar B ──► Synapse B      and the same way back
 *       └───────────────────TLS──────────┘   direct: without a sidecar on the way out
 * ```
 * Both Synapses give context to anybody and take it from anybody: what is held back, fedtrace held back.
 */

import { beforeAll, describe, expect, it } from "vitest";
import { contextNamesIn, type Hop, hopsBetween, isKeyRequest, partByProof } from "./federation-hops.ts";
import { federationRequestsTo, INSTALL_TIMEOUT_MS, TIMED_MESSAGES } from "./homeserver-pair.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { findSynapse } from "./synapse-python.ts";
import { ASKED_BOTH_WAYS, ASKED_OF_A, BOTH, runPair, type WayOut } from "./synapse-sidecars.ts";

/** Building Jaeger takes longer than installing Synapse; both happen once. */
const BUILD_TIMEOUT_MS = 40 * 60_000 + INSTALL_TIMEOUT_MS;
/** Each is hundreds of spans where Synapse is traced. */
const MESSAGES = 3;

/** Without a sidecar on the way out, too: what Synapse does by itself is the measure of the others. */
const WAYS_OUT: readonly WayOut[] = ["direct", "federation-proxy", "connect"];

const HANDLED = "receiver's Synapse: incoming-federation-request";
const RECEIVED = "receiver's sidecar: server";
const PASSED_ON = "sender's sidecar: client";
const SENT = "sender's Synapse: outgoing-federation-request";

/** What crosses the border is Synapse's own without a sidecar on the way out, and the sidecar's with one. */
interface Expected {
  /** From the receiving sidecar back to the sender. */
  readonly crossing: readonly string[];
  /** Header lines of requests, to a server that is whitelisted. */
  readonly names: readonly string[];
  /** Header lines of requests, to a server that is not. */
  readonly strangersNames: readonly string[];
  /** `fedtrace.context` of those at the receiving sidecar, and how many lines it took from request and answer. */
  readonly strangersContext: "restarted" | "absent";
  readonly strangersRemoved: number;
}

const BY_SIDECAR: Expected = {
  crossing: [RECEIVED, PASSED_ON, SENT],
  names: ["b3", "traceparent", "uber-trace-id"],
  strangersNames: [],
  strangersContext: "absent",
  strangersRemoved: 1, // Synapse-Trace-Id, from the answer.
};
const EXPECTED: Readonly<Record<WayOut, Expected>> = {
  direct: {
    crossing: [RECEIVED, SENT],
    names: ["uber-trace-id"],
    strangersNames: ["uber-trace-id"],
    strangersContext: "restarted",
    strangersRemoved: 2, // And Uber-Trace-Id from the request.
  },
  "federation-proxy": BY_SIDECAR,
  connect: BY_SIDECAR,
};

let programs: { readonly python: string; readonly jaegerProgram: string };
beforeAll(async () => {
  programs = { jaegerProgram: await findJaeger(), python: (await findSynapse()).path };
}, BUILD_TIMEOUT_MS);

describe.each(WAYS_OUT)("way out %s", (wayOut) => {
  const expected = EXPECTED[wayOut];

  it("makes one trace of a request, over both servers and the sidecars between", async () => {
    const options = { ...programs, wayOut, isSynapseTraced: true, whitelist: [BOTH] };
    const { a, b, jaeger, dns } = await runPair(options, MESSAGES);
    const toB = await hopsBetween(jaeger, { sender: a, receiver: b }, "receiver");
    const toA = await hopsBetween(jaeger, { sender: b, receiver: a }, "receiver");
    expect(operationsOf(toB)).toEqual(expect.arrayContaining(ASKED_BOTH_WAYS));
    expect(operationsOf(toA)).toEqual(expect.arrayContaining([...ASKED_BOTH_WAYS, ...ASKED_OF_A]));
    for (const { proven, before } of [toB, toA].map(partByProof)) {
      expect(proven.length).toBeGreaterThan(before.length);
      for (const hop of proven) {
        expect(hop.spans).toEqual([...(isKeyRequest(hop) ? [] : [HANDLED]), ...expected.crossing]);
        expect(hop.tags).toMatchObject({ "fedtrace.whitelisted": true, "fedtrace.context": "extracted" });
      }
      for (const { tags } of before) {
        expect(tags).toMatchObject({
          "fedtrace.whitelisted": false,
          "fedtrace.context": "restarted",
          "fedtrace.peer.proof_refused": "fetching",
        });
      }
    }
    for (const { recorder } of [a, b]) {
      expect(contextNamesIn(recorder.requestHeads())).toEqual(expected.names);
      expect(contextNamesIn(recorder.responseHeads())).toEqual(["synapse-trace-id"]); // Of proven requests alone.
    }
    if (wayOut !== "direct")
      expect(dns.takeQueries()).toEqual(expect.arrayContaining(["A hs1.test", "A hs2.test"]));
  });

  it("lets no trace cross where nobody is whitelisted", async () => {
    const options = { ...programs, wayOut, isSynapseTraced: true, whitelist: [] };
    const { a, b, jaeger } = await runPair(options, MESSAGES);
    for (const { recorder } of [a, b]) {
      expect(recorder.requestHeads().length).toBeGreaterThan(ASKED_BOTH_WAYS.length);
      expect(contextNamesIn(recorder.requestHeads())).toEqual(expected.strangersNames);
      expect(contextNamesIn(recorder.responseHeads())).toEqual([]);
    }
    const both = [
      { sender: a, receiver: b },
      { sender: b, receiver: a },
    ];
    for (const between of both) {
      const hops = await hopsBetween(jaeger, between, "receiver");
      expect(operationsOf(hops)).toEqual(expect.arrayContaining(ASKED_BOTH_WAYS));
      for (const hop of hops) {
        expect(hop.isRoot).toBe(true);
        expect(hop.spans).toEqual(isKeyRequest(hop) ? [RECEIVED] : [HANDLED, RECEIVED]);
        expect(hop.tags).toMatchObject({
          "fedtrace.whitelisted": false,
          "fedtrace.context": expected.strangersContext,
          "fedtrace.headers.removed": expected.strangersRemoved,
        });
      }
      if (wayOut === "direct") continue;
      // The sidecar on the way out had something to hold back.
      for (const hop of await hopsBetween(jaeger, between, "sender")) {
        expect(hop.spans).toEqual([PASSED_ON, SENT]);
        expect(hop.tags).toMatchObject({ "fedtrace.whitelisted": false, "fedtrace.context": "extracted" });
      }
    }
  });

  it("has every request answered as it is without sidecars", async () => {
    const options = { ...programs, wayOut, isSynapseTraced: false, whitelist: [BOTH] };
    const { a, b, timings } = await runPair(options, TIMED_MESSAGES);
    for (const { homeserver } of [a, b]) {
      expect(federationRequestsTo(homeserver).filter(({ status }) => status !== 200)).toEqual([]);
    }
    console.log(`Synapse behind sidecars, way out ${wayOut}:`, timings);
  });
});

function operationsOf(hops: readonly Hop[]): readonly string[] {
  return hops.map(({ operation }) => operation);
}
