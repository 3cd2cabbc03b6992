/**
 * From a file to one frozen Config, or to every fault at once.
 *
 * In this order: read, YAML with `${NAME}` replaced, paths made absolute, schema, what isn't available yet,
 * files, patterns, the environment's share. A key has one fault: the first that was found. Exporters' modules come last:
 * foreign code is only run for a config that is right in all else.
 * Not here: watching the file, and what a reload may change.
 */

import { dirname } from "node:path";
import { type Fault, type Finding, locateFindings } from "./fault.ts";
import { checkFiles, readConfigText, resolveFiles } from "./files.ts";
import { findValues, formatKeyPath, isMapping, type KeyPath } from "./key-path.ts";
import { type Config, mergeConfig } from "./merge.ts";
import { findNotYet } from "./not-yet.ts";
import { type EnvironmentWarning, readOtelEnvironment } from "./otel-environment.ts";
import type { WhitelistEntry } from "./schema-border.ts";
import { checkSchema } from "./schema.ts";
import { type Environment, substitute } from "./substitute.ts";
import { findCertificateWarnings } from "./tls-files.ts";
import { findWarnings } from "./warnings.ts";
import { readYaml } from "./yaml.ts";

type Pattern = Pick<WhitelistEntry, "kind" | "text">;

/** Checks that need other parts, as the commands hand them in: config knows nothing of peers and exporters. */
export interface ConfigChecks {
  /** What is wrong with a pattern and what is allowed, or undefined. */
  readonly check: (pattern: Pattern) => string | undefined;
  /** The same for all of them together. */
  readonly checkAll: (patterns: readonly Pattern[]) => Promise<string | undefined>;
  /** What is doubtful about a pattern that check() passes. It takes time: only `fedtrace check` asks. */
  readonly lint?: (pattern: Pattern) => Promise<readonly string[]>;
  /** What is wrong, and what is doubtful, with the authority of `outbound.intercept`, whose files can be read. */
  readonly checkAuthority?: (
    intercept: NonNullable<NonNullable<Config["outbound"]>["intercept"]>,
  ) => Promise<InterceptCheck>;
  /** Wall time in milliseconds, for what is out of date; without it nothing is looked at for that. */
  readonly nowMs?: () => number;
  /** What is wrong with an exporter's module and what is allowed, or undefined. It runs the module's code. */
  readonly checkModule?: (module: ModuleExport) => Promise<string | undefined>;
}

export interface InterceptCheck {
  readonly faults: readonly { readonly key: "ca_certificate" | "ca_private_key"; readonly message: string }[];
  readonly doubt: string | undefined;
}

type ModuleExport = Extract<Config["exports"][number], { readonly kind: "module" }>;

/** A config, or why there is none. */
export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** In the order of the file; the environment's last. */
      readonly warnings: readonly Fault[];
      /** The file as it was read; a reload compares it. */
      readonly text: string;
    }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * @param path as the operator wrote it; faults repeat it
 * @returns never rejects for what stands in the file, or because there is none
 */
export async function loadConfig(
  path: string,
  checks: ConfigChecks,
  environment: Environment = process.env,
): Promise<LoadedConfig> {
  const text = readConfigText(path);
  if ("refused" in text)
    return failed({ file: path, line: 1, column: 1, key: "(file)", message: text.refused });

  const yaml = readYaml(text.value, (scalar) => substitute(scalar, environment));
  if ("syntaxFaults" in yaml) {
    return failed(...yaml.syntaxFaults.map((fault) => ({ file: path, key: "(file)", ...fault })));
  }

  const { value: document } = yaml;
  resolveFiles(document, dirname(path));
  const checked = checkSchema(document);
  const findings = firstOfEachKey([
    ...yaml.findings,
    ...("findings" in checked ? checked.findings : []),
    ...findNotYet(document),
    ...checkFiles(document),
    ...checkPatterns(document, checks),
  ]);
  if (findings.length > 0 || "findings" in checked) {
    return failed(...locateFindings(findings, path, yaml.locate));
  }

  const settings = readOtelEnvironment(environment);
  const config = mergeConfig(checked.file, settings, environment["SSL_CERT_FILE"]);
  const { intercept } = config.outbound ?? {};
  const authority = intercept && (await checks.checkAuthority?.(intercept));
  const unusable = [
    ...(authority?.faults ?? []).map(({ key, message }) => ({ path: [...INTERCEPT, key], message })),
    ...(await checkWhitelist(config.whitelist, checks)),
    ...(await checkModules(config.exports, checks)),
  ];
  if (unusable.length > 0) return failed(...locateFindings(unusable, path, yaml.locate));
  const doubts = [
    ...findWarnings(config),
    ...findCertificateWarnings(config.inbound?.tls, "inbound", checks.nowMs?.()),
    ...findCertificateWarnings(config.outbound?.tls, "outbound", checks.nowMs?.()),
    ...(authority?.doubt === undefined
      ? []
      : [{ path: [...INTERCEPT, "ca_certificate"], message: authority.doubt }]),
    ...(await lintPatterns(document, config.whitelist, checks)),
  ];
  return {
    ok: true,
    config,
    warnings: [...locateFindings(doubts, path, yaml.locate), ...settings.warnings.map(environmentFault)],
    text: text.value,
  };
}

const INTERCEPT: KeyPath = ["outbound", "intercept"];

function failed(...faults: readonly Fault[]): LoadedConfig {
  return { ok: false, faults };
}

/** One fault a key; what is found later is most often an echo of it. */
function firstOfEachKey(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ path, at }) => {
    const key = formatKeyPath(path);
    // A repeated key says nothing about the first one's value.
    if (at !== undefined) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** On what stands in the file, so that a pattern's fault is told beside all others. */
function checkPatterns(document: unknown, { check }: ConfigChecks): Finding[] {
  const entries = isMapping(document) && Array.isArray(document["whitelist"]) ? document["whitelist"] : [];
  const inWhitelist = entries.flatMap((entry: unknown, index) => {
    const pattern = patternOf(entry);
    const message = pattern === undefined ? undefined : check(pattern);
    return message === undefined ? [] : [{ path: patternPath(entry, index), message }];
  });
  const hosts = findValues(document, "outbound.intercept.hosts[]").flatMap(({ path, value }) => {
    const message = typeof value === "string" ? check({ kind: "glob", text: value }) : undefined;
    return message === undefined ? [] : [{ path, message }];
  });
  return [...inWhitelist, ...hosts];
}

async function checkWhitelist(
  whitelist: Config["whitelist"],
  { checkAll }: ConfigChecks,
): Promise<readonly Finding[]> {
  const message = await checkAll(whitelist);
  return message === undefined ? [] : [{ path: ["whitelist"], message }];
}

async function checkModules(
  exports: Config["exports"],
  { checkModule }: ConfigChecks,
): Promise<readonly Finding[]> {
  const findings = exports.map(async (item, index) => {
    if (checkModule === undefined || item.kind !== "module") return [];
    const message = await checkModule(item);
    return message === undefined ? [] : [{ path: ["export", index, "module"], message }];
  });
  return (await Promise.all(findings)).flat();
}

async function lintPatterns(
  document: unknown,
  whitelist: Config["whitelist"],
  { lint }: ConfigChecks,
): Promise<Finding[]> {
  if (lint === undefined || !isMapping(document)) return [];
  const entries: readonly unknown[] = Array.isArray(document["whitelist"]) ? document["whitelist"] : [];
  const findings = whitelist.map(async (pattern, index) => {
    const messages = await lint(pattern);
    return messages.map((message) => ({ path: patternPath(entries[index], index), message }));
  });
  return (await Promise.all(findings)).flat();
}

function patternOf(entry: unknown): Pattern | undefined {
  if (typeof entry === "string") return { kind: "regex", text: entry };
  if (!isMapping(entry)) return undefined;
  const { regex, glob } = entry;
  if (typeof regex === "string") return { kind: "regex", text: regex };
  return typeof glob === "string" ? { kind: "glob", text: glob } : undefined;
}

function patternPath(entry: unknown, index: number): KeyPath {
  if (!isMapping(entry)) return ["whitelist", index];
  return ["whitelist", index, Object.hasOwn(entry, "regex") ? "regex" : "glob"];
}

function environmentFault({ variable, message }: EnvironmentWarning): Fault {
  return { file: "environment", line: 0, column: 0, key: variable, message };
}
