/**
 * What takes long by its nature and needs only Node, as `npm test` does: `npm run test:long`. That is test/long, and once more, with
 * all the runs that they ask for, the files whose properties `npm test` tries less often (test/support/runs.ts).
 */

import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const properties = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".test.ts") && readFileSync(path, "utf8").includes("support/runs.ts"));

export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts", ...properties],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 240_000,
    env: { FEDTRACE_TEST_LONG: "true" },
  },
});
