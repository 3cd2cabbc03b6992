/**
 * Numbers, times and words of a query as Go reads them, with Go's own sentences for what it refuses: Jaeger is written
 * in Go, and what its clients see on a wrong value comes straight from Go's library.
 *
 * https://pkg.go.dev/strconv, https://pkg.go.dev/time#ParseDuration and the model's
 * https://github.com/jaegertracing/jaeger-idl/blob/main/model/v1/ids.go.
 */

/** A value, or Go's sentence for why there is none. */
export type Parsed<T> = { readonly value: T } | { readonly refusal: string };

const TRACE_ID_DIGITS = 32;
const HALF_ID_DIGITS = 16;

/** Of a duration; what follows is less than any unit's nanosecond. */
const FRACTION_DIGITS_MAX = 18;

/** Beyond this many nanoseconds (292 years) a duration is none. */
const DURATION_NS_MAX = 2 ** 63;

const NANOSECONDS_PER: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3], // U+00B5, the micro sign.
  ["μs", 1e3], // U+03BC, the Greek letter.
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

const TRUE_WORDS: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** strconv.ParseInt in base 10. The value is a double: beyond 2⁵³ it is rounded. */
export function parseInteger(text: string, bits: 32 | 64): Parsed<number> {
  if (!/^[+-]?\d+$/.test(text)) return { refusal: numberFault("ParseInt", text, "invalid syntax") };
  const exact = BigInt(text.replace("+", ""));
  if (BigInt.asIntN(bits, exact) !== exact) {
    return { refusal: numberFault("ParseInt", text, "value out of range") };
  }
  return { value: Number(exact) };
}

/** strconv.ParseBool. */
export function parseBoolean(text: string): Parsed<boolean> {
  if (TRUE_WORDS.has(text)) return { value: true };
  if (FALSE_WORDS.has(text)) return { value: false };
  return { refusal: numberFault("ParseBool", text, "invalid syntax") };
}

/** model.TraceIDFromString: 1 to 32 hex digits of either case → 32 of lower case. */
export function parseTraceId(text: string): Parsed<string> {
  if (text.length > TRACE_ID_DIGITS) {
    return { refusal: `TraceID cannot be longer than ${TRACE_ID_DIGITS} hex characters: ${text}` };
  }
  const halves = [text.slice(0, -HALF_ID_DIGITS), text.slice(-HALF_ID_DIGITS)];
  const wrong = halves.find((half, index) => /[^0-9a-fA-F]/.test(half) || (index === 1 && half === ""));
  if (wrong !== undefined) return { refusal: numberFault("ParseUint", wrong, "invalid syntax") };
  return { value: text.toLowerCase().padStart(TRACE_ID_DIGITS, "0") };
}

/** time.ParseDuration: `1h15m30.5s` → nanoseconds. */
export function parseDuration(text: string): Parsed<number> {
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  const invalid = { refusal: `time: invalid duration ${quoteDuration(text)}` };
  if (unsigned === "0") return { value: 0 };
  if (unsigned === "") return invalid;

  const part = /(\d*)(?:\.(\d*))?([^.\d]*)/y;
  let nanoseconds = 0;
  while (part.lastIndex < unsigned.length) {
    const [, whole = "", fraction = "", unit = ""] = part.exec(unsigned) ?? [];
    if (whole === "" && fraction === "") return invalid;
    if (unit === "") return { refusal: `time: missing unit in duration ${quoteDuration(text)}` };
    const factor = NANOSECONDS_PER.get(unit);
    if (factor === undefined) {
      return { refusal: `time: unknown unit ${quoteDuration(unit)} in duration ${quoteDuration(text)}` };
    }
    nanoseconds += Number(whole) * factor + fractionOf(fraction, factor);
    if (nanoseconds >= DURATION_NS_MAX) return invalid;
  }
  return { value: text.startsWith("-") ? -nanoseconds : nanoseconds };
}

/** What stands behind the point, by itself: together with whole seconds it would be rounded to a nanosecond less. */
function fractionOf(digits: string, factor: number): number {
  const counted = digits.slice(0, FRACTION_DIGITS_MAX);
  return Math.floor(Number(counted) * (factor / 10 ** counted.length));
}

/** time.Duration's String: `1.5ms`, `-1m0.25s`. Whole nanoseconds. */
export function formatDuration(nanoseconds: number): string {
  const size = Math.abs(nanoseconds);
  const sign = nanoseconds < 0 ? "-" : "";
  if (size === 0) return "0s";
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${decimal(size, 3)}µs`;
  if (size < 1e9) return `${sign}${decimal(size, 6)}ms`;
  const hours = Math.floor(size / 3600e9);
  const minutes = Math.floor((size % 3600e9) / 60e9);
  const seconds = `${decimal(size % 60e9, 9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** The number with its point moved to the left, without zeros at the end. */
function decimal(number: number, places: number): string {
  const whole = Math.floor(number / 10 ** places);
  const fraction = String(number % 10 ** places)
    .padStart(places, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(whole) : `${whole}.${fraction}`;
}

function numberFault(reader: string, text: string, fault: string): string {
  return `strconv.${reader}: parsing ${quote(text)}: ${fault}`;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** strconv.Quote: what can't be printed is escaped. */
function quote(text: string): string {
  const escaped = text.replaceAll(/["\\]|[^ \p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) => {
    const short = SHORT_ESCAPES.get(character);
    if (short !== undefined) return short;
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    if (hex.length <= 2 && character < "\u0080") return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}

/** The time package has a quote of its own: every byte that isn't printable ASCII in hex. */
function quoteDuration(text: string): string {
  const escaped = text.replaceAll(/["\\]|[^ -\u007f]/gu, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
  );
  return `"${escaped}"`;
}
