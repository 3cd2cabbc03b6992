/**
 * What foreign code threw, as a text that can stand in a log line or a fault: short, on one line, without what the exporter's
 * options hold. Used on both sides of the thread (foreign-worker.ts, foreign-thread.ts).
 */

/** Of what foreign code says; it may hold a whole answer. */
const MESSAGE_LENGTH_MAX = 200;
/** Looked at; a message may have any length, and each option is searched in it. */
const LOOKED_AT_MAX = 10_000;
/** A shorter value of an option is no secret, and hiding it would make a message unreadable. */
const HIDDEN_LENGTH_MIN = 4;

/**
 * @param thrown anything: what can't even be made a text is said to be that
 * @param options the exporter's: texts of four characters or more are replaced by an ellipsis
 * @returns at most 200 characters. Never throws.
 */
export function foreignReason(thrown: unknown, options: unknown): string {
  let text = textOf(thrown).slice(0, LOOKED_AT_MAX).replaceAll(/\s+/g, " ");
  // The longest first: one may be a part of another.
  const hidden = textsIn(options).filter((value) => value.length >= HIDDEN_LENGTH_MIN);
  for (const value of hidden.sort((a, b) => b.length - a.length)) text = text.replaceAll(value, "…");
  return text.slice(0, MESSAGE_LENGTH_MAX);
}

/** String() throws for what has no text, and a getter or a proxy may throw anything again. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something that is no text was thrown";
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
