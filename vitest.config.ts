import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Each takes ten times as long as most, and would run on alone if it began last. A clean checkout has no times to sort by. */
const LONGEST_FIRST = ["cli/export-ways.test.ts", "cli/workers.test.ts", "export/foreign-exporter.test.ts"];

/**
 * Files with a process of their own: those that replace what others in the process see (a module, a global, its environment,
 * the engine's flags), and those that count what the process holds. All others share a few processes, one file after the
 * other, since starting one and loading src/ costs more than most files' tests.
 */
const OWN_PROCESS =
  /\bvi\.(?:(?:do)?mock|hoisted|spyOn|stub\w+|resetModules)\(|\b(?:setFlagsFromString|getActiveResourcesInfo|queryObjects|expectNoLeak|expectFlat|memoryUsage)\b|\bprocess\.(?:env\.?[\w[\]"]* = |on\(|once\(|chdir)/;

const alone = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".test.ts") && !/^test\/(?:real|long)\//.test(path))
  .filter((path) => OWN_PROCESS.test(readFileSync(path, "utf8")));

const TEST_TIMEOUT_MS = 20_000;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST_FIRST.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONGEST_FIRST.length : at;
    };
    // Those of a process of their own together: a shared process ends where one of them is next.
    const shares = ({ project }: TestSpecification): number => Number(!project.config.isolate);
    return (await super.sort(files)).toSorted(
      (one, other) => shares(one) - shares(other) || rank(one) - rank(other),
    );
  }
}

export default defineConfig({
  test: {
    globalSetup: ["test/support/build.ts"],
    sequence: { sequencer: LongestFirst },
    // Half as many again as cores: many tests wait for a process or a limit. When there were 9,000, on two cores: 120 s with two, 102 with three.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // Neither extends this, which would have each build dist/ again.
    projects: [
      {
        // Benchmarks are the other one's, or each would be run twice.
        test: {
          name: "alone",
          include: alone,
          isolate: true,
          testTimeout: TEST_TIMEOUT_MS,
          benchmark: { include: [] },
        },
      },
      {
        test: {
          name: "shared",
          include: ["test/**/*.test.ts"],
          exclude: ["test/real/**", "test/long/**", ...alone],
          isolate: false,
          testTimeout: TEST_TIMEOUT_MS,
        },
      },
    ],
  },
});
