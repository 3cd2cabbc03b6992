import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/real/**"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 20_000,
    // Both cores of a small machine: by default one of them is left idle, and the tests take half as long again.
    maxWorkers: "100%",
  },
});
