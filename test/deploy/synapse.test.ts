/**
 * deploy/synapse: Synapse's settings, the sidecar's config and the compose file against each other, Jaeger's settings, the
 * guide and the program. They run for real in test/real/synapse-deploy.test.ts.
 */

import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { RELOAD_CHECKS } from "../../src/commands/config-checks.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/merge.ts";
import { type Environment, runCli, temporaryDirectory } from "../support/cli.ts";
import {
  at,
  COMPOSE_KEYS,
  commandFaults,
  endpointsOf,
  FLUSH_MS,
  knownCommands,
  readYamlFile,
  textsOf,
  type Tree,
} from "./deployment.ts";

const COMPOSE = "deploy/synapse/docker-compose.yml";
const compose = readYamlFile(COMPOSE);
const services = compose["services"] as Readonly<Record<string, Tree>>;
const homeserver = readYamlFile("deploy/synapse/homeserver-fedtrace.yaml");
const jaegerEndpoints = endpointsOf(readYamlFile("deploy/jaeger/jaeger.yaml"));
/** Certificate and key, which every operator has of his own. */
const OWN_FILES = ["fullchain.pem", "privkey.pem"];
const ENVIRONMENT = { SERVER_NAME: "hs1.example", FEDTRACE_SECRET: "secret" };

/** The sidecar's config in a directory with a certificate. */
function configFile(): string {
  const directory = temporaryDirectory();
  copyFileSync("test/fixtures/synapse/hs1.pem", join(directory, "fullchain.pem"));
  copyFileSync("test/fixtures/synapse/hs1.key", join(directory, "privkey.pem"));
  const path = join(directory, "fedtrace.yaml");
  copyFileSync("deploy/synapse/fedtrace.yaml", path);
  return path;
}

async function sidecarConfig(environment: Environment = ENVIRONMENT): Promise<Config> {
  const loaded = await loadConfig(configFile(), RELOAD_CHECKS, environment);
  if (!loaded.ok) throw new Error(loaded.faults.map(({ message }) => message).join("\n"));
  return loaded.config;
}

const words = (name: string): readonly string[] => textsOf(at(services, name, "command"));
const [listener] = homeserver["listeners"] as readonly Tree[];

/** As source, target and mode. */
function mountsOf(name: string): readonly (readonly string[])[] {
  return textsOf(at(services, name, "volumes")).map((volume) => volume.split(":"));
}

describe("every service", () => {
  const names = Object.keys(services);

  it.each(names)("%s has known keys", (name) => {
    expect(Object.keys(services[name] ?? {}).filter((key) => !COMPOSE_KEYS.has(key))).toEqual([]);
  });

  it.each(names)("%s mounts what exists, read-only, or what the first steps make", (name) => {
    for (const [source = "", , mode] of mountsOf(name)) {
      if (!source.startsWith(".")) {
        expect(Object.keys(compose["volumes"] as Tree)).toContain(source);
        continue;
      }
      expect(mode).toBe("ro");
      const isOwn = OWN_FILES.includes(basename(source));
      expect(isOwn || existsSync(join(dirname(COMPOSE), source)), source).toBe(true);
    }
  });

  it.each(names)("%s waits for services that have a health check", (name) => {
    for (const [other, wait] of Object.entries((at(services, name, "depends_on") ?? {}) as Tree)) {
      expect(wait).toEqual({ condition: "service_healthy" });
      expect(at(services, other, "healthcheck", "test", 0)).toBe("CMD");
    }
  });

  it.each(names.filter((name) => name !== "synapse"))(
    "%s is in Synapse's network, and publishes there",
    (name) => {
      expect(at(services, name, "network_mode")).toBe("service:synapse");
      expect(at(services, name, "ports")).toBeUndefined();
    },
  );

  it("is what the demo's compose file has of it", () => {
    const demo = readYamlFile("deploy/jaeger-docker-compose.yml");
    for (const key of ["image", "command", "restart", "healthcheck"]) {
      expect(at(services, "jaeger", key), key).toEqual(at(demo, "services", "jaeger", key));
    }
    for (const key of ["image", "restart", "read_only", "cap_drop", "security_opt"]) {
      expect(at(services, "sidecar", key), key).toEqual(at(demo, "services", "sidecar-one", key));
    }
    expect(at(services, "sidecar", "build")).toEqual({ context: "../..", dockerfile: "deploy/Dockerfile" });
  });
});

describe("the compose file", () => {
  it("runs the Synapse that the tests have", () => {
    const [, version] =
      /^matrix-synapse\[opentracing\]==(\S+)$/m.exec(
        readFileSync("test/real/synapse-requirements.txt", "utf8"),
      ) ?? [];
    expect(at(services, "synapse", "image")).toBe(`matrixdotorg/synapse:v${version}`);
  });

  it("gives Synapse its settings last, so that they replace those that it made", () => {
    const configs = words("synapse").filter((_, index, all) => all[index - 1] === "--config-path");
    const [data, settings] = mountsOf("synapse");
    expect(configs).toEqual([`${data?.[1]}/homeserver.yaml`, settings?.[1]]);
    expect(settings?.[0]).toBe("./homeserver-fedtrace.yaml");
  });

  it("gives the sidecar its config, and what that names beside it", async () => {
    expect(commandFaults(await knownCommands(), words("sidecar"))).toEqual([]);
    const [config = [], ...others] = mountsOf("sidecar");
    expect(config[0]).toBe("./fedtrace.yaml");
    expect(words("sidecar")).toEqual(["run", "--config", config[1]]);
    const directory = dirname(config[1] ?? "");
    expect(others.map(([source, target]) => [source, target])).toEqual(
      OWN_FILES.map((name) => [`./${name}`, join(directory, name)]),
    );
    const { certificate, private_key: key } = at(
      parse(readFileSync("deploy/synapse/fedtrace.yaml", "utf8")),
      "inbound",
      "tls",
    ) as Record<string, string>;
    expect([certificate, key]).toEqual(OWN_FILES);
  });

  it("publishes the sidecar for all, its page and Jaeger's on loopback only", async () => {
    const environment = at(services, "sidecar", "environment") as Record<string, string>;
    const { FEDTRACE_ADMIN = "" } = environment;
    const { inbound, admin } = await sidecarConfig({ ...ENVIRONMENT, FEDTRACE_ADMIN });
    expect([inbound?.listen.host, admin?.listen.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
    const [own, page] = [inbound?.listen.port, admin?.listen.port];
    const jaegers = 16_686;
    expect(jaegerEndpoints).toContain(`0.0.0.0:${jaegers}`);
    expect(at(services, "synapse", "ports")).toEqual([
      `${own}:${own}`,
      `127.0.0.1:${page}:${page}`,
      `127.0.0.1:${jaegers}:${jaegers}`,
    ]);
    expect((await sidecarConfig()).admin?.listen).toEqual({ host: "127.0.0.1", port: page }); // Without containers.
  });

  it("asks Synapse for its health where it listens", () => {
    expect(textsOf(at(services, "synapse", "healthcheck", "test")).at(-1)).toBe(
      `http://127.0.0.1:${String(listener?.["port"])}/health`,
    );
  });

  it("names in its first steps the variables that it wants, and hands the config those that it reads", () => {
    const text = readFileSync(COMPOSE, "utf8");
    const steps = text.slice(0, text.indexOf("\nname:"));
    for (const [, name = ""] of text.matchAll(/\$\{(\w+):\?\}/g)) expect(steps).toContain(`${name}=`);
    const read = [...readFileSync("deploy/synapse/fedtrace.yaml", "utf8").matchAll(/\$\{(\w+)/g)];
    const given = Object.keys(at(services, "sidecar", "environment") as Tree);
    expect(given.toSorted()).toEqual([...new Set(read.map(([, name = ""]) => name))].toSorted());
  });

  it("gives the sidecar more time to stop than the drain takes", async () => {
    const seconds = /^(\d+)s$/.exec(String(at(services, "sidecar", "stop_grace_period")))?.[1];
    expect(Number(seconds) * 1000).toBeGreaterThan((await sidecarConfig()).limits.drainMs + FLUSH_MS);
  });
});

describe("the sidecar's config", () => {
  it("passes check with its variables set, and not without the secret", async () => {
    const path = configFile();
    const checked = await runCli(["check", "--config", path], { environment: ENVIRONMENT });
    expect({ status: checked.status, stdout: checked.stdout }).toEqual({
      status: 0,
      stdout: `${path}: valid\n`,
    });
    const without = await runCli(["check", "--config", path], {
      environment: { SERVER_NAME: "hs1.example" },
    });
    expect(without.status).not.toBe(0);
    expect(without.stdout + without.stderr).toContain("FEDTRACE_SECRET");
  });

  it("leads to the only listener of Synapse, which nobody else reaches", async () => {
    const { inbound } = await sidecarConfig();
    expect(homeserver["listeners"]).toHaveLength(1);
    expect(inbound?.upstream).toEqual([{ kind: "tcp", host: "127.0.0.1", port: listener?.["port"] }]);
    expect(listener).toMatchObject({ bind_addresses: ["127.0.0.1"], tls: false, x_forwarded: true });
  });

  it("is where Synapse sends what goes out, with a secret that may stand in a header", async () => {
    const { outbound } = await sidecarConfig();
    const instances = homeserver["instance_map"] as Tree;
    expect(Object.values(instances)).toEqual([outbound?.listen]);
    expect(homeserver["outbound_federation_restricted_to"]).toEqual(Object.keys(instances));
    const secret = String(homeserver["worker_replication_secret"]);
    expect((await sidecarConfig({ ...ENVIRONMENT, FEDTRACE_SECRET: secret })).outbound).toBeDefined();
  });

  it("exports to a receiver that Jaeger has, as Synapse does", async () => {
    const [otlp] = (await sidecarConfig()).exports;
    const url = new URL(otlp?.kind === "otlp" ? otlp.url : "");
    expect(jaegerEndpoints).toContain(`0.0.0.0:${url.port}`);
    const agent = at(homeserver, "opentracing", "jaeger_config", "local_agent") as Tree;
    const compact = at(
      readYamlFile("deploy/jaeger/jaeger.yaml"),
      "receivers",
      "jaeger",
      "protocols",
      "thrift_compact",
      "endpoint",
    );
    expect(compact).toBe(`0.0.0.0:${String(agent["reporting_port"])}`);
    expect([url.hostname, agent["reporting_host"]]).toEqual(["127.0.0.1", "127.0.0.1"]);
  });
});

it("is what the guide shows", () => {
  const guide = readFileSync("docs/guides/synapse.md", "utf8");
  const shown = [...guide.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = ""]) => parse(text) as Tree);
  const own = readYamlFile("deploy/synapse/fedtrace.yaml");
  for (const key of ["listeners", "instance_map", "outbound_federation_restricted_to", "opentracing"]) {
    const blocks = shown.filter((block) => key in block);
    expect(
      blocks.map((block) => block[key]),
      key,
    ).toEqual([homeserver[key]]);
  }
  expect(shown.map((block) => block["outbound"])).toContainEqual(own["outbound"]);
});
