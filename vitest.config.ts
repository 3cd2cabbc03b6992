import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/real/**"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 20_000,
    // Half as many again as cores: many tests wait for a process or a limit. Measured on two cores: 120 s with two, 102 with three.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
  },
});
