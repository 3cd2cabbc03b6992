/** What takes long by its nature and needs only Node, as `npm test` does: `npm run test:long`. Each has a process of its own. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 240_000,
  },
});
