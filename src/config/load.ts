/**
 * From a file to one frozen Config, or to every fault at once.
 *
 * In this order: read, YAML with `${NAME}` replaced, paths made absolute, the whitelist's file, schema, files, patterns, the
 * environment's share. A key has one fault: the first that was found. Exporters' modules come last: foreign code is only run for a
 * config that is right in all else.
 * Not here: watching the file, and what a reload may change.
 */

import { basename, dirname, extname, resolve } from "node:path";
import { type Fault, type Finding, locateFindings } from "./fault.ts";
import { checkFiles, checkWritten, readConfigText, resolveFiles } from "./files.ts";
import { findValues, formatKeyPath, isMapping, type KeyPath } from "./key-path.ts";
import { type Config, mergeConfig } from "./merge.ts";
import { type EnvironmentWarning, readOtelEnvironment } from "./otel-environment.ts";
import { patternKey, patternOf, type WhitelistEntry } from "./schema-whitelist.ts";
import { checkSchema } from "./schema.ts";
import { type Environment, substitute } from "./substitute.ts";
import { findCertificateWarnings } from "./tls-files.ts";
import { type EntryDoubt, findEntryWarnings, findWarnings } from "./warnings.ts";
import { faultsOfList, findCut, readWhitelistFile, type WhitelistFile } from "./whitelist-file.ts";
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
  /** Sampling rules that never count, by their index. */
  readonly lintOperations?: (
    config: Config,
  ) => readonly { readonly index: number; readonly message: string }[];
  /** What is doubtful about the list as a whole, or about one entry beside others. */
  readonly lintAll?: (whitelist: readonly WhitelistEntry[]) => Promise<readonly EntryDoubt[]>;
  /** What is wrong, and what is doubtful, with the authority of `outbound.intercept`, whose files can be read. */
  readonly checkAuthority?: (
    intercept: NonNullable<NonNullable<Config["outbound"]>["intercept"]>,
  ) => Promise<InterceptCheck>;
  /**
   * At a reload: the text of `whitelist_file` as it is in force, "" where none is. Another one that is cut off is refused then,
   * since a program may be writing it; elsewhere that is a warning.
   */
  readonly listInForce?: string | undefined;
  /** Wall time in milliseconds, for what is out of date; without it nothing is looked at for that. */
  readonly nowMs?: () => number;
  /** What is wrong with a strategy file and what is allowed, or undefined. */
  readonly checkStrategyFile?: (path: string, service: string) => string | undefined;
  /** What is wrong with an exporter's module and what is allowed, or undefined. It runs the module's code. */
  readonly checkModule?: (module: ModuleExport) => Promise<string | undefined>;
}

export interface InterceptCheck {
  readonly faults: readonly { readonly key: "ca_certificate" | "ca_private_key"; readonly message: string }[];
  readonly doubt: string | undefined;
}

type ModuleExport = Extract<Config["exports"][number], { readonly kind: "module" }>;

/** One variable of the process's environment, for commands without a config. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}

/** A config, or why there is none. */
export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** In the order of the file; the environment's last. */
      readonly warnings: readonly Fault[];
      /** The file as it was read; a reload compares it. */
      readonly text: string;
      /** `whitelist_file`, by its absolute path; compared too. */
      readonly list: { readonly path: string; readonly text: string } | undefined;
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
  const list = readList(document, path, environment, checks);
  const checked = checkSchema(document);
  const findings = firstOfEachKey([
    ...list.refusals,
    ...yaml.findings,
    ...("findings" in checked ? checked.findings : []),
    ...checkFiles(document),
    ...checkWritten(document, path),
    ...checkPatterns(document, checks),
  ]);
  if (findings.length + list.faults.length > 0 || "findings" in checked) {
    return failed(...locateFindings(findings, path, yaml.locate), ...list.faults);
  }

  const settings = readOtelEnvironment(environment);
  const metricsSwitch = readMetricsSwitch(environment);
  const whitelist = [...checked.file.whitelist, ...(list.file?.entries ?? [])];
  const config = mergeConfig({ ...checked.file, whitelist }, settings, {
    systemRootsFile: environment["SSL_CERT_FILE"],
    // systemd may name several, one for each StateDirectory= (systemd.exec(5)).
    stateDirectory: resolve(environment["STATE_DIRECTORY"]?.split(":")[0] || dirname(path)),
    isMetricsEnabled: metricsSwitch.value,
    usage: { stateName: `${basename(path, extname(path))}-usage.json`, offBy: readUsageSwitch(environment) },
  });
  const { intercept } = config.outbound ?? {};
  const authority = intercept && (await checks.checkAuthority?.(intercept));
  const unusable = [
    ...(authority?.faults ?? []).map(({ key, message }) => ({ path: [...INTERCEPT, key], message })),
    ...(await checkWhitelist(config.whitelist, checks)),
    ...(await checkPeers(config.sampling.peers, checks)),
    ...(await checkModules(config.exports, checks)),
    ...checkStrategies(config, checks),
  ];
  if (unusable.length > 0) return failed(...locateFindings(unusable, path, yaml.locate));
  const doubts = [
    ...findWarnings(config),
    ...findCertificateWarnings(config.inbound?.tls, "inbound", checks.nowMs?.()),
    ...findCertificateWarnings(config.outbound?.tls, "outbound", checks.nowMs?.()),
    ...(checks.lintOperations?.(config) ?? []).map(({ index, message }) => ({
      path: ["sampling", "operations", index],
      message,
    })),
    ...(await lintPeers(config, checks)),
    ...(authority?.doubt === undefined
      ? []
      : [{ path: [...INTERCEPT, "ca_certificate"], message: authority.doubt }]),
  ];
  const about = [...findEntryWarnings(config), ...(await lintPatterns(config.whitelist, checks))];
  const own = checked.file.whitelist.length;
  const aboutOwn = about.filter(({ index }) => index < own).map((doubt) => ownFinding(document, doubt));
  return {
    ok: true,
    config,
    warnings: [
      ...locateFindings([...doubts, ...aboutOwn], path, yaml.locate),
      ...warningsOfList(list.file, about, own),
      ...[...settings.warnings, ...metricsSwitch.warnings].map(environmentFault),
    ],
    text: text.value,
    list: list.file && { path: list.file.path, text: list.file.text },
  };
}

/** Unlike OpenTelemetry's variables this one is ours; like them it is warned of and ignored where it can't be read. */
function readMetricsSwitch(environment: Environment): {
  readonly value: boolean | undefined;
  readonly warnings: readonly EnvironmentWarning[];
} {
  const word = environment[METRICS_SWITCH]?.trim().toLowerCase() ?? "";
  if (word === "true" || word === "false") return { value: word === "true", warnings: [] };
  const message = "is ignored: it is true or false";
  return { value: undefined, warnings: word === "" ? [] : [{ variable: METRICS_SWITCH, message }] };
}

const METRICS_SWITCH = "FEDTRACE_METRICS_ENABLED";

/**
 * Who doesn't want to be counted says so once for all programs (https://consoledonottrack.com), or for this one. Any word that isn't a
 * no counts: whoever sets such a variable means it.
 *
 * @returns the variable that turns usage reports off, as it is set; undefined: none does
 */
function readUsageSwitch(environment: Environment): string | undefined {
  const wordOf = (name: string): string => environment[name]?.trim().toLowerCase() ?? "";
  if (["disabled", "disable", "off", "false", "no", "0"].includes(wordOf(TELEMETRY)))
    return `${TELEMETRY}=disabled`;
  return ["", "0", "false", "no", "off"].includes(wordOf(DO_NOT_TRACK)) ? undefined : `${DO_NOT_TRACK}=1`;
}

const TELEMETRY = "FEDTRACE_TELEMETRY";
const DO_NOT_TRACK = "DO_NOT_TRACK";

interface List {
  readonly file: WhitelistFile | undefined;
  /** Of the key that names it. */
  readonly refusals: readonly Finding[];
  /** Of what stands in it. */
  readonly faults: readonly Fault[];
}

function readList(
  document: unknown,
  configPath: string,
  environment: Environment,
  { check, listInForce }: ConfigChecks,
): List {
  const file = readWhitelistFile(document, configPath, (scalar) => substitute(scalar, environment));
  if (file === undefined) return { file, refusals: [], faults: [] };
  if ("refused" in file) {
    return { file: undefined, refusals: [{ path: ["whitelist_file"], message: file.refused }], faults: [] };
  }
  if (listInForce !== undefined && listInForce !== file.text && file.cutAt !== undefined) {
    // Alone: what else is wrong with half a list is of no use to anybody.
    return { file, refusals: [], faults: faultsOfList(file, findCut(file, "faults"), "faults") };
  }
  const inPatterns = file.patterns.flatMap((pattern, index) => {
    const message = pattern && check(pattern);
    return message === undefined ? [] : [file.findingAt(index, message)];
  });
  return { file, refusals: [], faults: faultsOfList(file, [...file.findings, ...inPatterns], "faults") };
}

/** @param own entries of the config itself, which come first */
function warningsOfList(
  file: WhitelistFile | undefined,
  about: readonly EntryDoubt[],
  own: number,
): readonly Fault[] {
  if (file === undefined) return [];
  const findings = about
    .filter(({ index }) => index >= own)
    .map(({ index, message, key }) => file.findingAt(index - own, message, key));
  return faultsOfList(file, [...findCut(file, "warnings"), ...findings], "warnings");
}

function ownFinding(document: unknown, { index, key, message }: EntryDoubt): Finding {
  const entries: unknown = isMapping(document) ? document["whitelist"] : undefined;
  const entry: unknown = Array.isArray(entries) ? entries[index] : undefined;
  const step = key ?? patternKey(entry);
  return { path: step === undefined ? ["whitelist", index] : ["whitelist", index, step], message };
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
    return message === undefined ? [] : [ownFinding(document, { index, message })];
  });
  const others = (
    [
      ["outbound.intercept.hosts[]", "glob"],
      ["sampling.peers[].glob", "glob"],
      ["sampling.peers[].regex", "regex"],
    ] as const
  ).flatMap(([key, kind]) =>
    findValues(document, key).flatMap(({ path, value }) => {
      const message = typeof value === "string" ? check({ kind, text: value }) : undefined;
      return message === undefined ? [] : [{ path, message }];
    }),
  );
  return [...inWhitelist, ...others];
}

async function checkWhitelist(
  whitelist: Config["whitelist"],
  { checkAll }: ConfigChecks,
): Promise<readonly Finding[]> {
  const message = await checkAll(whitelist);
  const isLong = whitelist.some(({ source }) => source !== undefined);
  return message === undefined ? [] : [{ path: [isLong ? "whitelist_file" : "whitelist"], message }];
}

/** A union of its own. */
async function checkPeers(
  peers: Config["sampling"]["peers"],
  { checkAll }: ConfigChecks,
): Promise<readonly Finding[]> {
  const message = await checkAll(peers);
  return message === undefined ? [] : [{ path: ["sampling", "peers"], message }];
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

function checkStrategies(
  { sampling, resource }: Config,
  { checkStrategyFile }: ConfigChecks,
): readonly Finding[] {
  const { file } = sampling.remote ?? {};
  const message = file === undefined ? undefined : checkStrategyFile?.(file, resource.serviceName);
  if (message === undefined) return [];
  return [{ path: ["sampling", "remote", "file"], message: `names a file that can't be used: ${message}` }];
}

/** Patterns of `sampling.peers` are made as those of the whitelist are, and with the same mistakes. */
async function lintPeers({ sampling }: Config, { lint }: ConfigChecks): Promise<readonly Finding[]> {
  const doubts: Finding[] = [];
  if (lint === undefined) return doubts;
  for (const [index, pattern] of sampling.peers.entries()) {
    for (const message of await lint(pattern)) {
      doubts.push({ path: ["sampling", "peers", index, pattern.kind], message });
    }
  }
  return doubts;
}

async function lintPatterns(
  whitelist: Config["whitelist"],
  { lint, lintAll }: ConfigChecks,
): Promise<readonly EntryDoubt[]> {
  const doubts = [...((await lintAll?.(whitelist)) ?? [])];
  if (lint === undefined) return doubts;
  for (const [index, pattern] of whitelist.entries()) {
    for (const message of await lint(pattern)) doubts.push({ index, message });
  }
  return doubts;
}

function environmentFault({ variable, message }: EnvironmentWarning): Fault {
  return { file: "environment", line: 0, column: 0, key: variable, message };
}
