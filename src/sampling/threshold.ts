/**
 * Consistent probability sampling: what one server keeps at a lower rate, all with a higher rate keep too.
 *
 * ```
 *   tracestate: ot=th:c;rv:6e6d1a75832a2f       kept where R >= T
 *                  │     └ R, 56 random bits of the whole trace; without it the right-most 56 of the trace id
 *                  └ T, the threshold that the span was kept with: its probability is 1 - T / 2^56, its count 1 / that
 * ```
 * Both are kept as text of 14 hex digits, which sorts as the numbers do: a double can't hold 56 bits, and a BigInt costs an
 * allocation for each request. Source: https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and, for the
 * form of `ot`, https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/.
 * Not here: checking `tracestate` itself (propagation/w3c.ts), and how often a peer that chooses its own R is followed (share.ts).
 */

/** 56 bits. */
const DIGITS = 14;
const VALUES = 2 ** (4 * DIGITS);

/** Below every R: kept whatever it is. */
export const ALWAYS = "0".repeat(DIGITS);
/** Sorts after every hex digit: no R reaches it. */
export const NEVER = "~";

/** https://www.w3.org/TR/trace-context-2/#tracestate-limits, and contract section 9. */
const MEMBERS_MAX = 32;
const LENGTH_MAX = 512;
/** Of a member's value (https://www.w3.org/TR/trace-context-2/#value). */
const VALUE_LENGTH_MAX = 256;

const THRESHOLD = /^[0-9a-f]{1,14}$/;
const RANDOMNESS = /^[0-9a-f]{14}$/;
/** Sub-members that are not read here; nobody has defined any. */
const OTHERS_MAX = 8;
/** A sub-key that is somebody else's, with its value. */
const SUB_MEMBER = /^[a-z][a-z0-9]*:[A-Za-z0-9._-]*$/;

/**
 * @param probability 0 to 1, kept to 2^-56; below 2^-57 it is 0
 * @returns T, or NEVER for 0
 */
export function thresholdOf(probability: number): string {
  const kept = Math.round(probability * VALUES);
  if (kept === 0) return NEVER;
  return (BigInt(VALUES) - BigInt(kept)).toString(16).padStart(DIGITS, "0");
}

/** What `tracestate` says of OpenTelemetry's; read once for each request. */
export interface OtState {
  /** Whether there is a member `ot`. */
  readonly isThere: boolean;
  /** As written: 1 to 14 hex digits. */
  readonly th: string | undefined;
  /** 14 hex digits. */
  readonly rv: string | undefined;
  /** Sub-members that are somebody else's, as they stand there; 8 at most. */
  readonly others: readonly string[];
}

const NO_STATE: OtState = { isThere: false, th: undefined, rv: undefined, others: [] };

/**
 * What is malformed counts as absent; of two sub-members with one key the first counts.
 *
 * @param traceState as `TraceContext` has it
 */
export function readOtState(traceState: string): OtState {
  const member = traceState === "" ? undefined : findMember(traceState);
  if (member === undefined) return NO_STATE;
  let th: string | undefined;
  let rv: string | undefined;
  const others: string[] = [];
  for (let start = 0; start <= member.length;) {
    const end = member.indexOf(";", start);
    const part = member.slice(start, end === -1 ? undefined : end);
    start = end === -1 ? member.length + 1 : end + 1;
    if (part.startsWith("th:")) th ??= THRESHOLD.test(part.slice(3)) ? part.slice(3) : undefined;
    else if (part.startsWith("rv:")) rv ??= RANDOMNESS.test(part.slice(3)) ? part.slice(3) : undefined;
    else if (others.length < OTHERS_MAX && SUB_MEMBER.test(part)) others.push(part);
  }
  return { isThere: true, th, rv, others };
}

/** @returns R, 14 hex digits */
export function randomnessOf(traceId: string, { rv }: OtState): string {
  return rv ?? traceId.slice(-DIGITS);
}

/** @returns T that the sender says it kept the trace with, 14 hex digits; undefined where it says none that can be true */
export function saidThreshold({ th }: OtState, randomness: string): string | undefined {
  const threshold = th?.padEnd(DIGITS, "0");
  // One above R was not kept with it: it is wrong, and the specification says to drop it.
  return threshold !== undefined && randomness >= threshold ? threshold : undefined;
}

/**
 * The list with this threshold in the place of the one that it has. R and what else stands in `ot` stays; a member that was changed
 * goes to the front, as W3C asks, and where the list gets too long the right-most members go.
 *
 * @param state what `traceState` says
 * @param threshold 14 hex digits; undefined: none is known, or the span is not kept
 */
export function withThreshold(traceState: string, state: OtState, threshold: string | undefined): string {
  if (traceState === "") return threshold === undefined ? "" : `ot=th:${trimmed(threshold)}`;
  const { th, rv, others } = state;
  const written = threshold === undefined ? undefined : trimmed(threshold);
  if (written === th) return traceState;
  const known = [
    ...(written === undefined ? [] : [`th:${written}`]),
    ...(rv === undefined ? [] : [`rv:${rv}`]),
  ];
  const whole = [...known, ...others].join(";");
  const value = whole.length <= VALUE_LENGTH_MAX ? whole : known.join(";");
  const members = traceState.split(",").filter((member) => !member.startsWith("ot="));
  if (value !== "") members.unshift(`ot=${value}`);
  return fitted(members);
}

/** Trailing zeros are left out: `c` stands for `c0000000000000`, `0` for all zero. */
function trimmed(threshold: string): string {
  let end = threshold.length;
  while (end > 1 && threshold[end - 1] === "0") end--;
  return threshold.slice(0, end);
}

function fitted(members: string[]): string {
  while (members.length > MEMBERS_MAX) members.pop();
  let text = members.join(",");
  while (text.length > LENGTH_MAX) {
    members.pop();
    text = members.join(",");
  }
  return text;
}

/** The value of `ot`. Of one key there is one member: the list was checked. */
function findMember(traceState: string): string | undefined {
  const start = traceState.startsWith("ot=") ? 0 : traceState.indexOf(",ot=") + 1;
  if (start === 0 && !traceState.startsWith("ot=")) return undefined;
  const end = traceState.indexOf(",", start);
  return traceState.slice(start + 3, end === -1 ? undefined : end);
}
