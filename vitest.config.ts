import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Each takes ten times as long as most, and would run on alone if it began last. A clean checkout has no times to sort by. */
const LONGEST_FIRST = [
  "proxy/faults/leak.test.ts",
  "cli/export-ways.test.ts",
  "cli/workers.test.ts",
  "export/foreign-exporter.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST_FIRST.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONGEST_FIRST.length : at;
    };
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/real/**"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 20_000,
    sequence: { sequencer: LongestFirst },
    // Half as many again as cores: many tests wait for a process or a limit. Measured on two cores: 120 s with two, 102 with three.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
  },
});
