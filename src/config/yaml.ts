/**
 * From YAML text to a plain value in which every key and value knows its line and column.
 *
 * YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema): no custom tags, one document. Merge keys (`<<`,
 * https://yaml.org/type/merge.html) only where the caller reads another program's file; elsewhere they are a fault. The file is an operator's, but may be written by a program: size, depth and the number of values
 * (which is what an alias bomb grows) are bounded. `${NAME}` is replaced here, on parsed scalars.
 *
 * What a variable puts in is always text: it may be a number only where an option wants one (schema-values.ts).
 */

import {
  type Alias,
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { Finding, Parsed, Place } from "./fault.ts";
import { isMapping, type KeyPath, type Mapping } from "./key-path.ts";

/** A syntax error, which has a place but no key. */
export interface SyntaxFault extends Place {
  readonly message: string;
}

export interface YamlDocument {
  /** Mappings, lists, text, numbers, booleans. A key without a value is left out, as if it weren't there. */
  readonly value: unknown;
  readonly findings: readonly Finding[];
  /** Where a value (or its key) stands; for what isn't there, the nearest thing around it. */
  readonly locate: (path: KeyPath, isAboutKey: boolean) => Place;
}

/**
 * Stack of the parser, about two entries a level. The deepest valid config needs 12; yaml's composer works by
 * recursion and takes the process down with it (out of memory at 1 MiB of `[`, yaml 2.9.1).
 */
const STACK_MAX = 64;
/** Values after aliases are followed. The largest useful whitelist is far below. */
const VALUES_MAX = 100_000;
/** Levels, aliases followed: an alias may contain itself. */
const LEVELS_MAX = 32;
/** Findings told; by aliases one of them becomes thousands. */
const FINDINGS_MAX = 100;
/** Syntax errors told; after the first few the rest is an echo. */
const SYNTAX_FAULTS_MAX = 10;
const SYNTAX_MESSAGE_LENGTH_MAX = 200;
/** What a line of a syntax error looks like, and what most likely is the matter. */
const HINTS: readonly (readonly [line: RegExp, hint: string])[] = [
  [/[[{].*\$\{/, "inside { } or [ ] a ${NAME} needs quotes"],
  [/\[[0-9a-f:.]*:[0-9a-f:.]*\]/i, "an IPv6 address in [ ] needs quotes"],
  [/(?:^|[:,[{-])\s*[!>|]/, "a value that begins with !, > or | needs quotes"],
];
/**
 * Where a message of the parser begins to repeat the file, which may be a secret: behind the colon that introduces it
 * (not the one of `Missing , or : between`), in quotes, and in the few messages that put it elsewhere.
 */
const REPEATED_TEXT =
  /(?<=\w): .*| ".*|(?<=^(?:Unknown directive|Unsupported YAML version|Invalid escape sequence)) .*|, so .*|(?<=^The) .*(?= tag)/gs;
/** The patterns of HINTS are quadratic in the line. */
const HINT_LINE_LENGTH_MAX = 300;
/** Keys that an object of the language gives a meaning; valibot skips them in silence. */
const RESERVED_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const MERGE_ADVICE =
  "is a merge key, which YAML 1.2 does not have; write the keys out, or use an alias (*) for a whole value";
const NO_SOURCE = "merges what is not a mapping; allowed: an alias of a mapping, or a list of such";

/** A place in the text for each value, in the shape of the document. */
interface Mark {
  readonly offset: number;
  readonly keyOffset: number;
  readonly children: Map<string | number, Mark>;
}

interface YamlReading {
  /** Whether a plain `<<` merges as PyYAML does it: what stands in the mapping itself counts, then the first source. */
  readonly hasMergeKeys?: boolean;
}

/**
 * @param text   a whole file; its size is the caller's bound
 * @param expand replaces `${…}` in a scalar's text
 * @returns syntax faults alone where there are any: what stands beside them can't be trusted
 */
export function readYaml(
  text: string,
  expand: (scalar: string) => Parsed<string>,
  { hasMergeKeys = false }: YamlReading = {},
): YamlDocument | { readonly syntaxFaults: readonly SyntaxFault[] } {
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };

  const composed = compose(text, lines);
  if ("faults" in composed) {
    const told = composed.faults.slice(0, SYNTAX_FAULTS_MAX);
    const rows = text.split("\n");
    return {
      syntaxFaults: told.map(({ offset, message }) => {
        const where = place(offset);
        const hint = HINTS.find(([pattern]) =>
          pattern.test((rows[where.line - 1] ?? "").slice(0, HINT_LINE_LENGTH_MAX)),
        )?.[1];
        return { ...where, message: hint === undefined ? message : `${message}; ${hint}` };
      }),
    };
  }

  const findings: Finding[] = [];
  const root: Mark = { offset: composed.root?.range[0] ?? 0, keyOffset: 0, children: new Map() };
  const reader = createReader({ expand, place, findings, hasMergeKeys });
  const value = composed.root === null ? null : reader(composed.root, [], root);
  return {
    value: value ?? {},
    findings,
    locate(path, isAboutKey) {
      let mark = root;
      let depth = 0;
      for (const step of path) {
        const child = mark.children.get(step);
        if (child === undefined) break;
        mark = child;
        depth++;
      }
      return place(isAboutKey && depth > 0 && depth === path.length ? mark.keyOffset : mark.offset);
    },
  };
}

interface OffsetFault {
  readonly offset: number;
  readonly message: string;
}

/** The root of the only document, null if it is empty; or what is wrong with the syntax. */
function compose(
  text: string,
  lines: LineCounter,
): { readonly root: ParsedNode | null } | { readonly faults: readonly OffsetFault[] } {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > STACK_MAX) {
      return { faults: [{ offset: parser.offset, message: "is nested too deep" }] };
    }
  }
  for (const token of parser.end()) tokens.push(token);

  // Its own test for repeated keys is quadratic; createReader() has one that isn't.
  const composer = new Composer({ uniqueKeys: false, stringKeys: true, prettyErrors: false });
  const [first, second] = composer.compose(tokens, true, text.length);
  // A warning is an unknown tag, which would change what the value means.
  const faults = [...(first?.errors ?? []), ...(first?.warnings ?? [])].map(({ message, pos: [offset] }) => ({
    offset,
    message: message
      .replaceAll(REPEATED_TEXT, "")
      .replaceAll(/\s+/g, " ")
      .slice(0, SYNTAX_MESSAGE_LENGTH_MAX),
  }));
  if (second !== undefined) faults.push({ offset: second.range[0], message: "begins a second document" });
  return faults.length > 0 ? { faults } : { root: first?.contents ?? null };
}

interface ReaderOptions {
  readonly expand: (scalar: string) => Parsed<string>;
  readonly place: (offset: number) => Place;
  readonly hasMergeKeys: boolean;
  /** What the reader adds to; bounded. */
  readonly findings: Finding[];
}

/** What one `<<` brings: a mapping, and where its values stand. */
interface Source {
  readonly mapping: Mapping;
  readonly mark: Mark;
}

/** A function that turns nodes into values and marks their places. What it can't read it leaves out. */
function createReader({
  expand,
  place,
  findings,
  hasMergeKeys,
}: ReaderOptions): (node: ParsedNode, path: KeyPath, mark: Mark) => unknown {
  const anchors = new Map<string, ParsedNode>();
  /** Anchored nodes that are being read: an alias of one would never end. */
  const open = new Set<ParsedNode>();
  const report = createReport(findings);
  let values = 0;

  function read(node: ParsedNode, path: KeyPath, mark: Mark): unknown {
    values++;
    if (values > VALUES_MAX) {
      if (values === VALUES_MAX + 1) {
        report({ path, message: `is one value too many; allowed: ${VALUES_MAX}, aliases followed` });
      }
      return undefined;
    }
    if (path.length > LEVELS_MAX) {
      report({ path, message: `is nested too deep; allowed: ${LEVELS_MAX} levels, aliases followed` });
      return undefined;
    }
    if (isAlias(node)) return readAlias(node.source, path, mark);
    if (node.anchor === undefined) return readPlain(node, path, mark);
    anchors.set(node.anchor, node);
    open.add(node);
    const value = readPlain(node, path, mark);
    open.delete(node);
    return value;
  }

  function readAlias(anchor: string, path: KeyPath, mark: Mark): unknown {
    const target = anchors.get(anchor);
    if (target !== undefined && !open.has(target)) return read(target, path, mark);
    const message =
      target === undefined
        ? "is an alias (*) of no anchor; in quotes it is text"
        : "is an alias (*) of what it stands in, which would never end";
    report({ path, message });
    return undefined;
  }

  function readPlain(node: Exclude<ParsedNode, Alias.Parsed>, path: KeyPath, mark: Mark): unknown {
    if (isMap(node)) return readMapping(node, path, mark);
    if (isSeq(node)) {
      return node.items.map((item, index) => read(item, [...path, index], addMark(mark, index, item, item)));
    }
    return readScalar(node, path);
  }

  function readMapping(node: YAMLMap.Parsed, path: KeyPath, mark: Mark): Mapping {
    const mapping = Object.create(null) as Mapping;
    let sources: readonly Source[] = [];
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      const keyPath = [...path, key];
      if (mark.children.has(key)) {
        report({ path: keyPath, at: place(pair.key.range[0]), message: "stands here a second time" });
        continue;
      }
      const child = addMark(mark, key, pair.key, pair.value ?? pair.key);
      if (RESERVED_KEYS.has(key)) {
        report({ path: keyPath, isAboutKey: true, message: "is not a key that a config can have" });
        continue;
      }
      if (isMergeKey(pair.key)) {
        if (hasMergeKeys) sources = readSources(pair.value, keyPath, child);
        else report({ path: keyPath, isAboutKey: true, message: MERGE_ADVICE });
        continue;
      }
      const value = pair.value === null ? null : read(pair.value, keyPath, child);
      if (value !== null && value !== undefined) mapping[key] = value;
    }
    for (const source of sources) merge(source, mapping, mark);
    return mapping;
  }

  function readSources(node: ParsedNode | null, path: KeyPath, mark: Mark): readonly Source[] {
    const known = findings.length;
    const sources = sourcesOf(node === null ? null : read(node, path, mark), mark);
    // What could not be read at all has been told.
    if (sources === undefined && findings.length === known) report({ path, message: NO_SOURCE });
    return sources ?? [];
  }

  function readScalar(node: Scalar.Parsed, path: KeyPath): unknown {
    if (typeof node.value !== "string") return node.value;
    const expanded = expand(node.value);
    if ("value" in expanded) return expanded.value;
    report({ path, message: expanded.refused });
    return undefined;
  }

  return read;
}

/** @returns a function that adds a finding, as long as there are not too many */
function createReport(findings: Finding[]): (finding: Finding) => void {
  return (finding) => {
    if (findings.length > FINDINGS_MAX) return;
    const more = { path: [], message: `has more faults; the first ${FINDINGS_MAX} are listed` };
    findings.push(findings.length < FINDINGS_MAX ? finding : more);
  };
}

/** In quotes it is a key like any other. */
function isMergeKey(key: ParsedNode): boolean {
  return isScalar(key) && key.value === "<<" && key.type === "PLAIN";
}

/** What a `<<` names: a mapping, or a list of them. @param mark of the value. undefined: something else */
function sourcesOf(value: unknown, mark: Mark): readonly Source[] | undefined {
  if (isMapping(value)) return [{ mapping: value, mark }];
  if (!Array.isArray(value)) return undefined;
  const sources = value.flatMap((mapping: unknown, index) => {
    const child = mark.children.get(index);
    return isMapping(mapping) && child !== undefined ? [{ mapping, mark: child }] : [];
  });
  return sources.length === value.length ? sources : undefined;
}

/** Puts in what isn't there yet; a key that stands there without a value stays without one. */
function merge(source: Source, mapping: Mapping, mark: Mark): void {
  for (const [key, child] of source.mark.children) {
    if (mark.children.has(key)) continue;
    mark.children.set(key, child);
    if (Object.hasOwn(source.mapping, key)) mapping[key] = source.mapping[key];
  }
}

function addMark(parent: Mark, step: string | number, key: ParsedNode, value: ParsedNode): Mark {
  const mark = {
    offset: value.range[0],
    keyOffset: key.range[0],
    children: new Map<string | number, Mark>(),
  };
  parent.children.set(step, mark);
  return mark;
}
