/** `init` as a process: what a pipe gets, and that the config works as it is. The questions: test/init/questions.test.ts. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { initCommand } from "../../src/commands/init.ts";
import { runCli, temporaryDirectory } from "../support/cli.ts";
import { captured, checkIn } from "../support/commands.ts";

/** What a pipe gets, without a question asked. */
let printed: string;
beforeAll(async () => {
  const given = { fromSynapse: undefined, schemaPath: "/absent", openDialogue: undefined };
  printed = (await captured("/nowhere", (output) => initCommand(given, output))).stdout;
});

it("prints a config that check accepts as it is, without a word beside it", async () => {
  const { status, stdout, stderr } = await runCli(["init"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), stdout);
  expect(await runCli(["check", "--config", "fedtrace.yaml"], { directory })).toEqual({
    status: 0,
    stdout: "fedtrace.yaml: valid\n",
    stderr: "",
  });
});

it("names the installed schema on the first line, where editors look", async () => {
  const { stdout } = await runCli(["init"], { directory: temporaryDirectory() });
  const [, path = ""] = /^# yaml-language-server: \$schema=(\/\S+)\n/.exec(stdout) ?? [];
  expect(existsSync(path)).toBe(true);
  expect(readFileSync(path, "utf8")).toContain('"title": "fedtrace config"');
});

it("says of every option what it is, right above it", () => {
  const lines = printed.split("\n");
  const bare = lines.filter(
    (line, index) =>
      /^ *[a-z_]+:/.test(line) &&
      !/^ *#/.test(lines[index - 1] ?? "") &&
      !/^ *- /.test(lines[index - 1] ?? ""),
  );
  expect(bare).toEqual([]);
});

it("is right when everything that is off is turned on", async () => {
  const directory = temporaryDirectory();
  const on = printed
    .replaceAll(
      /^( *)# {0,3}(?=tls:|outbound:|- |  (?:certificate|private_key|sampling|forced_per_second|listen|allow_networks): )/gm,
      "$1",
    )
    .replaceAll(/^#( +# .*)$/gm, "$1")
    .replaceAll(
      /(certificate|private_key): \S+$/gm,
      (_, key: string) =>
        `${key}: ${join(process.cwd(), "test/fixtures/tls", key === "certificate" ? "server.pem" : "server.key")}`,
    );
  writeFileSync(join(directory, "fedtrace.yaml"), on);
  const { status, stderr } = await checkIn(directory);
  expect(stderr.replaceAll(/^warning: .*\n/gm, "")).toBe("");
  expect(status).toBe(0);
  for (const key of ["tls", "outbound", "forced_per_second", "otlp"])
    expect(on).toMatch(new RegExp(`^ *(- )?${key}:`, "m"));
});

it("takes a Synapse config over, and tells a broken one with its place", async () => {
  const directory = temporaryDirectory();
  writeFileSync(
    join(directory, "homeserver.yaml"),
    "server_name: hs.example\nopentracing: { force_tracing_for_users: [] }\n",
  );
  const taken = await runCli(["init", "--from-synapse", "homeserver.yaml"], { directory });
  expect(taken.status).toBe(0);
  expect(taken.stdout).toContain("\nserver_name: 'hs.example'\n");
  expect(taken.stderr).toMatch(
    /^note: homeserver\.yaml:2:41: opentracing\.force_tracing_for_users: is not taken over/m,
  );

  const path = join(directory, "homeserver.yaml");
  writeFileSync(path, "server_name: [");
  const given = { fromSynapse: path, schemaPath: "/absent", openDialogue: undefined };
  const broken = await captured(directory, (output) => initCommand(given, output));
  expect(broken).toMatchObject({ status: 2, stdout: "" });
  expect(broken.stderr).toMatch(/^homeserver\.yaml:\d+:\d+: \(file\): /);
});
