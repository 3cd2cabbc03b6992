/**
 * deploy/collector: compose files, unit and Caddyfile against each other, the Dockerfile and the program. The Caddyfile runs for real in
 * test/real/collect-caddy.test.ts.
 */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runCli } from "../support/cli.ts";
import {
  at,
  commandFaults,
  COMPOSE_KEYS,
  dockerInstructions,
  knownCommands,
  readYamlFile,
  textsOf,
  type Tree,
} from "./deployment.ts";

const COMPOSE = "deploy/collector/docker-compose.yml";
const VARIANT = "deploy/collector/docker-compose.postgres.yml";
const compose = readYamlFile(COMPOSE);
const variant = readYamlFile(VARIANT);
const caddyfile = readFileSync("deploy/collector/Caddyfile", "utf8");
const unit = readFileSync("deploy/collector/fedtrace-collect.service", "utf8");
const PUSH_PATH = "/report-usage-stats/push";

const FILES = [
  { file: COMPOSE, tree: compose },
  { file: VARIANT, tree: variant },
];
const services = FILES.flatMap(({ file, tree }) =>
  Object.entries(tree["services"] as Readonly<Record<string, Tree>>).map(([name, service]) => ({
    file,
    name,
    service,
  })),
);
/** With the variant laid over it, as compose does: maps are merged. */
const environmentWith = (tree: Tree): Tree => ({
  ...(at(compose, "services", "collector", "environment") as Tree),
  ...(at(tree, "services", "collector", "environment") as Tree),
});
const words = textsOf(at(compose, "services", "collector", "command"));
const flag = (name: string): string | undefined =>
  words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);

function unitValues(key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

/** Names of variables in texts like `${NAME:?}`, and the first lines of the file, which tell of them. */
function variablesOf(file: string): { readonly asked: readonly string[]; readonly told: string } {
  const text = readFileSync(file, "utf8");
  const [told = ""] = /^(?:#.*\n)+/.exec(text) ?? [];
  return { asked: [...text.matchAll(/\$\{(\w+):\?\}/g)].map(([, name = ""]) => name), told };
}

describe("every service", () => {
  it.each(services)("$name of $file has known keys", ({ service }) => {
    expect(Object.keys(service).filter((key) => !COMPOSE_KEYS.has(key))).toEqual([]);
  });

  it.each(services)("$name of $file mounts what exists, read-only, or a volume", ({ file, service }) => {
    const volumes = { ...(compose["volumes"] as Tree), ...(variant["volumes"] as Tree) };
    for (const volume of (service["volumes"] ?? []) as string[]) {
      const [source = "", , mode] = volume.split(":");
      if (source.startsWith(".")) {
        expect(existsSync(join(dirname(file), source)), source).toBe(true);
        expect(mode).toBe("ro");
      } else expect(Object.keys(volumes)).toContain(source);
    }
  });

  it.each(services)("$name of $file is in networks that exist", ({ service }) => {
    const networks = { ...(compose["networks"] as Tree), ...(variant["networks"] as Tree) };
    for (const network of (service["networks"] ?? []) as string[])
      expect(Object.keys(networks)).toContain(network);
  });

  it.each(services)("$name of $file waits for services that have a health check", ({ service }) => {
    for (const [other, wait] of Object.entries((service["depends_on"] ?? {}) as Tree)) {
      expect(wait).toEqual({ condition: "service_healthy" });
      const found = services.find(
        ({ name, service: candidate }) => name === other && "healthcheck" in candidate,
      );
      expect(at(found?.service, "healthcheck", "test", 0)).toBe("CMD");
    }
  });

  it("but Caddy publishes nothing", () => {
    const published = services.filter(({ service }) => "ports" in service).map(({ name }) => name);
    expect(published).toEqual(["caddy"]);
  });

  it.each([COMPOSE, VARIANT])("asks for what the head of %s tells of", (file) => {
    const { asked, told } = variablesOf(file);
    expect(asked.length).toBeGreaterThan(0);
    for (const name of asked) expect(told).toContain(`${name}=`);
  });
});

describe("the collector", () => {
  it("is started with a command and flags that exist", async () => {
    const known = await knownCommands();
    expect(commandFaults(known, words)).toEqual([]);
    expect(commandFaults(known, (unitValues("ExecStart")[0] ?? "").split(" ").slice(1))).toEqual([]);
  });

  it("is given what --help tells of", async () => {
    const { stdout } = await runCli(["--help"]);
    const ours = [COMPOSE, VARIANT, "deploy/collector/fedtrace-collect.service"].flatMap(
      (file) => readFileSync(file, "utf8").match(/FEDTRACE_\w+/g) ?? [],
    );
    expect(new Set(ours)).toEqual(new Set(["FEDTRACE_COLLECT_TOKEN", "FEDTRACE_COLLECT_DATABASE"]));
    for (const name of ours) expect(stdout).toContain(name);
  });

  it("is the image of this version, closed as the demo's sidecar is", () => {
    const demo = readYamlFile("deploy/jaeger-docker-compose.yml");
    for (const key of ["image", "restart", "read_only", "cap_drop", "security_opt"]) {
      expect(at(compose, "services", "collector", key), key).toEqual(
        at(demo, "services", "sidecar-one", key),
      );
    }
    expect(at(compose, "services", "collector", "build")).toEqual({
      context: "../..",
      dockerfile: "deploy/Dockerfile",
    });
  });

  it("writes only into its volume, which the image's user owns", () => {
    const [mount] = textsOf(at(compose, "services", "collector", "volumes"));
    const [, target] = mount?.split(":") ?? [];
    // https://github.com/GoogleContainerTools/distroless: the user of `nonroot` is 65532, and this is its home.
    expect(target).toBe("/home/nonroot");
    const instructions = dockerInstructions(readFileSync("deploy/Dockerfile", "utf8"));
    expect(instructions.findLast(({ name }) => name === "FROM")?.text).toMatch(/:nonroot$/);
    expect(instructions.findLast(({ name }) => name === "USER")?.text).toBe("65532:65532");
    const { FEDTRACE_COLLECT_DATABASE: database, SQLITE_TMPDIR: temporary } = environmentWith({});
    expect(dirname(String(database))).toBe(target);
    expect(temporary).toBe(target);
  });

  it("believes the network that Caddy is in, and no other", () => {
    expect(flag("trusted-proxy")).toBe(at(compose, "networks", "front", "ipam", "config", 0, "subnet"));
    expect(textsOf(at(compose, "services", "caddy", "networks"))).toEqual(["front"]);
    expect(textsOf(at(compose, "services", "collector", "networks"))).toEqual(["front"]);
  });

  it("has a token in every compose file, since its readers come through Caddy", () => {
    for (const tree of [{}, variant])
      expect(environmentWith(tree)["FEDTRACE_COLLECT_TOKEN"]).toBe("${FEDTRACE_COLLECT_TOKEN:?}");
  });

  it("has a health check that a ready collector passes, and no other", async () => {
    const [, node, ...args] = textsOf(at(compose, "services", "collector", "healthcheck", "test"));
    expect(node).toBe("/nodejs/bin/node");
    const asked: string[] = [];
    let status = 200;
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(status).end();
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((fulfil) => void server.listen(0, "127.0.0.1", fulfil));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const port = flag("listen")?.split(":")[1];
    expect(args.join(" ")).toContain(`//127.0.0.1:${port}/`);
    const own = args.map((word) => word.replace(`127.0.0.1:${port}`, address));
    expect(await statusOf(own)).toBe(0);
    status = 503;
    expect(await statusOf(own)).toBe(1);
    expect(asked).toEqual(["/health/ready", "/health/ready"]);
  });
});

/** Not spawnSync, which would hold the server that is asked. */
function statusOf(args: readonly string[]): Promise<number | null> {
  return new Promise((fulfil) => void spawn(process.execPath, args).once("close", fulfil));
}

describe("the variant with PostgreSQL", () => {
  it("names the database as its server makes it", () => {
    const url = new URL(
      String(environmentWith(variant)["FEDTRACE_COLLECT_DATABASE"]).replace("${POSTGRES_PASSWORD:?}", "x"),
    );
    const made = at(variant, "services", "postgres", "environment") as Tree;
    expect(url.protocol).toBe("postgres:");
    expect(url.username).toBe(made["POSTGRES_USER"]);
    expect(url.password).toBe("x");
    expect(made["POSTGRES_PASSWORD"]).toBe("${POSTGRES_PASSWORD:?}");
    expect(url.pathname).toBe(`/${String(made["POSTGRES_DB"])}`);
    expect(Object.keys(variant["services"] as Tree)).toContain(url.hostname);
    const check = textsOf(at(variant, "services", "postgres", "healthcheck", "test"));
    expect(check).toContain(`--username=${url.username}`);
    expect(check).toContain(`--dbname=${url.pathname.slice(1)}`);
  });

  it("keeps the server in a network of its own, with no way out", () => {
    expect(textsOf(at(variant, "services", "postgres", "networks"))).toEqual(["database"]);
    expect(at(variant, "networks", "database", "internal")).toBe(true);
    expect(textsOf(at(variant, "services", "collector", "networks"))).toEqual(["front", "database"]);
  });
});

describe("the Caddyfile", () => {
  it("is given every variable that it has no value for", () => {
    const given = Object.keys(at(compose, "services", "caddy", "environment") as Tree);
    const used = [...caddyfile.matchAll(/\{\$(\w+)(:[^}]*)?\}/g)];
    expect(new Set(used.map(([, name]) => name))).toEqual(new Set(given));
    expect(used.filter(([, , value]) => value === undefined).map(([, name]) => name)).toEqual([
      "COLLECT_HOST",
    ]);
  });

  it("sends on to where the collector listens, in compose and as a service", () => {
    const port = flag("listen")?.split(":")[1];
    expect(at(compose, "services", "caddy", "environment", "COLLECT_UPSTREAM")).toBe(`collector:${port}`);
    const [, listen] = / --listen (\S+)/.exec(unitValues("ExecStart")[0] ?? "") ?? [];
    const defaults = [...caddyfile.matchAll(/\{\$COLLECT_UPSTREAM:([^}]*)\}/g)].map(([, value]) => value);
    expect(defaults).toEqual([listen, listen]);
  });

  it("lets everybody to the path that a collector has by itself, and that the page tells of", () => {
    expect(caddyfile).toContain(`path ${PUSH_PATH}\n`);
    expect(readFileSync("src/collect-page/first-steps.tsx", "utf8")).toContain(`"${PUSH_PATH}"`);
    expect(words.filter((word) => word.startsWith("--path"))).toEqual([]);
  });
});

describe("the unit", () => {
  it("starts the command that the package installs, on loopback", () => {
    const [program, ...args] = (unitValues("ExecStart")[0] ?? "").split(" ");
    const { bin } = JSON.parse(readFileSync("package.json", "utf8")) as { bin: Record<string, string> };
    expect(Object.keys(bin).map((name) => `/usr/bin/${name}`)).toContain(program);
    expect(args[0]).toBe("collect");
    expect(args.at(-1)).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it("gives up on words that are wrong", async () => {
    const { status } = await runCli(["collect", "--listen", "nowhere"]);
    expect(unitValues("RestartPreventExitStatus")).toEqual([String(status)]);
  });

  it("writes only into its directory, which is its user's alone", () => {
    const [name] = unitValues("StateDirectory");
    expect(unitValues("Environment")).toEqual([
      `FEDTRACE_COLLECT_DATABASE=/var/lib/${name}/reports.sqlite`,
      `SQLITE_TMPDIR=/var/lib/${name}`,
    ]);
    expect(unitValues("StateDirectoryMode")).toEqual(["0700"]);
  });

  it("is closed as the sidecar's is, and has no privilege at all", () => {
    const sidecar = readFileSync("deploy/systemd/fedtrace.service", "utf8");
    const closed = (text: string): readonly string[] =>
      text.match(/^(?:No|Restrict(?!Prevent)|Lock|Protect|Private|SystemCall|Dynamic|UMask)\w*=.*$/gm) ?? [];
    expect(closed(unit)).toEqual(closed(sidecar));
    expect(closed(unit).length).toBeGreaterThan(18);
    expect(unitValues("CapabilityBoundingSet")).toEqual([""]);
    expect(unitValues("AmbientCapabilities")).toEqual([]);
  });
});
