/**
 * Where a value stands in a config: `inbound.tls.certificate`, `whitelist[2].regex`.
 *
 * Paths are made from documents, patterns are written in tables: in a pattern `[]` stands for every item of a
 * list, so `export[].file.path` finds the path of each file export.
 */

/** Keys of mappings and indices of lists, from the root. Empty: the document itself. */
export type KeyPath = readonly (string | number)[];

/** A mapping of a parsed document. It has no prototype: a key of the file is never a method. */
export type Mapping = Record<string, unknown>;

/** @returns true for a mapping; false for a list, a scalar and nothing */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys that need no quotes; any other may hold dots, spaces and line ends. */
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const KEY_LENGTH_MAX = 80;
/** The longest path of a valid config has 60 characters; the end is what tells two of them apart. */
const PATH_LENGTH_MAX = 300;
/** What a terminal or an editor would act on, or show as nothing, and what a YAML reader may refuse. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|(?! )\p{Zs}/gu;

/** As a fault prints it, on one line: `inbound.networks["relay.example"][0]`; the root is `(file)`. At most 300 characters. */
export function formatKeyPath(path: KeyPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!PLAIN_KEY.test(step) || step.length > KEY_LENGTH_MAX)
      text += `[${formatQuoted(step.slice(0, KEY_LENGTH_MAX))}]`;
    else text += text === "" ? step : `.${step}`;
  }
  if (text.length > PATH_LENGTH_MAX) {
    const half = PATH_LENGTH_MAX / 2;
    text = `${text.slice(0, half - 1)}…${text.slice(-half)}`;
  }
  return text === "" ? "(file)" : text;
}

/** In double quotes, as every YAML reader takes it, with each unprintable character as an escape. */
export function formatQuoted(text: string): string {
  return escapeUnprintable(JSON.stringify(text));
}

/** Every unprintable character as `\uXXXX`, above U+FFFF as YAML's `\UXXXXXXXX`; all others as they are. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** A value that a pattern found. */
export interface Found {
  readonly path: KeyPath;
  readonly value: unknown;
  /** Puts another value in its place, in the document that was searched. */
  readonly replace: (value: unknown) => void;
}

/**
 * Every value at a pattern, in the order of the file.
 *
 * @param root    a parsed document, checked or not: what has another shape than the pattern isn't found
 * @param pattern keys joined by dots, `[]` after the key of a list
 */
export function findValues(root: unknown, pattern: string): readonly Found[] {
  const steps = pattern.replaceAll("[]", ".[]").split(".");
  let found: readonly Found[] = [{ path: [], value: root, replace: () => undefined }];
  for (const step of steps) found = found.flatMap((parent) => childrenOf(parent, step));
  return found;
}

function childrenOf({ path, value }: Found, step: string): readonly Found[] {
  if (step === "[]" && Array.isArray(value)) {
    const items: unknown[] = value;
    return items.map((item, index) => ({
      path: [...path, index],
      value: item,
      replace: (next) => void (items[index] = next),
    }));
  }
  if (!isMapping(value) || !Object.hasOwn(value, step)) return [];
  return [{ path: [...path, step], value: value[step], replace: (next) => void (value[step] = next) }];
}
