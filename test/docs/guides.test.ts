/**
 * README.md and docs/guides against the program: configs that `check` accepts, commands and flags that exist, links that
 * lead somewhere. Of nginx's, systemd's and other programs' texts it knows nothing.
 */

import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { docOf } from "../../src/commands/init-rules.ts";
import { ALL_CHECKS } from "../../src/commands/config-checks.ts";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { commandFaults, knownCommands } from "../deploy/deployment.ts";

const PAGES = ["README.md", ...readdirSync("docs/guides").map((name) => join("docs/guides", name))].map(
  (path) => ({ path, text: readFileSync(path, "utf8") }),
);

interface Block {
  readonly path: string;
  /** Of the page, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

/** Fenced blocks, without the indent of a list they may stand in. */
const BLOCKS: readonly Block[] = PAGES.flatMap(({ path, text }) =>
  [...text.matchAll(/^( *)```(\w*)\n([^]*?)^ *```$/gm)].map((match) => {
    const [, indent = "", language = "", body = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    return { path, line, language, text: body.replaceAll(new RegExp(`^${indent}`, "gm"), "") };
  }),
);

const YAML = BLOCKS.filter(({ language }) => language === "yaml").map((block) => ({
  ...block,
  value: parse(block.text) as Record<string, unknown>,
}));
const WHOLE = YAML.filter(
  ({ value }) => "server_name" in value && ("inbound" in value || "outbound" in value),
);

it("has whole configs and parts to look at", () => {
  expect(WHOLE.length).toBeGreaterThanOrEqual(6);
  expect(YAML.length).toBeGreaterThan(WHOLE.length);
});

/** Files that a reader has beside his config. */
const FILES = {
  "fullchain.pem": "server.pem",
  "privkey.pem": "server.key",
  "ca.pem": "server.pem",
  "ca.key": "server.key",
} as const;
/** What `check` says of every config without proof of names, and the guides say too. */
const CLAIMED = "is claimed, so a peer's name is only what it says";

/** What `check` says of a text: faults, else warnings but for CLAIMED. */
async function saidOf(text: string): Promise<readonly string[]> {
  const directory = temporaryDirectory();
  const path = join(directory, "fedtrace.yaml");
  for (const [name, fixture] of Object.entries(FILES)) {
    copyFileSync(join("test/fixtures/tls", fixture), join(directory, name));
  }
  writeFileSync(path, text);
  const list = BLOCKS.find((block) => block.path.endsWith("whitelist.md") && block.language === "");
  writeFileSync(join(directory, "peers.txt"), list?.text ?? "");
  const environment = { FEDTRACE_SECRET: "secret", CREDENTIALS_DIRECTORY: directory };
  const loaded = await loadConfig(path, ALL_CHECKS, environment);
  const said = loaded.ok ? loaded.warnings : loaded.faults;
  return said.map(formatFault).filter((line) => !line.includes(CLAIMED));
}

describe("a config", () => {
  it.each(WHOLE)("of $path, line $line, passes check", async ({ text }) => {
    expect(await saidOf(text)).toEqual([]);
  });

  /** Parts are made whole; other programs' YAML has none of our sections. */
  const parts = YAML.filter(
    ({ value }) => !("server_name" in value) && Object.keys(value).every((key) => isSection(key)),
  );
  it.each(parts)("part of $path, line $line, passes check within a whole one", async ({ text, value }) => {
    const rest = "inbound" in value ? "" : "inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }\n";
    expect(await saidOf(`server_name: own.test\n${rest}${text}`)).toEqual([]);
  });
});

function isSection(key: string): boolean {
  try {
    return docOf(key) !== "";
  } catch {
    return false;
  }
}

/** Commands in sh blocks and in `…` of the text. */
const COMMANDS = PAGES.flatMap(({ path, text }) => {
  const inBlocks = BLOCKS.filter(
    (block) => block.path === path && (block.language === "sh" || block.language === ""),
  ).flatMap((block) => block.text.replaceAll(/\\\n\s*/g, "").split("\n"));
  const inline = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
  return [...inBlocks, ...inline].flatMap((line) => {
    const [, rest] =
      /(?:^|\s)(?:fedtrace|node dist\/cli\.js|fedtrace:[\d.]+) ((?:[a-z]|--).*)$/.exec(line.trim()) ?? [];
    return rest === undefined ? [] : [{ path, words: rest.replace(/\s(?:[>|]|&&).*$/, "").split(/\s+/) }];
  });
});

it("shows most of the commands", () => {
  const shown = new Set(COMMANDS.map(({ words: [command] }) => command));
  for (const command of ["run", "check", "decide", "init", "demo-server"]) expect(shown).toContain(command);
});

it("shows commands and flags that exist, and no others", async () => {
  const known = await knownCommands();
  const faults = COMMANDS.flatMap(({ path, words }) =>
    commandFaults(known, words).map((fault) => `${path}: ${fault}`),
  );
  expect(faults).toEqual([]);
});

it.each(PAGES)("$path: every link and named file leads somewhere", ({ path, text }) => {
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = ""]) =>
    join(dirname(path), link),
  );
  const named = [...text.matchAll(/\b(deploy\/[\w./-]*\w)/g)].map(([, file = ""]) => file);
  for (const target of [...links, ...named]) expect(existsSync(target), target).toBe(true);
});

it("says of systemd and images what the files say", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const docker = readFileSync("docs/guides/docker.md", "utf8");
  for (const [tag] of docker.matchAll(/fedtrace:[\d.]+\d/g)) expect(tag).toBe(`fedtrace:${version}`);
  const kubernetes = readFileSync("docs/guides/kubernetes.md", "utf8");
  const manifest = readFileSync("deploy/kubernetes/homeserver.yaml", "utf8");
  for (const [setting] of kubernetes.matchAll(/terminationGracePeriodSeconds: \d+/g))
    expect(manifest).toContain(setting);
  const systemd = readFileSync("docs/guides/systemd.md", "utf8");
  const unit = readFileSync("deploy/systemd/fedtrace.service", "utf8");
  for (const [setting] of systemd.matchAll(/TimeoutStopSec=\d+/g)) expect(unit).toContain(setting);
});
