/** deploy/ as data, and what the program knows of commands and flags: what the tests of this folder compare. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { RELOAD_CHECKS } from "../../src/commands/config-checks.ts";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/merge.ts";
import { runCli } from "../support/cli.ts";

/** How long exporters may flush after the drain (FLUSH_MS of src/app.ts). */
export const FLUSH_MS = 5000;

export type Tree = Readonly<Record<string, unknown>>;

/** With merge keys, as compose files use them. */
export function readYamlFile(path: string): Tree {
  return parse(readFileSync(path, "utf8"), { merge: true }) as Tree;
}

export function readYamlFiles(path: string): readonly Tree[] {
  return parseAllDocuments(readFileSync(path, "utf8")).map((document) => document.toJS() as Tree);
}

/** A value somewhere inside, by keys and indices; undefined where there is none. */
export function at(tree: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === "object" && inner !== null
        ? (inner as Record<string | number, unknown>)[step]
        : undefined,
    tree,
  );
}

export function textsOf(value: unknown): readonly string[] {
  expect(value).toBeInstanceOf(Array);
  return value as readonly string[];
}

/** Keys of services. https://docs.docker.com/reference/compose-file/services/; a typing error is silently nothing in some engines. */
export const COMPOSE_KEYS: ReadonlySet<string> = new Set(
  "build cap_drop command depends_on environment healthcheck image network_mode networks ports read_only restart security_opt stop_grace_period volumes".split(
    " ",
  ),
);

/** Addresses that Jaeger listens on, by walking its settings. */
export function endpointsOf(tree: unknown): readonly string[] {
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]: [string, unknown]) =>
    key === "endpoint" && typeof value === "string" ? [value] : endpointsOf(value),
  );
}

/** What `check` accepts. @throws Error with every fault */
export async function configAt(path: string): Promise<Config> {
  const loaded = await loadConfig(path, RELOAD_CHECKS, {});
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join("\n"));
  return loaded.config;
}

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** https://docs.docker.com/reference/dockerfile/: comments out, continued lines joined. */
export function dockerInstructions(text: string): readonly Instruction[] {
  return text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      return { name, text: rest };
    });
}

/** Command → its flags, as `fedtrace --help` tells them. Lines that are further in go on with a command. */
export async function knownCommands(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { stdout } = await runCli(["--help"]);
  const whole = stdout.replaceAll(/\n {3,}/g, " ");
  const lines = whole.split("\n").flatMap((line) => {
    const [, command, rest = ""] = /^ {2}([a-z][a-z-]*)(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [[command, new Set(rest.match(/--[a-z-]+/g))] as const];
  });
  return new Map(lines);
}

/** What is wrong with a command line; empty: the program knows every word. @param words after `fedtrace` */
export function commandFaults(
  known: ReadonlyMap<string, ReadonlySet<string>>,
  words: readonly string[],
): readonly string[] {
  const [command = "", ...rest] = words;
  const flags = known.get(command);
  if (flags === undefined) return command.startsWith("--") ? [] : [`no such command: ${command}`];
  return rest
    .filter((word) => word.startsWith("--"))
    .map((word) => word.replace(/=.*$/, ""))
    .filter((flag) => !flags.has(flag))
    .map((flag) => `${command} has no ${flag}`);
}
