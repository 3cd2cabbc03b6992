/**
 * A real Prometheus with a directory of its own on a port of its own, and its query API.
 *
 * It scrapes each second and keeps exemplars. API: https://prometheus.io/docs/prometheus/2.42/querying/api/
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { poll } from "../support/poll.ts";
import { freePorts } from "./free-ports.ts";
import { findPrometheus } from "./prometheus-binary.ts";

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Exemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
  /** Unix time, seconds. */
  readonly timestamp: number;
}

export interface Prometheus {
  /** At this moment. @throws Error with Prometheus' own words for an expression that it refuses */
  query(expression: string): Promise<readonly Sample[]>;
  /** Of the last hour, those of every series that the expression names. */
  exemplars(
    expression: string,
  ): Promise<readonly { readonly seriesLabels: Sample["metric"]; readonly exemplars: readonly Exemplar[] }[]>;
  /** Resolves once every target was scraped after now, and the rules were evaluated after that. */
  untilScraped(): Promise<void>;
  stop(): Promise<void>;
}

interface PrometheusOptions {
  /** Addresses of admin listeners. */
  readonly targets: readonly string[];
  /** Paths from the repository's root. */
  readonly ruleFiles: readonly string[];
}

const JOB = "fedtrace";
const DEADLINE_MS = 30_000;
/** A port that was free may be taken when Prometheus comes to it; it ends then. */
const STARTS_MAX = 3;

/** @throws Error with what it said, where it does not get ready; nothing is left running */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  let output = "";
  for (let start = 1; start <= STARTS_MAX; start++) {
    const attempt = await startOnce(options);
    if ("query" in attempt) return attempt;
    ({ output } = attempt);
  }
  throw new Error(`Prometheus did not get ready, having said:\n${output}`);
}

async function startOnce(options: PrometheusOptions): Promise<Prometheus | { readonly output: string }> {
  const [port = 0] = await freePorts(1);
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-prometheus-"));
  const configPath = join(directory, "prometheus.json"); // JSON is YAML.
  writeFileSync(configPath, JSON.stringify(prometheusConfig(options)));

  const child = spawn(
    findPrometheus().prometheus,
    [
      `--config.file=${configPath}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=exemplar-storage",
      "--log.level=warn",
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (said: string) => {
      output = (output + said).slice(-4000);
    });
  }
  let isOver = false;
  const ended = new Promise<void>((fulfil) => {
    const end = (): void => {
      isOver = true;
      fulfil();
    };
    child.once("error", end); // It can't be executed.
    child.once("close", end);
  });
  async function stop(): Promise<void> {
    child.kill("SIGKILL"); // What it has stored is thrown away.
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }

  const base = `http://127.0.0.1:${port}`;
  const isReady = await poll(async () => {
    if (isOver) return false;
    const response = await fetch(`${base}/-/ready`).catch(() => undefined);
    return response?.ok === true ? true : undefined;
  }, DEADLINE_MS);
  if (isReady !== true) {
    await stop();
    return { output };
  }
  return { ...queryApi(base, options.targets.length), stop };
}

function queryApi(base: string, targets: number): Omit<Prometheus, "stop"> {
  async function ask(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== "success") throw new Error(`${parameters["query"] ?? path}: ${answer.error}`);
    return answer.data;
  }

  async function query(expression: string): Promise<readonly Sample[]> {
    const { resultType, result } = (await ask("query", { query: expression })) as {
      resultType: string;
      result: readonly { metric: Sample["metric"]; value: readonly [number, string] }[];
    };
    if (resultType !== "vector") throw new Error(`${expression}: a ${resultType}, and no vector`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Every group's last evaluation began after this moment, Unix time in milliseconds. */
  async function areRulesNewerThan(unixMs: number): Promise<boolean> {
    const { groups } = (await ask("rules", {})) as { groups: readonly { lastEvaluation: string }[] };
    return groups.every(({ lastEvaluation }) => Date.parse(lastEvaluation) > unixMs);
  }

  return {
    query,
    async exemplars(expression) {
      const nowSeconds = Date.now() / 1000;
      const window = { start: String(nowSeconds - 3600), end: String(nowSeconds + 1) };
      return (await ask("query_exemplars", { query: expression, ...window })) as Awaited<
        ReturnType<Prometheus["exemplars"]>
      >;
    },
    async untilScraped() {
      const fromSeconds = Date.now() / 1000;
      const scrapedSeconds = await poll(async () => {
        const scrapes = await query(`timestamp(up{job="${JOB}"} == 1)`);
        const isDone = scrapes.length === targets && scrapes.every(({ value }) => value > fromSeconds);
        return isDone ? Date.now() / 1000 : undefined;
      }, DEADLINE_MS);
      if (scrapedSeconds === undefined) {
        const { activeTargets } = (await ask("targets", {})) as { activeTargets: readonly object[] };
        throw new Error(`not every target was scraped: ${JSON.stringify(activeTargets)}`);
      }
      // Twice: what a group records is there for the others at their next turn.
      for (let turn = 0; turn < 2; turn++) {
        const sinceMs = Date.now();
        if (
          (await poll(async () => ((await areRulesNewerThan(sinceMs)) ? true : undefined), DEADLINE_MS)) !==
          true
        )
          throw new Error("the rules were not evaluated");
      }
    },
  };
}

function prometheusConfig({ targets, ruleFiles }: PrometheusOptions): object {
  return {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: ruleFiles.map((file) => resolve(file)),
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets }] }],
  };
}

/** @param words after `promtool` @param input what it reads from its standard input */
export async function runPromtool(
  words: readonly string[],
  input = "",
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(findPrometheus().promtool, words, { stdio: ["pipe", "pipe", "pipe"] });
  const status = new Promise<number | null>((fulfil, reject) => {
    child.once("error", reject);
    child.once("close", fulfil);
  });
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, output: stdout + stderr };
}
