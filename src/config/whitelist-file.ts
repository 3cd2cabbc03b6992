/**
 * `whitelist_file`: more entries of the whitelist, in a file of their own, which a program may write.
 *
 * Text: one regular expression a line, or `glob: PATTERN`; empty lines and lines that begin with `#` are passed over. A name
 * that ends in .yaml or .yml: a list as `whitelist` has it, with its mappings and its `${NAME}`. A last line without its end
 * may be half a line of a program that is still writing, and half a pattern can be a wider one.
 * Not here: whether a pattern is one (load.ts asks the engine), and watching the file (watch.ts).
 */

import { basename, extname, isAbsolute, relative } from "node:path";
import { type Fault, type Finding, locateFindings, type Parsed, type Place } from "./fault.ts";
import { readConfigText } from "./files.ts";
import { formatKeyPath, isMapping } from "./key-path.ts";
import {
  patternKey,
  patternOf,
  WHITELIST_DEFAULTS,
  WHITELIST_FILE_ENTRIES_MAX,
  type WhitelistEntry,
} from "./schema-whitelist.ts";
import { checkWhitelistFile } from "./schema.ts";
import { readYaml } from "./yaml.ts";

/** A file that could be read; its entries may still be none that a whitelist can have. */
export interface WhitelistFile {
  /** Absolute. */
  readonly path: string;
  /** As faults name it. */
  readonly name: string;
  /** As it was read; a reload compares it. */
  readonly text: string;
  /** Where the last line breaks off; undefined where it is whole, and where there is none. */
  readonly cutAt: Place | undefined;
  /** None where there are faults that keep it from being read. */
  readonly entries: readonly WhitelistEntry[];
  /** Of each entry, wrong or not; undefined where there is none to check. */
  readonly patterns: readonly (Pick<WhitelistEntry, "kind" | "text"> | undefined)[];
  /** What is wrong so far; each has its place. */
  readonly findings: readonly Finding[];
  /** Something about an entry, or about one of its keys. @param index of `entries` */
  readonly findingAt: (index: number, message: string, key?: string) => Finding;
}

/** Told of one file; who made a thousand mistakes made one in the program that writes it. */
const FINDINGS_MAX = 100;

const KEY = "whitelist_file";
/** Before a glob; all other lines are regular expressions. */
const GLOB = "glob:";

/**
 * @param document   parsed, checked or not, with absolute paths
 * @param configPath as the operator wrote it: the list is named in the same way, absolute or not
 * @param expand     replaces `${…}` in the scalars of a YAML list
 * @returns undefined where the document names no file; a refusal is about the key
 */
export function readWhitelistFile(
  document: unknown,
  configPath: string,
  expand: (scalar: string) => Parsed<string>,
): WhitelistFile | { readonly refused: string } | undefined {
  const path = isMapping(document) ? document[KEY] : undefined;
  if (typeof path !== "string" || path === "") return undefined;
  const text = readListText(path);
  if ("refused" in text) return { refused: `${text.refused}; allowed: a list of patterns, one a line` };
  const fromHere = relative("", path);
  const name = isAbsolute(configPath) || fromHere.startsWith("..") ? path : fromHere;
  const isYaml = /^\.ya?ml$/i.test(extname(path));
  const read = isYaml ? readYamlList(text.value, path, expand) : readTextList(text.value, path);
  return { path, name, text: text.value, cutAt: endOfCut(text.value), ...read };
}

function endOfCut(text: string): Place | undefined {
  // An empty file is nobody: what truncates a file before it writes does no harm.
  if (text === "" || text.endsWith("\n")) return undefined;
  const rows = text.split("\n");
  return { line: rows.length, column: (rows.at(-1) ?? "").length + 1 };
}

const CUT_MESSAGES = {
  faults:
    "is cut off: the last line has no line end; the list before stays; write to another file and rename it",
  warnings: "has no line end after its last line; a reload refuses a changed list that ends so: add one",
} as const;

/** What there is to say of a list that is cut off; none where it is whole. */
export function findCut({ cutAt }: WhitelistFile, noun: keyof typeof CUT_MESSAGES): readonly Finding[] {
  return cutAt === undefined ? [] : [{ path: [KEY], at: cutAt, message: CUT_MESSAGES[noun] }];
}

/** The text of a list, or in words why there is none. */
export function readListText(path: string): Parsed<string> {
  const text = readConfigText(path);
  if ("refused" in text && text.refused.startsWith("is ")) {
    return { refused: `names a file that ${text.refused}` };
  }
  return text;
}

type ReadList = Pick<WhitelistFile, "entries" | "patterns" | "findings" | "findingAt">;

function readTextList(text: string, path: string): ReadList {
  const entries: WhitelistEntry[] = [];
  /** As numbers: of thousands of entries few are ever told about. */
  const lineOf: number[] = [];
  const columnOf: number[] = [];
  const findingAt: ReadList["findingAt"] = (index, message) => ({
    path: [KEY],
    at: { line: lineOf[index] ?? 1, column: columnOf[index] ?? 1 },
    message,
  });
  const fileName = basename(path);
  let line = 0;
  for (const row of text.split("\n")) {
    line++;
    const written = row.trim();
    if (written === "" || written.startsWith("#")) continue;
    const isGlob = written.startsWith(GLOB);
    const pattern = isGlob ? written.slice(GLOB.length).trimStart() : written;
    lineOf.push(line);
    columnOf.push(row.trimEnd().length - pattern.length + 1);
    if (entries.length === WHITELIST_FILE_ENTRIES_MAX) {
      const message = `is one entry too many; allowed: ${WHITELIST_FILE_ENTRIES_MAX}`;
      return { entries: [], patterns: [], findings: [findingAt(entries.length, message)], findingAt };
    }
    const { sampling, forcedPerSecond } = WHITELIST_DEFAULTS;
    const kind = isGlob ? "glob" : "regex";
    const entry: WhitelistEntry = {
      kind,
      text: pattern,
      sampling,
      forcedPerSecond,
      source: `${fileName}:${line}`,
    };
    // Frozen here, so that freezing the config (merge.ts) need not walk over thousands of them.
    entries.push(Object.freeze(entry));
  }
  return { entries, patterns: entries, findings: [], findingAt };
}

function readYamlList(text: string, path: string, expand: (scalar: string) => Parsed<string>): ReadList {
  const yaml = readYaml(text, expand);
  if ("syntaxFaults" in yaml) {
    const findings = yaml.syntaxFaults.map(({ message, ...at }) => ({ path: [KEY], at, message }));
    return { entries: [], patterns: [], findings, findingAt: (_, message) => ({ path: [KEY], message }) };
  }
  const { value, locate } = yaml;
  const placed = ({ path: steps, at, isAboutKey = false, message }: Finding): Finding => ({
    path: [KEY, ...steps],
    at: at ?? locate(steps, isAboutKey),
    message,
  });
  const checked = checkWhitelistFile(value);
  const unread = new Set(yaml.findings.map(({ path: steps }) => formatKeyPath(steps)));
  // What the schema says of a value that could not be read is an echo.
  const bySchema = "findings" in checked ? checked.findings : [];
  const found = [
    ...yaml.findings,
    ...bySchema.filter(({ path: steps }) => !unread.has(formatKeyPath(steps))),
  ];
  const wrong = new Set(found.map(({ path: [index] }) => index));
  const written: readonly unknown[] = Array.isArray(value) ? value : [];
  const fileName = basename(path);
  return {
    entries:
      "findings" in checked
        ? []
        : checked.entries.map((entry, index) => ({
            ...entry,
            source: `${fileName}:${locate([index], false).line}`,
          })),
    // What is wrong with an entry already is told once.
    patterns: written.map((entry, index) => (wrong.has(index) ? undefined : patternOf(entry))),
    findings: found.map(placed),
    findingAt: (index, message, key = patternKey(written[index])) =>
      placed({ path: key === undefined ? [index] : [index, key], message }),
  };
}

/** What there is to say of a list, under its own name, as far as it is told. */
export function faultsOfList(
  { name }: WhitelistFile,
  findings: readonly Finding[],
  noun: "faults" | "warnings",
): Fault[] {
  return locateFindings(boundFindings(findings, noun), name, () => TOP);
}

/** As many as are told, and that there are more. */
function boundFindings(findings: readonly Finding[], noun: string): readonly Finding[] {
  if (findings.length <= FINDINGS_MAX) return findings;
  const message = `has ${findings.length - FINDINGS_MAX} more ${noun}; the first ${FINDINGS_MAX} are listed`;
  return [{ path: [KEY], at: TOP, message }, ...findings.slice(0, FINDINGS_MAX)];
}

const TOP: Place = { line: 1, column: 1 };
