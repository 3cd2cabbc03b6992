/** The systemd unit and the example config against the program. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runCli } from "../support/cli.ts";
import { commandFaults, configAt, FLUSH_MS, knownCommands } from "./deployment.ts";

const unit = readFileSync("deploy/systemd/fedtrace.service", "utf8");

function values(key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

it("starts a command that exists, under the name the package installs", async () => {
  const [program, ...args] = (values("ExecStart")[0] ?? "").split(" ");
  const { bin } = JSON.parse(readFileSync("package.json", "utf8")) as { bin: Record<string, string> };
  expect(Object.keys(bin).map((name) => `/usr/bin/${name}`)).toContain(program);
  expect(commandFaults(await knownCommands(), args)).toEqual([]);
  expect(args).toEqual(["run", "--config", "/etc/fedtrace/fedtrace.yaml"]);
});

it("reloads by the signal that reloads, and gives up on a config that is wrong", async () => {
  expect(values("ExecReload")).toEqual(["/bin/kill -HUP $MAINPID"]);
  const { status } = await runCli(["run", "--config", "/absent.yaml"]);
  expect(values("RestartPreventExitStatus")).toEqual([String(status)]);
});

it("waits for the drain, and has a descriptor for each side of every connection", async () => {
  const { limits } = await configAt("deploy/fedtrace.yaml");
  expect(Number(values("TimeoutStopSec")[0]) * 1000).toBeGreaterThan(limits.drainMs + FLUSH_MS);
  // Two listeners of `limits.connections` each, and a connection upstream for every one.
  expect(Number(values("LimitNOFILE")[0])).toBeGreaterThan(4 * limits.connections);
});

it("keeps no privilege but low ports, and lets the program do what it does", () => {
  expect(values("CapabilityBoundingSet")).toEqual(["CAP_NET_BIND_SERVICE"]);
  expect(values("RestrictAddressFamilies")).toEqual(["AF_INET AF_INET6 AF_UNIX"]);
  expect(values("ProtectSystem")).toEqual(["strict"]);
  // V8 compiles to machine code and Node reads /proc/meminfo.
  expect(values("MemoryDenyWriteExecute")).toEqual([]);
  expect(values("ProcSubset")).toEqual([]);
});

it.each(["deploy/fedtrace.yaml", "deploy/demo/one.yaml", "deploy/demo/two.yaml"])(
  "%s passes check, and has a hint for editors",
  async (path) => {
    const { status, stdout } = await runCli(["check", "--config", path]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${path}: valid\n` });
    const [, schema = ""] =
      /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(path, "utf8")) ?? [];
    expect(readFileSync(new URL(schema, new URL(path, `file://${process.cwd()}/`)), "utf8")).toContain(
      "fedtrace config",
    );
  },
);
