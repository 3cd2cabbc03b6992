/**
 * observability-docker-compose.yml over jaeger-docker-compose.yml, and the configs of Prometheus and Grafana: every path, name, port and
 * uid of one against the others and the sidecars' configs. Prometheus and its rules run for real in test/real/prometheus.test.ts.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { at, COMPOSE_KEYS, configAt, readYamlFile, textsOf, type Tree } from "./deployment.ts";
import { readDashboard, readSpanQueries } from "./observability.ts";

const demo = readYamlFile("deploy/jaeger-docker-compose.yml");
const compose = readYamlFile("deploy/observability-docker-compose.yml");
const added = compose["services"] as Readonly<Record<string, Tree>>;
/** As `docker compose -f one -f other` merges them: none of the second's names is one of the first's. */
const services: Readonly<Record<string, Tree>> = {
  ...(demo["services"] as Readonly<Record<string, Tree>>),
  ...added,
};
const prometheus = readYamlFile("deploy/prometheus/prometheus.yml");
const { datasources } = readYamlFile("deploy/grafana/provisioning/datasources/fedtrace.yml") as {
  datasources: readonly Tree[];
};
const sourceOf = (uid: string): Tree | undefined => datasources.find((source) => source["uid"] === uid);

/** Path in the container → where it is here; undefined where it is not mounted. */
function mounted(name: string, path: string): string | undefined {
  for (const volume of textsOf(at(services, name, "volumes"))) {
    const [source = "", target = ""] = volume.split(":");
    if (path === target || path.startsWith(`${target}/`))
      return join("deploy", source, path.slice(target.length));
  }
  return undefined;
}

/** Ports that a service publishes, by the port in the container. */
const publishedBy = (name: string): ReadonlyMap<number, number> =>
  new Map(
    ((at(services, name, "ports") ?? []) as readonly string[]).map((port) => {
      const [, outside, inside] = port.split(":").map(Number);
      return [inside ?? 0, outside ?? 0];
    }),
  );

describe.each(Object.keys(added))("service %s", (name) => {
  it("is none of the demo's, and has known keys", () => {
    expect(at(demo, "services", name)).toBeUndefined();
    expect(Object.keys(added[name] ?? {}).filter((key) => !COMPOSE_KEYS.has(key))).toEqual([]);
  });

  it("publishes on loopback only, and where nobody else does", () => {
    for (const port of textsOf(at(added, name, "ports"))) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const all = Object.keys(services).flatMap((other) => [...publishedBy(other).values()]);
    expect(new Set(all).size).toBe(all.length);
  });

  it("mounts what exists, read-only", () => {
    for (const volume of textsOf(at(added, name, "volumes"))) {
      const [source = "", , mode] = volume.split(":");
      expect(existsSync(join("deploy", source)), source).toBe(true);
      expect(mode).toBe("ro");
    }
  });

  it("waits for services that exist and have a health check, and is in the demo's network", () => {
    for (const [other, wait] of Object.entries((at(added, name, "depends_on") ?? {}) as Tree)) {
      expect(wait).toEqual({ condition: "service_healthy" });
      expect(at(services, other, "healthcheck", "test", 0)).toBe("CMD");
    }
    for (const network of textsOf(at(added, name, "networks")))
      expect(demo["networks"]).toHaveProperty(network);
  });

  it("is an image of a release", () => {
    expect(at(added, name, "image")).toMatch(/^(?:prom\/prometheus:v2\.53|grafana\/grafana:11\.6)\.\d+$/);
  });
});

it("has its files started with those of the demo, as its header and the guide say", () => {
  const command =
    "docker compose -f deploy/jaeger-docker-compose.yml -f deploy/observability-docker-compose.yml up --build";
  expect(readFileSync("deploy/observability-docker-compose.yml", "utf8")).toContain(command);
  expect(readFileSync("docs/guides/grafana.md", "utf8")).toContain(command);
});

describe("Prometheus", () => {
  it("reads its config and rules where they are mounted, and keeps exemplars", () => {
    const words = textsOf(at(services, "prometheus", "command"));
    const config =
      words.find((word) => word.startsWith("--config.file="))?.slice("--config.file=".length) ?? "";
    expect(mounted("prometheus", config)).toBe("deploy/prometheus/prometheus.yml");
    for (const file of textsOf(prometheus["rule_files"])) {
      expect(existsSync(join("deploy/prometheus", file)), file).toBe(true);
      expect(file).not.toMatch(/test/);
    }
    expect(words).toContain("--enable-feature=exemplar-storage");
  });

  it("asks each sidecar's admin listener, by a name that this takes", async () => {
    const targets = textsOf(at(prometheus, "scrape_configs", 0, "static_configs", 0, "targets"));
    const sidecars = Object.keys(services).filter((name) => name.startsWith("sidecar-"));
    expect(targets).toHaveLength(sidecars.length);
    for (const name of sidecars) {
      const { admin } = await configAt(`deploy/demo/${name.replace("sidecar-", "")}.yaml`);
      const server = String(at(services, name, "network_mode")).replace("service:", "");
      const [alias = ""] = textsOf(at(services, server, "networks", "federation", "aliases"));
      expect(targets).toContain(`${alias}:${admin?.listen.port}`);
      expect(admin?.listen.host).toBe("0.0.0.0");
      expect(admin?.hosts).toContain(alias);
    }
  });

  it("calls the job as the alerts do, and looks as often as Grafana is told", () => {
    const job = String(at(prometheus, "scrape_configs", 0, "job_name"));
    const jobs = [...readFileSync("deploy/prometheus/alerts.yml", "utf8").matchAll(/job="([^"]*)"/g)];
    expect(jobs.length).toBeGreaterThan(2);
    expect(new Set(jobs.map(([, name]) => name))).toEqual(new Set([job]));
    expect(at(sourceOf("prometheus"), "jsonData", "timeInterval")).toBe(
      at(prometheus, "global", "scrape_interval"),
    );
  });

  it("is asked for its health where it listens", () => {
    const url = new URL(textsOf(at(services, "prometheus", "healthcheck", "test")).at(-1) ?? "");
    expect([url.hostname, url.pathname]).toEqual(["127.0.0.1", "/-/ready"]);
    expect([...publishedBy("prometheus").keys()]).toEqual([Number(url.port)]);
  });
});

describe("Grafana", () => {
  it("finds its data sources and dashboards where Grafana looks for them", () => {
    expect(mounted("grafana", "/etc/grafana/provisioning")).toBe("deploy/grafana/provisioning");
    expect(readdirSync("deploy/grafana/provisioning").toSorted()).toEqual(["dashboards", "datasources"]);
    const providers = readYamlFile("deploy/grafana/provisioning/dashboards/fedtrace.yml")[
      "providers"
    ] as readonly Tree[];
    const paths = providers.map((provider) => mounted("grafana", String(at(provider, "options", "path"))));
    expect(paths).toEqual(["deploy/grafana/dashboards"]);
  });

  it.each([
    ["prometheus", "prometheus"],
    ["jaeger", "jaeger"],
  ])("reaches %s by its service's name and port", (uid, name) => {
    const url = new URL(String(sourceOf(uid)?.["url"]));
    expect(url.hostname).toBe(name);
    expect(publishedBy(name).has(Number(url.port))).toBe(true);
  });

  it("leads from an exemplar to its trace, and from a span to its peer", () => {
    expect(at(sourceOf("prometheus"), "jsonData", "exemplarTraceIdDestinations")).toEqual([
      { name: "trace_id", datasourceUid: "jaeger" },
    ]);
    const { tracesToMetrics, nodeGraph } = at(sourceOf("jaeger"), "jsonData") as Readonly<
      Record<string, Tree>
    >;
    expect(tracesToMetrics?.["datasourceUid"]).toBe("prometheus");
    expect(tracesToMetrics?.["tags"]).toEqual([{ key: "fedtrace.peer.name", value: "peer" }]);
    expect(nodeGraph).toEqual({ enabled: true });
    // Provisioning files have variables of their own: an undoubled dollar would be one.
    for (const { query } of readSpanQueries()) expect(query).not.toMatch(/(?<!\$)\$(?!\$)/);
  });

  it("says on its port, and in the header, where the dashboard is", () => {
    const [outside] = publishedBy("grafana").values();
    const url = `http://127.0.0.1:${outside}/d/${readDashboard().uid}`;
    expect(readFileSync("deploy/observability-docker-compose.yml", "utf8")).toContain(url);
  });

  it("lets visitors follow a trace, and has no account with a default password", () => {
    expect(at(services, "grafana", "environment")).toMatchObject({
      GF_AUTH_ANONYMOUS_ENABLED: "true",
      GF_AUTH_ANONYMOUS_ORG_ROLE: "Editor",
      GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true",
    });
  });
});
