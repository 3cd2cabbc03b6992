/**
 * Hundreds of faults and what they leave: nothing. Every kind comes several times in each batch, and whatever is held is counted
 * as an object. What grows slowly takes thousands to be seen: test/long/leak.test.ts.
 */

import { it } from "vitest";
import { FAULT_KINDS, TLS_KINDS, UPGRADE_KINDS } from "./fault-kinds.ts";
import { expectNoLeak, OWN_TLS } from "./leak.ts";

it("1,000 faults of every kind leave no socket, no timer, no object, and a span each", async () => {
  const kinds = [...FAULT_KINDS, ...UPGRADE_KINDS];
  await expectNoLeak({ kinds, batches: [500, 500], isHeapCompared: false });
});

it("400 aborted handshakes and requests on TLS leave nothing either", async () => {
  await expectNoLeak({ kinds: TLS_KINDS, batches: [200, 200], isHeapCompared: false, tls: OWN_TLS });
});
