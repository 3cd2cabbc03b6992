/**
 * Header lines, found by scanning one latin1 string; never turned into objects.
 *
 * A head has some ten lines, of which a proxy looks at three or four. `scanFields` walks the lines, and for a
 * line whose name is in the table it notes four numbers (a mark): tag, start of the line, its colon, start of
 * the next line. Everything else of the head stays text: lines are cut out by their offsets (`cutLines`) and
 * new ones appended, so order, case, duplicates and odd bytes of what passes can't change.
 *
 * Source: RFC 9110 section 5 (fields), RFC 9112 section 5 (field syntax).
 * Not here: which names matter to tracing; the table is made by proxy/field-tags.ts.
 */

/** Names that the HTTP/1.1 path itself needs. Tags from `FIRST_FREE_TAG` on belong to the table's maker. */
export const FIELD = {
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  KEEP_ALIVE: 5,
  UPGRADE: 6,
  EXPECT: 7,
  TE: 8,
  /**
   * Cut, never read: other hop-by-hop names (RFC 9110 section 7.6.1), and any of these names with `_` for `-`, which
   * a server behind CGI or WSGI can't tell from the real one.
   */
  HOP: 9,
} as const;

export const FIRST_FREE_TAG = 16;

export const HTTP_FIELDS: readonly (readonly [name: string, tag: number])[] = [
  ["host", FIELD.HOST],
  ["content-length", FIELD.CONTENT_LENGTH],
  ["transfer-encoding", FIELD.TRANSFER_ENCODING],
  ["connection", FIELD.CONNECTION],
  ["keep-alive", FIELD.KEEP_ALIVE],
  ["upgrade", FIELD.UPGRADE],
  ["expect", FIELD.EXPECT],
  ["te", FIELD.TE],
  ["proxy-connection", FIELD.HOP],
  ["http2-settings", FIELD.HOP],
];

/** Characters of a field name: `token` of RFC 9110 section 5.6.2. For use inside a character class. */
export const TOKEN_CLASS = "!#$%&'*+\\-.^_`|~0-9A-Za-z";
/** Field lines and the empty line after them; obs-text is allowed, obs-fold and control characters are not. */
export const FIELD_LINES = `(?:[${TOKEN_CLASS}]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*\\r\\n`;

export interface FieldTable {
  readonly exact: ReadonlyMap<string, number>;
  readonly prefixes: readonly (readonly [prefix: string, tag: number])[];
  /**
   * By a name's length, a bit for each first letter that some name of that length has. It turns away nine of
   * ten lines before a substring is made.
   */
  readonly initials: Uint32Array;
}

/** Longer names share the last slot of `initials`. */
const LENGTH_SLOTS = 64;

/**
 * @param exact lower-case names, each starting with a letter, and their tags
 * @param prefixes lower-case beginnings of names, and their tags; an exact name wins
 */
export function createFieldTable(
  exact: Iterable<readonly [name: string, tag: number]>,
  prefixes: readonly (readonly [prefix: string, tag: number])[] = [],
): FieldTable {
  const names = new Map(exact);
  const initials = new Uint32Array(LENGTH_SLOTS);
  const note = (length: number, name: string): void => {
    const slot = Math.min(length, LENGTH_SLOTS - 1);
    initials[slot] = (initials[slot] ?? 0) | letterBit(name.charCodeAt(0));
  };
  for (const name of names.keys()) note(name.length, name);
  for (const [prefix] of prefixes) {
    for (let length = prefix.length; length < LENGTH_SLOTS; length++) note(length, prefix);
  }
  return { exact: names, prefixes, initials };
}

/** One bit of 26 for a letter of either case, 0 for any other character. */
function letterBit(code: number): number {
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 26 ? 1 << letter : 0;
}

function tagOf(table: FieldTable, name: string): number {
  const tag = table.exact.get(name);
  if (tag !== undefined) return tag;
  for (const [prefix, prefixTag] of table.prefixes) if (name.startsWith(prefix)) return prefixTag;
  if (!name.includes("_")) return 0;
  const twin = tagOf(table, name.replaceAll("_", "-"));
  return twin !== 0 && twin < FIRST_FREE_TAG ? FIELD.HOP : twin;
}

/** Marks of one head, `MARK_SIZE` numbers each: tag, line start, colon, start of the next line. */
export type Marks = number[];
export const MARK_SIZE = 4;

/**
 * Walks the lines of `text` from `from` to its empty line and appends marks for those in the table.
 *
 * @param text a head or trailer section that matched `FIELD_LINES` from `from` to its end
 * @returns the number of lines
 */
export function scanFields(text: string, from: number, table: FieldTable, marks: Marks): number {
  const end = text.length - 2;
  let lines = 0;
  for (let at = from; at < end; lines++) {
    const colon = text.indexOf(":", at);
    const next = text.indexOf("\r", colon) + 2;
    const slot = Math.min(colon - at, LENGTH_SLOTS - 1);
    if (((table.initials[slot] ?? 0) & letterBit(text.charCodeAt(at))) !== 0) {
      const tag = tagOf(table, text.slice(at, colon).toLowerCase());
      if (tag !== 0) marks.push(tag, at, colon, next);
    }
    at = next;
  }
  return lines;
}

/** The value of the field line whose mark starts at `marks[index]`, without the white space around it. */
export function fieldValue(text: string, marks: Marks, index: number): string {
  return sliceTrimmed(text, (marks[index + 2] ?? 0) + 1, (marks[index + 3] ?? 0) - 2);
}

/**
 * `text` from `from` to `to` without the spaces and tabs around it, in time linear in them. String.trim would also
 * take a byte A0 (NBSP in latin1) for white space, which HTTP does not.
 */
export function sliceTrimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Spans of text to leave out: start, end, start, end, …; ascending and not overlapping. */
export type Cuts = number[];

/** `text` from `from` to `to` without the cuts. */
export function cutLines(text: string, from: number, to: number, cuts: Cuts): string {
  let kept = "";
  let at = from;
  for (let index = 0; index < cuts.length; index += 2) {
    const start = cuts[index] ?? to;
    if (start > at) kept += text.slice(at, start);
    at = cuts[index + 1] ?? to;
  }
  return at < to ? kept + text.slice(at, to) : kept;
}

/** Start and end of each line from `from` on whose name is in `names` (lower-case), as cuts. */
export function findLines(text: string, from: number, names: ReadonlySet<string>): Cuts {
  const found: Cuts = [];
  for (let at = from; at < text.length - 2;) {
    const colon = text.indexOf(":", at);
    const next = text.indexOf("\r", colon) + 2;
    if (names.has(text.slice(at, colon).toLowerCase())) found.push(at, next);
    at = next;
  }
  return found;
}

/** Values of all lines of that name from `from` on, in their order, without the white space around them. @param name in lower case */
export function findFieldValues(text: string, from: number, name: string): readonly string[] {
  const values: string[] = [];
  const lines = findLines(text, from, new Set([name]));
  for (let index = 0; index < lines.length; index += 2) {
    const start = lines[index] ?? 0;
    values.push(sliceTrimmed(text, text.indexOf(":", start) + 1, (lines[index + 1] ?? 0) - 2));
  }
  return values;
}
