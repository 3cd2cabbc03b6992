/** A million distinct peers. A hundred thousand: test/metrics/distinct-peers.test.ts. */

import { it } from "vitest";
import { expectFlat } from "../metrics/flat.ts";

it("leave memory flat and a scrape under 1 MiB", () => {
  expectFlat(1_000_000);
});
