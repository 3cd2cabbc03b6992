/**
 * jaeger-docker-compose.yml, Jaeger's settings and the two sidecars' configs: every port, address, name, path, flag and
 * network of one against the others and the program. They run for real in test/real/deploy.test.ts.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/merge.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";
import { temporaryDirectory } from "../support/cli.ts";
import {
  at,
  commandFaults,
  COMPOSE_KEYS,
  configAt,
  dockerInstructions,
  endpointsOf,
  FLUSH_MS,
  knownCommands,
  readYamlFile,
  textsOf,
  type Tree,
} from "./deployment.ts";
import { startProcess } from "./process.ts";

const compose = readYamlFile("deploy/jaeger-docker-compose.yml");
const jaeger = readYamlFile("deploy/jaeger/jaeger.yaml");
const services = compose["services"] as Readonly<Record<string, Tree>>;
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const PAIRS = ["one", "two"] as const;

function service(name: string): Tree {
  const found = services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
}

function words(name: string): readonly string[] {
  return textsOf(service(name)["command"]);
}

/** `--name=value` of a service's command. */
function flagOf(name: string, flag: string): string | undefined {
  return words(name)
    .find((word) => word.startsWith(`--${flag}=`))
    ?.slice(flag.length + 3);
}

const sidecarConfig = (name: string): Promise<Config> => configAt(`deploy/demo/${name}.yaml`);

const jaegerEndpoints = endpointsOf(jaeger);

describe("every service", () => {
  it.each(Object.keys(services))("%s has known keys", (name) => {
    expect(Object.keys(service(name)).filter((key) => !COMPOSE_KEYS.has(key))).toEqual([]);
  });

  it.each(Object.keys(services))("%s publishes on loopback only", (name) => {
    for (const port of (service(name)["ports"] ?? []) as string[])
      expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it.each(Object.keys(services))("%s mounts what exists, read-only", (name) => {
    for (const volume of (service(name)["volumes"] ?? []) as string[]) {
      const [source = "", , mode] = volume.split(":");
      expect(existsSync(join("deploy", source)), source).toBe(true);
      expect(mode).toBe("ro");
    }
  });

  it.each(Object.keys(services))("%s waits for services that exist and have a health check", (name) => {
    for (const [other, wait] of Object.entries((service(name)["depends_on"] ?? {}) as Tree)) {
      expect(wait).toEqual({ condition: "service_healthy" });
      expect(at(services, other, "healthcheck", "test", 0)).toBe("CMD");
    }
  });

  it("of ours is the image of this version, built by the Dockerfile", () => {
    for (const [name, { image, build }] of Object.entries(services)) {
      if (name === "jaeger") continue;
      expect(image).toBe(`fedtrace:${version}`);
      expect(build).toEqual({ context: "..", dockerfile: "deploy/Dockerfile" });
    }
    expect(existsSync("deploy/Dockerfile")).toBe(true);
  });
});

describe("Jaeger", () => {
  it("is Jaeger 2: the images of Jaeger 1 are retired", () => {
    expect(service("jaeger")["image"]).toMatch(/^jaegertracing\/jaeger:2\.\d+\.\d+$/);
  });

  it("reads the settings that are mounted", () => {
    const [volume = ""] = textsOf(service("jaeger")["volumes"]);
    const [source = "", target = ""] = volume.split(":");
    const paths = [
      ...words("jaeger").map((word) => word.replace("--config=file:", "")),
      at(jaeger, "extensions", "remote_sampling", "file", "path"),
    ];
    for (const path of paths) {
      expect(path).toMatch(new RegExp(`^${target}/`));
      expect(existsSync(join("deploy", source, String(path).slice(target.length)))).toBe(true);
    }
    JSON.parse(readFileSync("deploy/jaeger/sampling.json", "utf8"));
  });

  it("publishes its page and OTLP, which it listens for on every address", () => {
    const published = textsOf(service("jaeger")["ports"]).map((port) => port.split(":").map(Number).slice(1));
    expect(published).toEqual([
      [16_686, 16_686],
      [4318, 4318],
    ]);
    for (const [, port] of published) expect(jaegerEndpoints).toContain(`0.0.0.0:${port}`);
  });

  it("is asked for its health where it answers", () => {
    const url = textsOf(at(service("jaeger"), "healthcheck", "test")).at(-1);
    expect(url).toBe(
      `http://${String(at(jaeger, "extensions", "healthcheckv2", "http", "endpoint"))}/status`,
    );
  });

  it("names in its pipeline what it defines, and nothing twice", () => {
    const { receivers, processors, exporters } = at(jaeger, "service", "pipelines", "traces") as Record<
      string,
      string[]
    >;
    expect(Object.keys(at(jaeger, "receivers") as Tree)).toEqual(receivers);
    expect(Object.keys(at(jaeger, "processors") as Tree)).toEqual(processors);
    expect(Object.keys(at(jaeger, "exporters") as Tree)).toEqual(exporters);
    expect(Object.keys(at(jaeger, "extensions") as Tree).toSorted()).toEqual(
      textsOf(at(jaeger, "service", "extensions")).toSorted(),
    );
    expect(new Set(jaegerEndpoints).size).toBe(jaegerEndpoints.length);
  });
});

describe.each(PAIRS)("server and sidecar %s", (name) => {
  const server = `server-${name}`;
  const sidecar = `sidecar-${name}`;
  const other = name === "one" ? "two" : "one";

  it("are started with commands and flags that exist", async () => {
    const known = await knownCommands();
    expect(commandFaults(known, words(server))).toEqual([]);
    expect(commandFaults(known, words(sidecar))).toEqual([]);
  });

  it("share one network, in which their addresses meet", async () => {
    expect(service(sidecar)["network_mode"]).toBe(`service:${server}`);
    const { inbound, outbound } = await sidecarConfig(name);
    expect(inbound?.upstream).toEqual([
      {
        kind: "tcp",
        host: "127.0.0.1",
        port: Number(flagOf(server, "listen")?.split(":")[1]),
      },
    ]);
    expect(flagOf(server, "listen")).toMatch(/^127\.0\.0\.1:/);
    expect(flagOf(server, "proxy")).toBe(`${outbound?.listen.host}:${outbound?.listen.port}`);
  });

  it("have one name, under which the other finds them", async () => {
    const { serverName, inbound, outbound } = await sidecarConfig(name);
    expect(flagOf(server, "name")).toBe(serverName);
    const [host, port] = serverName.split(":");
    expect(at(service(server), "networks", "federation", "aliases")).toEqual([host]);
    expect(inbound?.listen).toEqual({ host: "0.0.0.0", port: Number(port) });
    expect(outbound?.allowNetworks).toEqual([
      at(compose, "networks", "federation", "ipam", "config", 0, "subnet"),
    ]);
    const target = flagOf(server, "send-to");
    if (target !== undefined) expect(target).toBe((await sidecarConfig(other)).serverName);
  });

  it("have the other on the whitelist", async () => {
    const whitelist = await createWhitelist((await sidecarConfig(name)).whitelist);
    expect(whitelist.decide((await sidecarConfig(other)).serverName).isWhitelisted).toBe(true);
    expect(whitelist.decide("stranger.example:8448").isWhitelisted).toBe(false);
  });

  it("mount the config that is run, and publish its admin listener", async () => {
    const [source = "", target] = textsOf(service(sidecar)["volumes"])[0]?.split(":") ?? [];
    expect(words(sidecar)).toEqual(["run", "--config", target]);
    expect(source).toBe(`./demo/${name}.yaml`);
    const { admin } = await sidecarConfig(name);
    expect(admin?.listen.host).toBe("0.0.0.0");
    expect(textsOf(service(server)["ports"]).map((port) => port.split(":")[2])).toEqual([
      String(admin?.listen.port),
    ]);
    // The image's health check asks there too.
    const health = dockerInstructions(readFileSync("deploy/Dockerfile", "utf8")).find(
      (one) => one.name === "HEALTHCHECK",
    );
    expect(health?.text).toContain(`127.0.0.1:${admin?.listen.port}/health/ready`);
  });

  it("send their spans to a receiver that Jaeger has", async () => {
    const { exports, sampling } = await sidecarConfig(name);
    const [otlp] = exports;
    expect(exports).toHaveLength(1);
    const url = new URL(otlp?.kind === "otlp" ? otlp.url : "");
    expect(Object.keys(services)).toContain(url.hostname);
    expect(at(jaeger, "receivers", "otlp", "protocols", "http", "endpoint")).toBe(`0.0.0.0:${url.port}`);
    expect(url.pathname).toBe("/v1/traces");
    expect(sampling).toMatchObject({ type: "const", param: 1 });
  });

  it("are given more time to stop than the drain takes", async () => {
    const seconds = /^(\d+)s$/.exec(String(service(sidecar)["stop_grace_period"]))?.[1];
    expect(Number(seconds) * 1000).toBeGreaterThan((await sidecarConfig(name)).limits.drainMs + FLUSH_MS);
  });

  it("have a health check that the server passes", async () => {
    const [, node, ...args] = textsOf(at(service(server), "healthcheck", "test"));
    expect(node).toBe("/nodejs/bin/node");
    const listen = flagOf(server, "listen") ?? "";
    expect(args.join(" ")).toContain(`http://${listen}/`);
    const own = words(server).map((word) => word.replace(`--listen=${listen}`, "--listen=127.0.0.1:0"));
    const running = startProcess(["dist/cli.js", ...own]);
    const [address = ""] = /[\d.]+:\d+$/.exec(await running.until(/ listening on /)) ?? [];
    const check = args.map((word) => word.replace(listen, address));
    expect(spawnSync(process.execPath, check, { cwd: temporaryDirectory() }).status).toBe(0);
    expect(await running.stop()).toBe(0);
    expect(spawnSync(process.execPath, check).status).toBe(1);
  });
});
