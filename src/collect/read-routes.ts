/** What a reader may ask for: the summary, both exports; and health and metrics, which anybody may. Not here: who may read (access.ts). */

import { type AdminAnswer, type AdminRoute, jsonAnswer } from "../admin/answer.ts";
import type { Log } from "../core/log.ts";
import { chooseFormat, CONTENT_TYPE } from "../metrics/format.ts";
import type { Registry } from "../metrics/registry.ts";
import { formatText } from "../metrics/text.ts";
import { errorAnswer, laterAnswer } from "./error-answer.ts";
import { exportCsv, exportJson, type ExportQuery } from "./export.ts";
import type { ReportStore } from "./report-store.ts";
import { SUMMARY_DAYS, type SummaryReader } from "./summary.ts";

export interface ReadRouteTools {
  readonly store: ReportStore;
  readonly summary: SummaryReader;
  readonly registry: Registry;
  /** Throttled. */
  readonly log: Log;
  /** Resolves to whether the storage is of use now. */
  readonly isReady: () => Promise<boolean>;
}

const AWAY_SECONDS = 5;
/** The end of what a whole number of seconds may be. */
const SECONDS_MAX = 2 ** 40;
const INSTANCE_LENGTH_MAX = 255;

export function createReadRoutes(tools: ReadRouteTools): readonly AdminRoute[] {
  const { store, summary, registry, log, isReady } = tools;

  async function summarize(query: URLSearchParams): Promise<AdminAnswer> {
    const days = wholeNumber(query.get("days") ?? String(SUMMARY_DAYS.usual), SUMMARY_DAYS);
    if (days === undefined) {
      const allowed = `from ${SUMMARY_DAYS.least} to ${SUMMARY_DAYS.most}`;
      return errorAnswer("QUERY_MALFORMED", `days is a whole number ${allowed}`);
    }
    try {
      return jsonAnswer(200, await summary.read(days));
    } catch (error) {
      return away("summary failed", error);
    }
  }

  function away(message: string, error: unknown): AdminAnswer {
    log.error(message, { reason: error instanceof Error ? error.message : String(error) });
    return laterAnswer("STORAGE_AWAY", "the storage fails; try again", AWAY_SECONDS);
  }

  async function exported(query: URLSearchParams, form: "json" | "csv"): Promise<AdminAnswer> {
    const asked = readExportQuery(query);
    if (asked === undefined) {
      const sentence = `since and until are whole seconds since 1970, instance is a name of at most ${INSTANCE_LENGTH_MAX} characters`;
      return errorAnswer("QUERY_MALFORMED", sentence);
    }
    const pieces = form === "json" ? exportJson(store, asked) : exportCsv(store, asked);
    let first: string;
    try {
      first = (await pieces.next()).value ?? "";
    } catch (error) {
      return away("export failed", error);
    }
    return {
      status: 200,
      type: form === "json" ? "application/json" : "text/csv; charset=utf-8; header=present",
      body: continued(first, pieces, (error) => away("export failed", error)),
      headers: { "content-disposition": `attachment; filename="fedtrace-reports.${form}"` },
    };
  }

  return [
    { pattern: "/api/summary", answer: ({ query }) => summarize(query) },
    { pattern: "/api/reports.json", answer: ({ query }) => exported(query, "json") },
    { pattern: "/api/reports.csv", answer: ({ query }) => exported(query, "csv") },
    { pattern: "/health/live", answer: () => jsonAnswer(200, { status: "live" }) },
    {
      pattern: "/health/ready",
      answer: async () =>
        (await isReady()) ? jsonAnswer(200, { status: "ready" }) : jsonAnswer(503, { status: "not ready" }),
    },
    {
      pattern: "/metrics",
      answer({ header }) {
        const format = chooseFormat(header("accept"));
        return {
          status: 200,
          type: CONTENT_TYPE[format],
          body: formatText(registry.collect(), format),
          headers: { vary: "accept, accept-encoding" },
        };
      },
    },
  ];
}

/** @param onFailed told of what breaks it off; a reader who leaves does not */
async function* continued(
  first: string,
  rest: AsyncIterable<string>,
  onFailed: (error: unknown) => void,
): AsyncGenerator<string> {
  yield first;
  try {
    yield* rest;
  } catch (error) {
    onFailed(error);
    throw error;
  }
}

function readExportQuery(query: URLSearchParams): ExportQuery | undefined {
  const bounds = { least: 0, most: SECONDS_MAX };
  const since = wholeNumber(query.get("since") ?? "0", bounds);
  const until = wholeNumber(query.get("until") ?? String(SECONDS_MAX), bounds);
  const instance = query.get("instance") ?? undefined;
  const isName = instance === undefined || /^[^\p{C}]{1,255}$/u.test(instance);
  return since === undefined || until === undefined || !isName ? undefined : { since, until, instance };
}

function wholeNumber(
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}
