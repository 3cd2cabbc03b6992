/**
 * Warnings about whitelist entries that are legal but likely not meant: they never match, look anchored (or not)
 * as in another program, or are wider than they read. For `fedtrace check`; nothing here changes a verdict.
 *
 * A warning about width names a name that would be admitted, and the engine has admitted it: no guess is shown.
 */

import { compilePattern, type Pattern, toRegex } from "./pattern.ts";
import { LOOSE, RUN, type Sample, sampleOf } from "./pattern-sample.ts";
import { parseServerName } from "./server-name.ts";

/** A list that admits both was meant for everybody: the domains are reserved (RFC 2606), nobody lists them. */
const STRANGERS = ["stranger.invalid", "nobody.test"] as const;

/** `(?-i)` for the whole pattern, and no other flags behind it. */
const CASE_SENSITIVE = /^\(\?[a-zA-Z]*-[a-zA-Z]*i[a-zA-Z]*\)(?!.*\(\?)/;

/** Whether a name would be whitelisted by the entry alone. */
type Admits = (name: string) => boolean;

/**
 * @param pattern one that checkPattern passes
 * @returns one sentence a warning, none for an entry that does what it reads
 */
export async function lintPattern(pattern: Pattern): Promise<readonly string[]> {
  const regex = await toRegex(pattern);
  const matches = compilePattern(regex);
  const admits: Admits = (name) => {
    const server = parseServerName(name);
    return server !== undefined && matches(server.name);
  };
  const sample = sampleOf(regex);

  const never = neverMatches(pattern, sample);
  if (never !== undefined) return [never];
  if (STRANGERS.every(admits)) {
    return [`admits every server, ${STRANGERS[0]} too`];
  }
  return [
    anchoredOnOneSide(pattern),
    openAtStart(sample, admits),
    openAtEnd(sample, admits),
    pattern.kind === "regex" ? looseDots(sample, admits) : undefined,
  ].filter((warning) => warning !== undefined);
}

function neverMatches({ kind, text }: Pattern, sample: Sample): string | undefined {
  if (sample.isDead) {
    return text.includes("://")
      ? "never matches: a server name has no scheme and no path; write the name alone, such as matrix\\.org"
      : "never matches: server names hold only letters, digits, - . : and the [ ] of an IPv6 address";
  }
  // What follows is read off the one sample: with alternatives, another of them may match.
  if (text.includes("|")) return undefined;
  if (sample.text.endsWith(".")) return "never matches: names lose a trailing dot before they are matched";
  if (kind === "glob" && sample.text.includes("[") && !/^\[[0-9a-f:.*?]+\]/i.test(sample.text)) {
    return "never matches: [ ] stand for themselves in a glob; use braces, such as hs{1,2}.example, or a regex";
  }
  if (kind === "regex" && CASE_SENSITIVE.test(text) && /[A-Z]/.test(sample.text)) {
    return "never matches: names are lower-case when they are matched, and (?-i) makes upper case count";
  }
  return undefined;
}

function anchoredOnOneSide({ kind, text }: Pattern): string | undefined {
  if (kind === "glob") return undefined;
  const atStart = /^(?:\^|\\A)/.test(text);
  const atEnd = /(?:^|[^\\])(?:\\\\)*(?:\$|\\z)$/.test(text);
  if (atStart === atEnd) return undefined;
  const seen = atStart ? "begins with ^ and ends without $" : "ends with $ and begins without ^";
  return `${seen}, and needs neither: a pattern always matches the whole name; write .* where more may stand`;
}

function openAtStart(sample: Sample, admits: Admits): string | undefined {
  if (!sample.text.startsWith(RUN)) return undefined;
  const rest = fill(sample.text.slice(RUN.length));
  if (!/^[0-9a-z-]/i.test(rest) || !admits(`evil${rest}`)) return undefined;
  return `is open at its start: evil${rest} is admitted too; for the subdomains alone put a dot first, as in (.*\\.)?${rest.replaceAll(".", "\\.")}, or *.${rest} as a glob`;
}

function openAtEnd(sample: Sample, admits: Admits): string | undefined {
  if (!sample.text.endsWith(RUN)) return undefined;
  const body = fill(sample.text.slice(0, -RUN.length));
  const admitted = [`${body}.evil.example`, `${body}evil.example`].find(admits);
  if (admitted === undefined) return undefined;
  return `is open at its end: ${admitted} is admitted too; write out how the name ends (the port need not be written)`;
}

function looseDots(sample: Sample, admits: Admits): string | undefined {
  // Between letters or digits: that's where a dot stands that was meant as one.
  const meant = sample.text.replaceAll(/(?<=[0-9a-z-])\?(?=[0-9a-z-])/gi, "x");
  if (meant === sample.text) return undefined;
  const admitted = fill(meant);
  if (!admits(admitted)) return undefined;
  return `has a dot that stands for any character: ${admitted} is admitted too; write \\. for a dot`;
}

/** A sample as a name. */
function fill(sample: string): string {
  return sample.replaceAll(RUN, "a").replaceAll(LOOSE, ".");
}
