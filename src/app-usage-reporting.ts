/** The reporter with all it needs: the book of earlier starts, its file, and HTTP. A part of the composition root (app-usage.ts). */

import { readFileSync } from "node:fs";
import type { Config } from "./config/merge.ts";
import { readRoots } from "./config/roots.ts";
import { STORE_SPANS } from "./config/schema.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { createCancellableLookup } from "./export/cancellable-lookup.ts";
import { createHttpPost } from "./export/http-post.ts";
import { readOutcome } from "./export/outcome.ts";
import { VERSION } from "./core/version.ts";
import type { UsageReport } from "./usage/report-schema.ts";
import { createReport, type ReportFacts } from "./usage/report.ts";
import {
  type PostResult,
  type Reporter,
  type ReportOutcome,
  startReporter,
  type StartTimes,
  TICK_MS,
} from "./usage/reporter.ts";
import { createStateFile, readSaved } from "./usage/state-file.ts";
import { createUsageBook } from "./usage/usage-book.ts";
import type { UsagePart } from "./usage/usage-part.ts";

interface ReportingTools {
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly createSecret: (count: number) => Uint8Array;
  readonly log: Log;
  readonly take: () => Promise<readonly UsagePart[]>;
  readonly timeoutMs: number;
  readonly started: StartTimes;
  readonly onOutcome: (outcome: ReportOutcome) => void;
  readonly onPeersOverflow: (times: number) => void;
}

const HEADERS = { "content-type": "application/json" };
/** Nothing is sent any more. */
const STOPPED: PostResult = {
  isDelivered: false,
  reason: "stopped",
  isRetryable: false,
  retryAfterMs: undefined,
};

export function startReporting(config: Config, endpoint: string, tools: ReportingTools): Reporter {
  const { clock, log } = tools;
  const { isAnonymous, intervalMs, caFile, stateFile } = config.usageReport;
  const file = createStateFile(stateFile ?? "", { log });
  const book = createUsageBook(file.read(), {
    ...tools,
    isAnonymous,
    unixMs: clock.unixMs(),
    sampleMs: Math.min(TICK_MS, intervalMs) / 2,
  });
  const stopping = new AbortController();
  const isTls = new URL(endpoint).protocol === "https:";

  /** A connection of its own for each report: none stays open for hours. */
  async function post(body: Buffer): Promise<PostResult> {
    const ca = isTls ? await readTrusted(caFile, config.systemRootsFile) : undefined;
    const names = await createCancellableLookup();
    const http = createHttpPost(
      { url: endpoint, timeoutMs: tools.timeoutMs, ca, lookup: names.lookup },
      clock,
    );
    const close = (): void => {
      names.cancel();
      void http.close();
    };
    const { signal } = stopping;
    if (signal.aborted) return STOPPED;
    signal.addEventListener("abort", close);
    const answer = await http.send(body, { ...HEADERS, "content-length": body.length });
    signal.removeEventListener("abort", close);
    close();
    if ("body" in answer) return { isDelivered: true };
    const outcome = readOutcome(answer);
    return outcome.isExported ? { isDelivered: true } : { ...outcome, isDelivered: false };
  }

  const reporter = startReporter({
    ...tools,
    intervalMs,
    book,
    file,
    facts: reportFacts(config),
    post: (body) =>
      post(body).catch((error: unknown) => ({
        isDelivered: false,
        reason: error instanceof Error ? error.message : String(error), // Its CA file can't be read any more.
        isRetryable: true,
        retryAfterMs: undefined,
      })),
  });
  return {
    async stop() {
      stopping.abort();
      await reporter.stop();
    },
  };
}

/** Each time, as they may have been renewed. */
async function readTrusted(
  caFile: string | undefined,
  systemRootsFile: string | undefined,
): Promise<Buffer | string[]> {
  if (caFile !== undefined) return readFileSync(caFile);
  const { rootCertificates } = await import("node:tls");
  return [...readRoots(systemRootsFile, undefined, rootCertificates)];
}

/** A query may carry a key. */
export function withoutSecrets(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint);
  return origin + pathname;
}

/** What a report says of the config. */
export function reportFacts({ serverName, usageReport, log, store }: Config): ReportFacts {
  return {
    serverName,
    isAnonymous: usageReport.isAnonymous,
    serverContext: usageReport.serverContext,
    logLevel: log.level,
    storeSpans: store.spansMax,
    storeSpansDefault: STORE_SPANS,
    version: VERSION,
    runtime: { node: process.versions.node, platform: process.platform, arch: process.arch },
  };
}

/** The report that would be sent now, from what a sidecar with this config keeps; and what is to be said about that. */
export function previewReport(
  config: Config,
  { clock, createSecret }: Pick<ReportingTools, "clock" | "createSecret">,
): { readonly report: UsageReport; readonly note: string | undefined } {
  const { isAnonymous, stateFile = "" } = config.usageReport;
  const saved = readSaved(stateFile);
  const unixMs = clock.unixMs();
  const known = typeof saved === "object" ? saved : undefined;
  const book = createUsageBook(known, { isAnonymous, unixMs, createSecret });
  const uptimeMs = known === undefined ? 0 : known.savedUnixMs - known.startedUnixMs;
  const note =
    typeof saved === "string"
      ? `${stateFile} can't be read (${saved}): nothing is counted yet, and the ids are new ones`
      : saved === undefined
        ? `there is no ${stateFile} yet: nothing is counted, and the ids are new ones`
        : `counts are those of ${new Date(saved.savedUnixMs).toISOString()}`;
  return { report: createReport(reportFacts(config), book.figures(unixMs), { unixMs, uptimeMs }), note };
}
