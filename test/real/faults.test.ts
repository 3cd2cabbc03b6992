/** The long run of test/proxy/faults/leak.test.ts: heap is compared after 10,000, 30,000 and 50,000 faults. */

import { it } from "vitest";
import { FAULT_KINDS } from "../proxy/faults/fault-kinds.ts";
import { expectNoLeak } from "../proxy/faults/leak.ts";

it("50,000 faults of every kind leave no socket, no timer, no object, no heap, and a span each", async () => {
  await expectNoLeak({ kinds: FAULT_KINDS, batches: [10_000, 20_000, 20_000], isHeapCompared: true });
});
