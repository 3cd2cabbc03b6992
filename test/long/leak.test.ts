/**
 * Thousands of faults and what they leave: nothing. test/proxy/faults/leak.test.ts looks for the same after hundreds, fifty
 * thousand of them are in test/real/faults.test.ts.
 */

import { it } from "vitest";
import { FAULT_KINDS, TLS_KINDS, UPGRADE_KINDS } from "../proxy/faults/fault-kinds.ts";
import { expectNoLeak, OWN_TLS } from "../proxy/faults/leak.ts";

it("10,000 faults of every kind leave no socket, no timer, no object, no heap, and a span each", async () => {
  await expectNoLeak({ kinds: FAULT_KINDS, batches: [2000, 8000], isHeapCompared: true });
});

it("2,000 aborted upgrades leave nothing either", async () => {
  await expectNoLeak({ kinds: UPGRADE_KINDS, batches: [500, 1500], isHeapCompared: true });
});

it("2,000 aborted handshakes and requests on TLS leave nothing either", async () => {
  await expectNoLeak({ kinds: TLS_KINDS, batches: [500, 1500], isHeapCompared: true, tls: OWN_TLS });
});
