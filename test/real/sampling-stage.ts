/**
 * A whole sidecar that follows a strategy, load through it, and what of it was sampled, told twice: by the flag that the server behind
 * gets, and by the root spans that Jaeger holds.
 */

import { renameSync, writeFileSync } from "node:fs";
import { expect, onTestFinished } from "vitest";
import { type LoadOptions, sendLoad } from "../support/keep-alive-load.ts";
import { poll } from "../support/poll.ts";
import { serverBehind } from "../support/sampling-agreement.ts";
import { ADMIN, inboundTo, type LogLine, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import type { Jaeger } from "./jaeger.ts";

/** What spans and strategies have as the sidecar's name, unless it is set. */
export const SERVICE = "own.test fedtrace";
export const DEADLINE_MS = 20_000;
/** Once in two million. */
const SIGMAS = 5;

export interface Measured {
  readonly requests: number;
  /** Trace ids, each another. */
  readonly sampled: readonly string[];
}

export interface Stage {
  readonly sidecar: SpawnedSidecar;
  /** What the server behind saw of the requests that this sends: strangers', each a new trace. */
  readonly measure: (path: string, requests: number) => Promise<Measured>;
  /** The same until it is over, slower. One measurement at a time: the server behind can't tell two apart. */
  readonly measureUntil: (path: string, isOver: () => boolean, pace?: LoadOptions) => Promise<Measured>;
  /** Another one with the same config file and server behind; the one before has stopped. */
  readonly startAgain: () => Promise<Stage>;
}

/** Some hundred a second. */
const SLOWLY: LoadOptions = { connections: 2, pauseMs: 5 };

/** @param remote `sampling.remote` */
export async function startStage({ otlpUrl }: Pick<Jaeger, "otlpUrl">, remote: object): Promise<Stage> {
  const server = await serverBehind();
  onTestFinished(() => server.stop());
  const document = {
    admin: ADMIN,
    inbound: inboundTo(server.port),
    export: [{ otlp: { url: otlpUrl } }],
    sampling: { type: "remote", remote },
  };

  return stageOf(await startSidecar(document));

  function stageOf(sidecar: SpawnedSidecar): Stage {
    async function send(heads: Iterable<string>, pace?: LoadOptions): Promise<Measured> {
      const from = server.traceparents.length;
      await sendLoad(sidecar.port.inbound, heads, pace);
      const seen = server.traceparents.slice(from);
      return { requests: seen.length, sampled: seen.flatMap(sampledId) };
    }
    return {
      sidecar,
      measure: (path, requests) => send(times(requests, headOf(path))),
      measureUntil: (path, isOver, pace = SLOWLY) =>
        send(
          asLongAs(() => !isOver(), headOf(path)),
          pace,
        ),
      startAgain: async () => stageOf(await startSidecar(document, { configPath: sidecar.configPath })),
    };
  }
}

function headOf(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: own.test\r\n\r\n`;
}

function* times(count: number, text: string): Generator<string> {
  for (let index = 0; index < count; index++) yield text;
}

function* asLongAs(isGoingOn: () => boolean, text: string): Generator<string> {
  while (isGoingOn()) yield text;
}

/** None where the flag says no. */
function sampledId(traceparent: string): readonly string[] {
  const [, traceId, flag] = /^00-([0-9a-f]{32})-[0-9a-f]{16}-0([0-3])$/.exec(traceparent) ?? [];
  if (traceId === undefined) throw new Error(`the server behind got the traceparent ${traceparent}`);
  return flag === "1" || flag === "3" ? [traceId] : [];
}

export function expectShare({ requests, sampled }: Measured, probability: number): void {
  const sigma = Math.sqrt(requests * probability * (1 - probability));
  expect(Math.abs(sampled.length - requests * probability)).toBeLessThanOrEqual(SIGMAS * sigma);
}

export interface Root {
  readonly operation: string;
  /** `sampler.type` and `sampler.param`. */
  readonly sampler: readonly [type: unknown, param: unknown];
}

/** Root spans that Jaeger has of the sidecar, by trace id, once these are among them. */
export async function rootsOf(
  jaeger: Jaeger,
  traceIds: readonly string[],
): Promise<ReadonlyMap<string, Root>> {
  let roots = new Map<string, Root>();
  await poll(async () => {
    const traces = await jaeger.tracesOf(SERVICE);
    roots = new Map(
      traces.flatMap(({ spans }) =>
        spans.map(({ traceID, operationName, references, tags }) => {
          expect(references).toEqual([]);
          const tag = (name: string): unknown => tags.find(({ key }) => key === name)?.value;
          return [
            traceID,
            { operation: operationName, sampler: [tag("sampler.type"), tag("sampler.param")] },
          ];
        }),
      ),
    );
    return traceIds.every((traceId) => roots.has(traceId)) ? true : undefined;
  }, DEADLINE_MS);
  expect(traceIds.filter((traceId) => !roots.has(traceId))).toEqual([]);
  return roots;
}

/** What the roots of these traces say of their sampler, each once, as text. */
export function samplersOf(roots: ReadonlyMap<string, Root>, traceIds: readonly string[]): readonly string[] {
  const texts = traceIds.map((traceId) => String(roots.get(traceId)?.sampler.join(" ")));
  return [...new Set(texts)].toSorted();
}

/** Whoever looks while it is replaced sees the one file or the other. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.draft`, text);
  renameSync(`${path}.draft`, path);
}

/** A strategies file of Jaeger's with one service. */
export function strategiesFile(strategy: object): string {
  return JSON.stringify({ service_strategies: [{ service: SERVICE, ...strategy }] });
}

export interface Polls {
  readonly changed: number;
  readonly failed: number;
  /** With those that found nothing new. */
  readonly all: number;
}

async function readPolls({ port }: SpawnedSidecar): Promise<Polls> {
  const text = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  const found = text.matchAll(/^fedtrace_sampling_strategy_polls_total\{outcome="(\w+)"\} (\d+)/gm);
  const counts = new Map([...found].map(([, outcome, count]) => [outcome, Number(count)]));
  const [changed = 0, failed = 0, unchanged = 0] = ["changed", "failed", "unchanged"].map((outcome) =>
    counts.get(outcome),
  );
  return { changed, failed, all: changed + failed + unchanged };
}

/** What was counted by the first look at which it is enough. */
export async function untilPolls(
  sidecar: SpawnedSidecar,
  isEnough: (polls: Polls) => boolean = () => true,
): Promise<Polls> {
  const polls = await poll(async () => {
    const now = await readPolls(sidecar);
    return isEnough(now) ? now : undefined;
  }, DEADLINE_MS);
  if (polls === undefined) throw new Error(`not enough polls: ${JSON.stringify(await readPolls(sidecar))}`);
  return polls;
}

export function linesOf(log: readonly LogLine[], message: string): readonly LogLine[] {
  return log.filter(({ msg }) => msg === message);
}

/** Resolves once the log says that this strategy counts, in its own words. */
export async function untilStrategy(sidecar: SpawnedSidecar, description: string): Promise<void> {
  await sidecar.untilLog((log) => linesOf(log, "sampling strategy changed").at(-1)?.["to"] === description);
}
