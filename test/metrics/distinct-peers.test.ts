/** A hundred thousand distinct peers. A million: test/long/million.test.ts. */

import { it } from "vitest";
import { expectFlat } from "./flat.ts";

// Each has over 200 bytes of its own: kept, those after the first 20,000 were 16 MiB, and 2 are allowed.
it("leave memory flat and a scrape under 1 MiB", () => {
  expectFlat(100_000);
});
