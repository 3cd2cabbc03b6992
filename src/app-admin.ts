/** What the admin listener answers, path by path. */

import { type AdminRoute, jsonAnswer, refusal } from "./admin/server.ts";
import type { Registry } from "./metrics/registry.ts";
import { type DecisionRules, reportDecision } from "./proxy/decision-report.ts";

/** Changed by app.ts as the sidecar starts and stops. */
export interface AdminState {
  isReady: boolean;
}

export interface AdminSources {
  readonly isMetricsEnabled: boolean;
  readonly registry: Registry;
  readonly rules: () => DecisionRules;
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function createAdminRoutes(state: AdminState, sources: AdminSources): ReadonlyMap<string, AdminRoute> {
  const routes: [string, AdminRoute][] = [
    ["/health/live", () => jsonAnswer(200, { status: "live" })],
    [
      "/health/ready",
      () => (state.isReady ? jsonAnswer(200, { status: "ready" }) : jsonAnswer(503, { status: "not ready" })),
    ],
    ["/api/fedtrace/decide", (query) => decide(query, sources.rules())],
  ];
  if (sources.isMetricsEnabled) {
    routes.push(["/metrics", () => ({ status: 200, type: METRICS_TYPE, body: sources.registry.format() })]);
  }
  return new Map(routes);
}

function decide(query: URLSearchParams, rules: DecisionRules): ReturnType<AdminRoute> {
  const direction = query.get("direction");
  const host = query.get("host") ?? "";
  if ((direction !== "in" && direction !== "out") || host === "") {
    return refusal(400, "direction is in or out, and host a server name: ?direction=in&host=hs1.example");
  }
  return jsonAnswer(200, reportDecision(rules, direction === "in" ? "inbound" : "outbound", host));
}
