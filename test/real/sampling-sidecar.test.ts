/**
 * Whole sidecars that follow the strategies of a real Jaeger 2, or of its file, while requests run through them: what is sampled is
 * measured at the server behind, and read back from Jaeger with the sampler that each root span names.
 *
 * Shares are held to 5 sigma. What Jaeger hands out is asked of it first, so "within one poll" is counted from where it has the new
 * strategy: the look that may be under way then, and the one after it. What adaptive sampling needs is told in sampling-strategies.test.ts.
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import type { LoadOptions } from "../support/keep-alive-load.ts";
import { poll } from "../support/poll.ts";
import { findJaeger } from "./jaeger-binary.ts";
import {
  CALCULATED_MS,
  INITIAL_PROBABILITY,
  type SamplingJaeger,
  startAdaptiveSampling,
  startFileSampling,
} from "./jaeger-sampling.ts";
import {
  DEADLINE_MS,
  expectShare,
  linesOf,
  type Measured,
  replaceFile,
  rootsOf,
  samplersOf,
  SERVICE,
  type Stage,
  startStage,
  strategiesFile,
  untilPolls,
  untilStrategy,
} from "./sampling-stage.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;
const POLL_INTERVAL = "300ms";

const FROM_CACHE = "sampling strategy taken from its cache";

const VERSION = "/_matrix/federation/v1/version";
const KEYS = "/_matrix/key/v2/server";
const OTHER = "/_matrix/federation/v1/publicRooms";

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

const share = (param: number): object => ({ type: "probabilistic", param });
const probabilistic = (param: number): string => `probabilistic ${param}`;

const PER_OPERATION = {
  ...share(0.5),
  operation_strategies: [
    { operation: `GET ${VERSION}`, ...share(0.1) },
    { operation: `GET ${KEYS}`, ...share(0.9) },
  ],
};

async function answerOf({ samplingUrl }: SamplingJaeger): Promise<string> {
  return (await fetch(`${samplingUrl}?service=${encodeURIComponent(SERVICE)}`)).text();
}

interface Followed extends Stage {
  readonly jaeger: SamplingJaeger;
  readonly path: string;
}

async function startFollowing(param: number): Promise<Followed> {
  const path = join(temporaryDirectory(), "strategies.json");
  replaceFile(path, strategiesFile(share(param)));
  const jaeger = await startFileSampling(program, path);
  onTestFinished(() => jaeger.stop());
  const stage = await startStage(jaeger, { url: jaeger.samplingUrl, poll_interval: POLL_INTERVAL });
  await untilStrategy(stage.sidecar, `probabilistic(${param})`);
  return { ...stage, jaeger, path };
}

/**
 * Rewrites the file while requests run, and resolves with those once the log tells of the change.
 *
 * Fails where the sidecar has looked twice since Jaeger had it, and has not seen it.
 */
async function change(
  { sidecar, measureUntil, jaeger, path }: Followed,
  strategy: object,
  description: string,
): Promise<Measured> {
  const [before, answered] = await Promise.all([untilPolls(sidecar), answerOf(jaeger)]);
  let isOver = false;
  const measuring = measureUntil(VERSION, () => isOver);
  try {
    replaceFile(path, strategiesFile(strategy));
    const served = await poll(
      async () => ((await answerOf(jaeger)) === answered ? undefined : true),
      DEADLINE_MS,
    );
    expect(served).toBe(true);
    const { all } = await untilPolls(sidecar);
    const after = await untilPolls(sidecar, (polls) => polls.all >= all + 2);
    expect(after).toMatchObject({ changed: before.changed + 1, failed: 0 });
    await untilStrategy(sidecar, description);
  } finally {
    isOver = true;
  }
  return measuring;
}

describe("a strategies file of Jaeger's", () => {
  it("changes while the sidecar runs, and the measured rate follows within one poll", async () => {
    const followed = await startFollowing(0.1);
    const { sidecar, measure, measureUntil, jaeger } = followed;

    const tenth = await measure(VERSION, 3000);
    expectShare(tenth, 0.1);
    const toMost = await change(followed, share(0.6), "probabilistic(0.6)");
    const most = await measure(VERSION, 2000);
    expectShare(most, 0.6);

    const toRate = await change(followed, { type: "ratelimiting", param: 5 }, "ratelimiting(5)");
    const startedMs = performance.now();
    const rate = await measureUntil(VERSION, () => performance.now() - startedMs > 3000);
    const seconds = (performance.now() - startedMs) / 1000;
    // A bucket of five, and five a second; half of that where the machine is slow.
    expect(rate.sampled.length).toBeLessThanOrEqual(5 + 5 * seconds);
    expect(rate.sampled.length).toBeGreaterThanOrEqual((5 * seconds) / 2);
    expect(rate.requests).toBeGreaterThan(10 * (5 + 5 * seconds));

    const toEach = await change(followed, PER_OPERATION, "probabilistic(0.5), 2 operations");
    const version = await measure(VERSION, 3000);
    const keys = await measure(KEYS, 1000);
    const other = await measure(OTHER, 1000);
    expectShare(version, 0.1);
    expectShare(keys, 0.9);
    expectShare(other, 0.5);

    const all = [tenth, toMost, most, toRate, rate, toEach, version, keys, other];
    const sampled = all.flatMap((measured) => measured.sampled);
    const roots = await rootsOf(jaeger, sampled);
    expect([...roots.keys()].toSorted()).toEqual(sampled.toSorted());
    for (const [measured, ...samplers] of [
      [tenth, probabilistic(0.1)],
      [most, probabilistic(0.6)],
      [rate, "ratelimiting 5"],
      [version, probabilistic(0.1)],
      [keys, probabilistic(0.9)],
      [other, probabilistic(0.5)],
    ] as const) {
      expect(samplersOf(roots, measured.sampled)).toEqual(samplers);
    }
    // While it changed it was the one or the other, never a third.
    for (const [measured, ...either] of [
      [toMost, probabilistic(0.1), probabilistic(0.6)],
      [toRate, probabilistic(0.6), "ratelimiting 5"],
      [toEach, probabilistic(0.1), "ratelimiting 5"],
    ] as const) {
      expect(either).toEqual(expect.arrayContaining([...samplersOf(roots, measured.sampled)]));
    }
    expect(sidecar.log().filter(({ level }) => level === "error")).toEqual([]);
  });

  it("stays in force while Jaeger is away, over a restart too, and is followed again once it is back", async () => {
    const { sidecar, measure, startAgain, jaeger, path } = await startFollowing(0.3);
    expectShare(await measure(VERSION, 1000), 0.3);
    const cacheFile = join(dirname(sidecar.configPath), "fedtrace-sampling.json");
    expect(await poll(() => Promise.resolve(existsSync(cacheFile) || undefined), DEADLINE_MS)).toBe(true);

    await jaeger.stop();
    await sidecar.untilLog((log) => linesOf(log, "sampling strategy can't be had").length === 1);
    const away = await measure(VERSION, 1000);
    expectShare(away, 0.3);
    expect(await sidecar.stop()).toBe(0);

    const again = await startAgain();
    // It says so before it is ready, on another pipe.
    const log = await again.sidecar.untilLog((lines) => linesOf(lines, FROM_CACHE).length === 1);
    expect(linesOf(log, FROM_CACHE)).toMatchObject([{ to: "probabilistic(0.3)", file: cacheFile }]);
    const restarted = await again.measure(VERSION, 1000);
    expectShare(restarted, 0.3);
    await again.sidecar.untilLog((log) => linesOf(log, "sampling strategy can't be had").length === 1);

    replaceFile(path, strategiesFile(share(0.8)));
    const back = await startFileSampling(program, path, jaeger.ports);
    onTestFinished(() => back.stop());
    expect(back.samplingUrl).toBe(jaeger.samplingUrl);
    await again.sidecar.untilLog((log) => linesOf(log, "sampling strategy can be had again").length === 1);
    await untilStrategy(again.sidecar, "probabilistic(0.8)");
    const measured = await again.measure(VERSION, 1000);
    expectShare(measured, 0.8);

    // What waited while Jaeger was away has come too.
    const roots = await rootsOf(back, [...restarted.sampled, ...measured.sampled]);
    expect(samplersOf(roots, restarted.sampled)).toEqual([probabilistic(0.3)]);
    expect(samplersOf(roots, measured.sampled)).toEqual([probabilistic(0.8)]);
    expect(await untilPolls(again.sidecar)).toMatchObject({ changed: 1 });
  });

  it("is read by the sidecar itself as Jaeger reads it; a broken one changes nothing and is told once", async () => {
    const path = join(temporaryDirectory(), "strategies.json");
    replaceFile(path, strategiesFile(share(0.1)));
    const jaeger = await startFileSampling(program, path);
    onTestFinished(() => jaeger.stop());
    const { sidecar, measure } = await startStage(jaeger, { file: path });
    await untilStrategy(sidecar, "probabilistic(0.1)");
    const tenth = await measure(VERSION, 3000);
    expectShare(tenth, 0.1);

    replaceFile(path, strategiesFile(PER_OPERATION));
    await untilStrategy(sidecar, "probabilistic(0.5), 2 operations");
    const version = await measure(VERSION, 3000);
    const keys = await measure(KEYS, 1000);
    const other = await measure(OTHER, 1000);
    expectShare(version, 0.1);
    expectShare(keys, 0.9);
    expectShare(other, 0.5);
    const roots = await rootsOf(
      jaeger,
      [tenth, version, keys, other].flatMap(({ sampled }) => sampled),
    );
    expect(samplersOf(roots, tenth.sampled)).toEqual([probabilistic(0.1)]);
    expect(samplersOf(roots, keys.sampled)).toEqual([probabilistic(0.9)]);
    expect(samplersOf(roots, other.sampled)).toEqual([probabilistic(0.5)]);
    // Jaeger, which has the same file, says the same.
    expect(JSON.parse(await answerOf(jaeger))).toMatchObject({
      operationSampling: { defaultSamplingProbability: 0.5, perOperationStrategies: { length: 2 } },
    });

    for (const broken of ["{", "{{", strategiesFile({ type: "probabilistic", param: "half" })]) {
      const { failed } = await untilPolls(sidecar);
      replaceFile(path, broken);
      await untilPolls(sidecar, (polls) => polls.failed > failed);
    }
    await sidecar.untilLog((log) => linesOf(log, "sampling strategy can't be had").length === 2);
    const reasons = linesOf(sidecar.log(), "sampling strategy can't be had").map(({ reason }) => reason);
    expect(reasons[0]).toBe("not JSON");
    expect(reasons).toHaveLength(2);
    const unchanged = await measure(KEYS, 1000);
    expectShare(unchanged, 0.9);

    replaceFile(path, strategiesFile(share(0.6)));
    await untilStrategy(sidecar, "probabilistic(0.6)");
    await sidecar.untilLog((log) => linesOf(log, "sampling strategy can be had again").length === 1);
    const most = await measure(KEYS, 1000);
    expectShare(most, 0.6);
  });
});

interface OperationAnswer {
  readonly operationSampling: {
    readonly perOperationStrategies?: readonly {
      readonly operation: string;
      readonly probabilisticSampling: { readonly samplingRate: number };
    }[];
  };
}

/** What Jaeger has for operations; the initial one where it knows of none. */
async function probabilitiesOf(
  jaeger: SamplingJaeger,
  paths: readonly string[],
): Promise<readonly (readonly [path: string, probability: number])[]> {
  const { operationSampling } = JSON.parse(await answerOf(jaeger)) as OperationAnswer;
  const rules = operationSampling.perOperationStrategies ?? [];
  return paths.map((path) => {
    const rule = rules.find(({ operation }) => operation === `GET ${path}`);
    return [path, rule?.probabilisticSampling.samplingRate ?? INITIAL_PROBABILITY];
  });
}

/** What came often has less than at first, what came sometimes too, what came once has more. */
function isLearned(learned: readonly (readonly [path: string, probability: number])[]): boolean {
  const [often = 1, sometimes = 1, seldom = 0] = learned.map(([, probability]) => probability);
  return often < sometimes && sometimes < INITIAL_PROBABILITY && seldom > INITIAL_PROBABILITY;
}

describe("adaptive sampling of Jaeger's", () => {
  /**
   * One request of each, in a round of its own: the first of an operation is sampled by the lower bound, so Jaeger knows it, with no traces.
   * A first calculation may have seen a moment of the load only, and Jaeger leaves alone what isn't followed yet; then the next round mends it.
   */
  const SELDOM = ["/_matrix/federation/v1/publicRooms", "/_matrix/federation/v1/openid/userinfo"];
  const OFTEN: LoadOptions = { connections: 8, pauseMs: 10 };
  const SOMETIMES: LoadOptions = { connections: 1, pauseMs: 20 };

  /** For three calculations: some 500 requests a second of one operation, 50 of another, and one of the third in all. */
  async function sendThree({ measure, measureUntil }: Stage, seldom: string): Promise<void> {
    await measure(seldom, 1);
    const startedMs = performance.now();
    const isOver = (): boolean => performance.now() - startedMs > 3 * CALCULATED_MS;
    await Promise.all([measureUntil(VERSION, isOver, OFTEN), measureUntil(KEYS, isOver, SOMETIMES)]);
  }

  it("learns from the sidecar's own spans, and the sidecar samples by what comes of it", async () => {
    const directory = temporaryDirectory();
    let jaeger = await startAdaptiveSampling(program, directory);
    onTestFinished(() => jaeger.stop());
    const remote = { url: jaeger.samplingUrl, poll_interval: POLL_INTERVAL };
    const stage = await startStage(jaeger, remote);
    const { sidecar, measure } = stage;
    await untilStrategy(sidecar, `probabilistic(${INITIAL_PROBABILITY}), at least 0.0166667/s each`);

    let learned: readonly (readonly [path: string, probability: number])[] = [];
    for (const seldom of SELDOM) {
      await sendThree(stage, seldom);
      await jaeger.stop();
      jaeger = await startAdaptiveSampling(program, directory, jaeger.ports);
      learned = await probabilitiesOf(jaeger, [VERSION, KEYS, seldom]);
      if (isLearned(learned)) break;
    }
    expect(learned).toSatisfy(isLearned);
    const { all } = await untilPolls(sidecar);
    await untilPolls(sidecar, (polls) => polls.all >= all + 2);

    const measurements: [Measured, number][] = [];
    for (const [path, probability] of learned) {
      // Twenty of them, whatever it is: none would show nothing.
      const requests = Math.max(500, Math.ceil(20 / probability));
      measurements.push([await measure(path, requests), probability]);
    }
    const roots = await rootsOf(
      jaeger,
      measurements.flatMap(([{ sampled }]) => sampled),
    );
    for (const [measured, probability] of measurements) {
      const byChance = measured.sampled.filter((id) => roots.get(id)?.sampler[0] === "probabilistic");
      expectShare({ ...measured, sampled: byChance }, probability);
      expect(samplersOf(roots, byChance)).toEqual([probabilistic(probability)]);
      // One for each minute of an operation that got none else.
      const others = measured.sampled.filter((id) => !byChance.includes(id));
      expect(others.length).toBeLessThanOrEqual(2);
      expect(samplersOf(roots, others).every((text) => text === `lowerbound ${probability}`)).toBe(true);
    }
  });
});
