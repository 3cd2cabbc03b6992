/**
 * The image without a container engine: every instruction against the repository, and what the image would hold laid
 * out in a directory of its own and run from there.
 */

import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { ADMIN, inboundTo, startSidecar } from "../support/sidecar.ts";
import { startProcess } from "./process.ts";
import { commandFaults, configAt, dockerInstructions, FLUSH_MS, knownCommands } from "./deployment.ts";

const text = readFileSync("deploy/Dockerfile", "utf8");
const instructions = dockerInstructions(text);
const runtime = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));
const ignored = readFileSync(".dockerignore", "utf8").split("\n");
const { version, license } = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, string>;

function one(name: string): string {
  const found = runtime.filter((instruction) => instruction.name === name);
  expect(found, name).toHaveLength(1);
  return found[0]?.text ?? "";
}

/** Sources and destination, and the stage they come from. */
function copies(
  of: typeof instructions,
): readonly { from: string | undefined; sources: string[]; to: string }[] {
  return of
    .filter(({ name }) => name === "COPY")
    .map(({ text: words }) => {
      const [first = "", ...rest] = words.split(/\s+/);
      const from = /^--from=(.*)$/.exec(first)?.[1];
      const all = from === undefined ? [first, ...rest] : rest;
      return { from, sources: all.slice(0, -1), to: all.at(-1) ?? "" };
    });
}

const contextSources = copies(instructions).flatMap(({ from, sources }) =>
  from === undefined ? sources : [],
);

it("knows every instruction it uses", () => {
  const known = "FROM WORKDIR COPY RUN LABEL USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split(" ");
  expect(instructions.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
});

it("copies what exists, and .dockerignore lets nothing else in", () => {
  for (const source of contextSources) expect(existsSync(source), source).toBe(true);
  const letIn = ignored.flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  expect(ignored).toContain("*");
  expect(letIn.toSorted()).toEqual([...new Set(contextSources)].toSorted());
});

it("builds from what it copies alone", () => {
  const directory = temporaryDirectory();
  for (const source of contextSources) cpSync(source, join(directory, source), { recursive: true });
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"));
  const [, script = ""] =
    /^npm run (\w+)$/.exec(instructions.findLast(({ name }) => name === "RUN")?.text ?? "") ?? [];
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  const [program, ...args] = (scripts[script] ?? "").split(" ");
  expect(program).toBe("node");
  const built = spawnSync(process.execPath, args, { cwd: directory, encoding: "utf8" });
  expect(built).toMatchObject({ status: 0, stderr: "" }); // The bundler warns of what it misses.
  expect(existsSync(join(directory, "dist/cli.js"))).toBe(true);
});

it("says the version and license of the package, and both stages the same Node line", () => {
  const labels = one("LABEL");
  expect(labels).toContain(`org.opencontainers.image.version="${version}"`);
  expect(labels).toContain(`org.opencontainers.image.licenses="${license}"`);
  const [build, run] = instructions.filter(({ name }) => name === "FROM").map((from) => from.text);
  const [line] = /(?<=^node:)\d+/.exec(build ?? "") ?? [];
  expect(run).toContain(`/nodejs${line}-`);
});

it("runs as a number that is not root, and stops by the signal that drains", () => {
  expect(one("USER")).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
  expect(one("STOPSIGNAL")).toBe("SIGTERM");
  expect(runtime.filter(({ name }) => name === "RUN")).toEqual([]);
});

it("exposes the ports of the example config, and says how long a stop may take", async () => {
  const { inbound, outbound, admin, limits } = await configAt("deploy/fedtrace.yaml");
  const ports = [inbound?.listen.port, outbound?.listen.port, admin?.listen.port];
  expect(one("EXPOSE").split(" ").map(Number)).toEqual(ports);
  const [, seconds] = /docker stop --time (\d+)/.exec(text) ?? [];
  expect(Number(seconds) * 1000).toBeGreaterThan(limits.drainMs + FLUSH_MS);
});

/** The files of the last stage, where it puts them below its WORKDIR. */
function layOut(): string {
  const directory = temporaryDirectory();
  const build = one("WORKDIR");
  for (const { from, sources, to } of copies(runtime)) {
    for (const source of sources) {
      const local = from === undefined ? source : source.replace(/^\/build\//, "");
      const target = join(directory, to, to.endsWith("/") ? local : "");
      mkdirSync(dirname(target), { recursive: true });
      cpSync(local, target, { recursive: true });
    }
  }
  expect(build).toBe("/app");
  return directory;
}

describe("what the image holds, outside of the repository", () => {
  const entrypoint = JSON.parse(one("ENTRYPOINT")) as string[];
  const command = JSON.parse(one("CMD")) as string[];

  it("starts with its entry point, command and config path", async () => {
    const app = layOut();
    const [node, program = ""] = entrypoint;
    expect(node).toBe("/nodejs/bin/node");
    const [, flag, path = ""] = command;
    expect(commandFaults(await knownCommands(), command)).toEqual([]);
    expect([flag, path]).toEqual(["--config", "/etc/fedtrace/fedtrace.yaml"]);
    const cli = program.replace(/^\/app/, app);
    // Without it Node would have to find out by reading the program twice.
    expect(JSON.parse(readFileSync(join(app, "package.json"), "utf8"))).toMatchObject({ type: "module" });
    const config = join(app, "fedtrace.yaml");
    writeFileSync(config, JSON.stringify({ server_name: "own.test", inbound: inboundTo(1), admin: ADMIN }));

    const checked = spawnSync(process.execPath, [cli, "check", "--config", config], { encoding: "utf8" });
    expect(checked).toMatchObject({ status: 0, stderr: "" });
    const sidecar = startProcess([cli, "run", "--config", config]);
    await sidecar.until(/^ready$/);
    const [, address] = /^admin listening on (.*)$/.exec(await sidecar.until(/^admin listening/)) ?? [];
    expect((await fetch(`http://${address}/health/ready`)).status).toBe(200);
    expect(await sidecar.stop()).toBe(0);
  });

  it("finds the schema for the editor's hint", () => {
    const app = layOut();
    const { stdout } = spawnSync(process.execPath, [join(app, "dist/cli.js"), "init"], { encoding: "utf8" });
    expect(stdout.split("\n")[0]).toBe(
      `# yaml-language-server: $schema=${join(app, "fedtrace.schema.json")}`,
    );
  });
});

it("has a health check that a running sidecar passes and a stopped one fails", async () => {
  const [, options = "", json = ""] = /^(.*?)CMD (\[.*\])$/.exec(one("HEALTHCHECK")) ?? [];
  expect(
    options
      .trim()
      .split(" ")
      .map((option) => option.replace(/=.*/, "")),
  ).toEqual(["--interval", "--timeout", "--start-period", "--retries"]);
  const [node, ...args] = JSON.parse(json) as string[];
  expect(node).toBe("/nodejs/bin/node");
  const { admin } = await configAt("deploy/fedtrace.yaml");
  expect(args.join(" ")).toContain(`127.0.0.1:${admin?.listen.port}/`);

  const sidecar = await startSidecar({ inbound: inboundTo(1), admin: ADMIN });
  // The one change: the port that the system chose for the test.
  const own = args.map((word) => word.replace(String(admin?.listen.port), String(sidecar.port.admin)));
  expect(spawnSync(process.execPath, own).status).toBe(0);
  await sidecar.stop();
  expect(spawnSync(process.execPath, own).status).toBe(1);
});
