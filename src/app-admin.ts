/**
 * The admin listener: what it answers, path by path: health, metrics, what the sidecar knows, the traces, the page.
 *
 * Where it gets them from is given: this process's own parts, or those of several workers (app-workers.ts).
 */

import { type AdminAnswer, type AdminRequest, type AdminRoute, jsonAnswer, refusal } from "./admin/answer.ts";
import { createPageRoutes } from "./admin/page-files.ts";
import { type AdminServer, startAdmin } from "./admin/server.ts";
import { describeConfig } from "./config/describe.ts";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import { chooseFormat, CONTENT_TYPE } from "./metrics/format.ts";
import type { FamilySnapshot } from "./metrics/snapshot.ts";
import { formatFamilies, type TextFormat } from "./metrics/text.ts";
import type { PeerBook } from "./peer/peer-book.ts";
import type { Whitelist } from "./peer/whitelist.ts";
import { type DecisionRules, reportDecision } from "./proxy/decision-report.ts";
import { encodePeers } from "./proxy/peer-report.ts";
import { createTurns, type Turns } from "./store/turns.ts";

/** Changed by whoever starts and stops the sidecar. */
export interface AdminState {
  readonly isReady: boolean;
}

/** Whom this server has met. */
interface MetPeers extends Pick<PeerBook, "peers" | "forgotten"> {
  /** What of it could not be had, a sentence each. */
  readonly missing?: readonly string[];
}

export interface AdminSources {
  readonly clock: Clock;
  readonly log: Log;
  /** As they stand now: a reload replaces both. */
  readonly config: () => Config;
  readonly whitelist: () => Whitelist;
  readonly metrics: () => readonly FamilySnapshot[] | Promise<readonly FamilySnapshot[]>;
  readonly peers: () => MetPeers | Promise<MetPeers>;
  /** Jaeger's query API. @param turns the line of all of the listener's readers */
  readonly traceRoutes: (turns: Turns) => readonly AdminRoute[];
  /** Where the page's files are. */
  readonly pageDirectory: string;
  readonly onListening?: ((name: "admin", address: string) => void) | undefined;
}

/** @returns undefined where the config has no such listener. @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startAdminListener(
  state: AdminState,
  sources: AdminSources,
): Promise<AdminServer | undefined> {
  const { admin: config } = sources.config();
  if (config === undefined) return undefined;
  const admin = await startAdmin({
    ...config.listen,
    hosts: () => sources.config().admin?.hosts ?? [],
    log: sources.log,
    routes: createAdminRoutes(state, sources),
  });
  sources.onListening?.("admin", admin.address);
  return admin;
}

function createAdminRoutes(state: AdminState, sources: AdminSources): readonly AdminRoute[] {
  const { config, clock, metrics } = sources;
  const turns = createTurns(clock);
  const routes: AdminRoute[] = [
    { pattern: "/health/live", answer: () => jsonAnswer(200, { status: "live" }) },
    {
      pattern: "/health/ready",
      answer: () =>
        state.isReady ? jsonAnswer(200, { status: "ready" }) : jsonAnswer(503, { status: "not ready" }),
    },
    { pattern: "/api/fedtrace/decide", answer: ({ query }) => decide(query, rulesOf(sources)) },
    { pattern: "/api/fedtrace/peers", answer: () => peersAnswer(sources, turns) },
    { pattern: "/api/fedtrace/config", answer: () => jsonAnswer(200, describeConfig(config())) },
    ...sources.traceRoutes(turns),
    ...createPageRoutes(sources.pageDirectory),
  ];
  if (config().metrics.isEnabled) {
    routes.push({
      pattern: "/metrics",
      answer: async ({ header }) => metricsAnswer(await metrics(), chooseFormat(header("accept")), turns),
    });
  }
  return routes;
}

/** Whole, and bounded by `metrics.size`: a scrape must not wait behind readers of the page, of whom so many may be at a time. */
async function metricsAnswer(
  families: readonly FamilySnapshot[],
  format: TextFormat,
  turns: Turns,
): Promise<AdminAnswer> {
  return {
    status: 200,
    type: CONTENT_TYPE[format],
    body: await inTurns(formatFamilies(families, format), turns),
    headers: { vary: "accept, accept-encoding" },
  };
}

/** Ten thousand series are some ten milliseconds of work: requests go in between. */
async function inTurns(pieces: Iterable<string>, turns: Turns): Promise<readonly Buffer[]> {
  const written: Buffer[] = [];
  await turns.take();
  for (const piece of pieces) {
    written.push(Buffer.from(piece));
    if (turns.isOver()) await turns.take();
  }
  return written;
}

function rulesOf({ config, whitelist }: AdminSources): DecisionRules {
  const now = config();
  return {
    whitelist: whitelist(),
    entries: now.whitelist.length,
    formats: now.propagation.formats,
    outboundIds: now.propagation.outboundIds,
    authenticate: now.inbound?.authenticate ?? "signature",
  };
}

async function peersAnswer(sources: AdminSources, turns: Turns): Promise<AdminAnswer> {
  const { serverName, resource } = sources.config();
  const rules = rulesOf(sources);
  const met = await sources.peers();
  const { missing = [] } = met;
  const head = {
    server_name: serverName,
    service: resource.serviceName,
    authenticate: rules.authenticate,
    ...(missing.length > 0 ? { missing } : {}),
  };
  return { status: 200, type: "application/json", body: encodePeers(met, rules, head, turns) };
}

function decide(query: AdminRequest["query"], rules: DecisionRules): AdminAnswer {
  const direction = query.get("direction");
  const host = query.get("host") ?? "";
  if ((direction !== "in" && direction !== "out") || host === "") {
    return refusal(400, "direction is in or out, and host a server name: ?direction=in&host=hs1.example");
  }
  return jsonAnswer(200, reportDecision(rules, direction === "in" ? "inbound" : "outbound", host));
}
