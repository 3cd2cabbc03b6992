/**
 * `server-timing` without the entries that name a trace (`traceparent;desc="00-…"`, `trace;desc=…`).
 *
 * Grammar: https://www.w3.org/TR/server-timing/#the-server-timing-header-field: entries are separated by
 * commas, each is a name and parameters, and a parameter's value may be a quoted string with commas in it.
 * Not here: reading what the entries say. What stays, stays byte for byte.
 */

/** Compared in lower case: browsers show names as sent, and agents look for them in any. */
const CUT_NAMES: ReadonlySet<string> = new Set(["trace", "traceparent"]);

/**
 * Cuts the entries named `trace` or `traceparent`, in time linear in the value. Never throws.
 *
 * A quoted string is one only right after `=`, and only when it is closed. Any other quote is an ordinary
 * character, so that a stray one cannot hide the entries after it.
 *
 * @returns the same string when nothing was cut, undefined when no entry is left
 */
export function cutServerTiming(value: string): string | undefined {
  const kept: string[] = [];
  let isCut = false;
  for (const entry of splitEntries(value)) {
    if (CUT_NAMES.has(nameOf(entry))) isCut = true;
    else kept.push(entry);
  }
  if (!isCut) return value;
  const left = kept.join(",");
  return /[^ \t,]/.test(left) ? left.replace(/^[ \t]+/, "") : undefined;
}

function nameOf(entry: string): string {
  return /^\s*([^\s;=]*)/.exec(entry)?.[1]?.toLowerCase() ?? "";
}

function splitEntries(value: string): readonly string[] {
  const entries: string[] = [];
  let from = 0;
  let isAfterEquals = false;
  for (let index = 0; index < value.length; index++) {
    const character = value[index];
    if (character === '"' && isAfterEquals) {
      // Looked for in vain at most once: a later quote after `=` is not escaped, so it would have been the end.
      const end = endOfQuoted(value, index);
      if (end !== -1) index = end;
      isAfterEquals = false;
    } else if (character === ",") {
      entries.push(value.slice(from, index));
      from = index + 1;
      isAfterEquals = false;
    } else if (character !== " " && character !== "\t") {
      isAfterEquals = character === "=";
    }
  }
  entries.push(value.slice(from));
  return entries;
}

/** @returns where the closing quote stands, -1 when there is none */
function endOfQuoted(value: string, from: number): number {
  for (let index = from + 1; index < value.length; index++) {
    if (value[index] === "\\") index++;
    else if (value[index] === '"') return index;
  }
  return -1;
}
