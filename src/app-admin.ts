/** What the admin listener answers, path by path: health, metrics, what the sidecar knows, the traces, the page. */

import { type AdminAnswer, type AdminRequest, type AdminRoute, jsonAnswer, refusal } from "./admin/answer.ts";
import { createPageRoutes } from "./admin/page-files.ts";
import { createQueryRoutes } from "./admin/query-routes.ts";
import { describeConfig } from "./config/describe.ts";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Registry } from "./metrics/registry.ts";
import type { PeerBook } from "./peer/peer-book.ts";
import { type DecisionRules, reportDecision } from "./proxy/decision-report.ts";
import { encodePeers } from "./proxy/peer-report.ts";
import type { RecentStore } from "./store/recent-store.ts";
import { createTurns, type Turns } from "./store/turns.ts";

/** Changed by app.ts as the sidecar starts and stops. */
export interface AdminState {
  isReady: boolean;
}

export interface AdminSources {
  readonly registry: Registry;
  readonly store: RecentStore;
  readonly clock: Clock;
  readonly peers: PeerBook;
  readonly config: () => Config;
  readonly rules: () => DecisionRules;
  /** Where the page's files are. */
  readonly pageDirectory: string;
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function createAdminRoutes(state: AdminState, sources: AdminSources): readonly AdminRoute[] {
  const { registry, config, clock } = sources;
  const turns = createTurns(clock);
  const routes: AdminRoute[] = [
    { pattern: "/health/live", answer: () => jsonAnswer(200, { status: "live" }) },
    {
      pattern: "/health/ready",
      answer: () =>
        state.isReady ? jsonAnswer(200, { status: "ready" }) : jsonAnswer(503, { status: "not ready" }),
    },
    { pattern: "/api/fedtrace/decide", answer: ({ query }) => decide(query, sources.rules()) },
    { pattern: "/api/fedtrace/peers", answer: () => peersAnswer(sources, turns) },
    { pattern: "/api/fedtrace/config", answer: () => jsonAnswer(200, describeConfig(config())) },
    ...createQueryRoutes(sources.store, { clock, turns }),
    ...createPageRoutes(sources.pageDirectory),
  ];
  if (config().metrics.isEnabled) {
    routes.push({
      pattern: "/metrics",
      answer: () => ({ status: 200, type: METRICS_TYPE, body: registry.format() }),
    });
  }
  return routes;
}

function peersAnswer({ peers, config, rules }: AdminSources, turns: Turns): AdminAnswer {
  const { serverName, resource } = config();
  const now = rules();
  const head = {
    server_name: serverName,
    service: resource.serviceName,
    authenticate: now.authenticate,
  };
  return { status: 200, type: "application/json", body: encodePeers(peers, now, head, turns) };
}

function decide(query: AdminRequest["query"], rules: DecisionRules): AdminAnswer {
  const direction = query.get("direction");
  const host = query.get("host") ?? "";
  if ((direction !== "in" && direction !== "out") || host === "") {
    return refusal(400, "direction is in or out, and host a server name: ?direction=in&host=hs1.example");
  }
  return jsonAnswer(200, reportDecision(rules, direction === "in" ? "inbound" : "outbound", host));
}
