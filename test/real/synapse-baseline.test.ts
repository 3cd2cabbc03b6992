/**
 * Two unmodified Synapse servers that federate with nothing between them: what a run behind sidecars is compared with, and
 * the proof that what fails there is not the harness.
 *
 * Their names are addresses with ports, which need no DNS; `federation_custom_ca_list` has them trust the test's authority.
 */

import { beforeAll, expect, it } from "vitest";
import { freePorts } from "./free-ports.ts";
import { federate, federationRequestsTo, INSTALL_TIMEOUT_MS, TIMED_MESSAGES } from "./homeserver-pair.ts";
import { startBare } from "./synapse-bare.ts";
import { createUser } from "./synapse-client.ts";
import { findSynapse, type SynapsePython } from "./synapse-python.ts";

let synapse: SynapsePython;
beforeAll(async () => {
  synapse = await findSynapse();
}, INSTALL_TIMEOUT_MS);

it("federate: rooms, invites and messages both ways, the past, and media", async () => {
  const startMs = performance.now();
  const [port1 = 0, port2 = 0] = await freePorts(2);
  const [hs1, hs2] = await Promise.all([
    startBare(synapse.path, port1, "hs1"),
    startBare(synapse.path, port2, "hs2"),
  ]);
  const startedMs = performance.now() - startMs;
  const [anna, bert] = await Promise.all([createUser(hs1, "anna"), createUser(hs2, "bert")]);

  const timings = await federate(anna, bert, TIMED_MESSAGES);
  for (const homeserver of [hs1, hs2]) {
    const requests = federationRequestsTo(homeserver);
    expect(requests.filter(({ status }) => status !== 200)).toEqual([]);
    expect(requests.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        expect.stringContaining("/_matrix/federation/v2/invite/"),
        expect.stringContaining("/_matrix/federation/v2/send_join/"),
        expect.stringContaining("/_matrix/federation/v1/send/"),
      ]),
    );
  }
  console.log(`Synapse ${synapse.version}, no sidecars:`, { startedMs, ...timings });
});
