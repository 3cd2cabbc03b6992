/**
 * Members of JSON that someone else wrote, each read with its type and bounds; the first fault is kept, nothing is thrown.
 *
 * An absent member and null are the type's zero: proto3 leaves zeros out (https://protobuf.dev/programming-guides/json/), and Go's
 * decoder, which reads Jaeger's files, skips null. After a fault the values mean nothing, and whoever asked looks at `fault` at the end.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonReader {
  /** The first one, as words with the member's place; undefined while there is none. */
  readonly fault: string | undefined;
  refuse(fault: string): void;
  /** @returns undefined where it is absent or null */
  object(value: unknown, place: string): JsonObject | undefined;
  list(value: unknown, place: string): readonly unknown[];
  /** @param lengthMax in characters */
  text(value: unknown, place: string, lengthMax?: number): string;
  /** A finite one. @param range ends included; without it any finite number will do */
  number(value: unknown, place: string, range?: Range): number;
}

type Range = readonly [lowest: number, highest: number];

/** A share of all traces. */
export const PROBABILITY: Range = [0, 1];
/** Traces a second; JSON has numbers that a double takes for infinite. */
export const PER_SECOND: Range = [0, Number.MAX_VALUE];

export function createJsonReader(): JsonReader {
  let fault: string | undefined;

  function refuse(found: string): void {
    fault ??= found;
  }

  function isOther(value: unknown, place: string, type: string): boolean {
    const found = Array.isArray(value) ? "list" : typeof value;
    if (found !== type) refuse(`${place} is ${withArticle(found)}, not ${withArticle(type)}`);
    return found !== type;
  }

  return {
    get fault() {
      return fault;
    },
    refuse,
    object: (value, place) =>
      value == null || isOther(value, place, "object") ? undefined : (value as JsonObject),
    list: (value, place) => (value == null || isOther(value, place, "list") ? [] : (value as unknown[])),
    text(value, place, lengthMax = Infinity) {
      if (value == null || isOther(value, place, "string")) return "";
      const text = value as string;
      if (text.length > lengthMax) refuse(`${place} has ${text.length} characters, more than ${lengthMax}`);
      return text;
    },
    number(value, place, range) {
      if (value == null || isOther(value, place, "number")) return 0;
      const number = value as number;
      if (!Number.isFinite(number)) refuse(`${place} is no number that can be held`);
      else if (range !== undefined) refuseOutside(number, place, range, refuse);
      return number;
    },
  };
}

function withArticle(type: string): string {
  return type === "object" ? "an object" : `a ${type}`;
}

function refuseOutside(
  number: number,
  place: string,
  [lowest, highest]: Range,
  refuse: (fault: string) => void,
): void {
  if (number < lowest) refuse(`${place} is ${number}, less than ${lowest}`);
  if (number > highest) refuse(`${place} is ${number}, more than ${highest}`);
}

/** @returns undefined for what is no JSON, which no JSON stands for */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
