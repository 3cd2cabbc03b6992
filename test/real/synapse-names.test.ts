/**
 * Two real Synapse servers behind their sidecars whose names have no port, found by SRV or .well-known (delegated-names.ts).
 *
 * A server is whitelisted and traced by its name, wherever that leads. On the wire, Host and SNI are what the
 * specification has for the step.
 */

import { beforeAll, expect, it } from "vitest";
import type { Delegation } from "./delegated-names.ts";
import { type Hop, hopsBetween, isKeyRequest, partByProof } from "./federation-hops.ts";
import { federationRequestsTo, INSTALL_TIMEOUT_MS } from "./homeserver-pair.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { findSynapse } from "./synapse-python.ts";
import { ASKED_BOTH_WAYS, runPair } from "./synapse-sidecars.ts";

const BUILD_TIMEOUT_MS = 40 * 60_000 + INSTALL_TIMEOUT_MS;
const MESSAGES = 1;
/** The names, whole: what they are delegated to is on no list. */
const NAMES = "hs[12]\\.test";

let programs: { readonly python: string; readonly jaegerProgram: string };
beforeAll(async () => {
  programs = { jaegerProgram: await findJaeger(), python: (await findSynapse()).path };
}, BUILD_TIMEOUT_MS);

/** How a server is asked. */
interface Asked {
  readonly step: string;
  /** The certificate's name; Host is the same, with the port where `hasPort`. */
  readonly host: string;
  readonly hasPort: boolean;
}

const ROWS: readonly { readonly naming: Delegation; readonly hs1: Asked; readonly hs2: Asked }[] = [
  {
    naming: "srv",
    hs1: { step: "srv", host: "hs1.test", hasPort: false },
    hs2: { step: "srv", host: "hs2.test", hasPort: false },
  },
  {
    naming: "well-known",
    hs1: { step: "well-known-port", host: "matrix.hs1.test", hasPort: true },
    hs2: { step: "well-known-srv", host: "matrix.hs2.test", hasPort: false },
  },
];

it.each(ROWS)("are found by $naming, and whitelisted by their names", async ({ naming, hs1, hs2 }) => {
  const options = { ...programs, isSynapseTraced: true, whitelist: [NAMES], naming };
  const { a, b, jaeger } = await runPair({ ...options, wayOut: "federation-proxy" }, MESSAGES);

  const ways = [
    { sender: a, receiver: b, asked: hs2 },
    { sender: b, receiver: a, asked: hs1 },
  ];
  for (const { sender, receiver, asked } of ways) {
    const { recorder, homeserver } = receiver;
    expect(recorder.serverNames()).toEqual([asked.host]);
    expect(hostsOf(recorder.requestHeads())).toEqual([
      asked.hasPort ? `${asked.host}:${recorder.port}` : asked.host,
    ]);
    expect(federationRequestsTo(homeserver).filter(({ status }) => status !== 200)).toEqual([]);

    const sent = await hopsBetween(jaeger, { sender, receiver }, "sender");
    expect(sent.map(({ operation }) => operation)).toEqual(expect.arrayContaining(ASKED_BOTH_WAYS));
    for (const hop of sent) {
      expect(hop.tags).toMatchObject({ "server.address": homeserver.name, "fedtrace.whitelisted": true });
      expect(stepsOf(hop)).toEqual([asked.step]);
    }
    // By the name that signed, which is the one before delegation as well.
    const { proven, before } = partByProof(await hopsBetween(jaeger, { sender, receiver }, "receiver"));
    expect(proven.length).toBeGreaterThan(before.length);
    for (const hop of proven) {
      expect(hop.tags).toMatchObject({ "fedtrace.whitelisted": true, "fedtrace.context": "extracted" });
      expect(hop.spans).toEqual([
        ...(isKeyRequest(hop) ? [] : ["receiver's Synapse: incoming-federation-request"]),
        "receiver's sidecar: server",
        "sender's sidecar: client",
        "sender's Synapse: outgoing-federation-request",
      ]);
    }
  }
});

/** By which the request's server was found. */
function stepsOf({ events }: Hop): readonly unknown[] {
  return events
    .filter(({ event }) => event === "fedtrace.discovery")
    .map((event) => event["fedtrace.discovery.step"]);
}

/** Values of Host, each once. */
function hostsOf(heads: readonly string[]): readonly (string | undefined)[] {
  return [...new Set(heads.map((head) => /^host: (.*)\r$/im.exec(head)?.[1]))];
}
