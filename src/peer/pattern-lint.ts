/**
 * Warnings about whitelist entries that are legal but likely not meant: they never match, look anchored (or not)
 * as in another program, or are wider than they read. For `fedtrace check`; nothing here changes a verdict.
 *
 * A warning about width names a name that would be admitted, and the engine has admitted it: no guess is shown.
 */

import { fits, masksOf } from "./name-mask.ts";
import { ADMITS_EVERYBODY, STRANGERS } from "./pattern-everybody.ts";
import { compilePattern, type Pattern, toRegex } from "./pattern.ts";
import { MORE, nameOf, RUN, type Sample, samplesOf } from "./pattern-sample.ts";
import { parseServerName } from "./server-name.ts";

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
  const masks = masksOf(pattern);
  const matches =
    masks === undefined ? compilePattern(regex) : (name: string) => masks.some((mask) => fits(mask, name));
  const admits: Admits = (name) => {
    const server = parseServerName(name);
    return server !== undefined && matches(server.name);
  };
  const samples = samplesOf(regex);

  const never = samples[0] && neverMatches(pattern, samples[0]);
  if (never !== undefined) return [never];
  if (STRANGERS.every(admits)) return [ADMITS_EVERYBODY];
  const first = (lint: (sample: Sample) => string | undefined): string | undefined => {
    for (const sample of samples) {
      const warning = lint(sample);
      if (warning !== undefined) return warning;
    }
    return undefined;
  };
  return [
    anchoredOnOneSide(pattern),
    first((sample) => openAtStart(sample, admits)),
    first((sample) => openAtEnd(sample, admits)),
    pattern.kind === "regex" ? first((sample) => looseDots(pattern.text, sample, admits)) : undefined,
  ].filter((warning) => warning !== undefined);
}

/** A dot that nothing can follow: behind it something may stand that the sample leaves out, as in `a\.b*`. */
const TRAILING_DOT = /\.[)$]*$/;

function neverMatches({ kind, text }: Pattern, sample: Sample): string | undefined {
  if (sample.isDead) {
    if (/\s#/.test(text)) return "never matches: a comment stands on a line of its own";
    return text.includes("://")
      ? "never matches: a server name has no scheme and no path; write the name alone, such as matrix\\.org"
      : "never matches: server names hold only letters, digits, - . : and the [ ] of an IPv6 address";
  }
  // What follows is read off the one sample: with alternatives, another of them may match.
  if (text.includes("|")) return undefined;
  if (sample.text.endsWith(".") && TRAILING_DOT.test(text))
    return "never matches: names lose a trailing dot before they are matched";
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
  const { text } = sample;
  const isRun = text.startsWith(RUN);
  if (!isRun && text[1] !== MORE) return undefined;
  const rest = nameOf({ text: text.slice(isRun ? RUN.length : 2) });
  if (!/^[0-9a-z-]/i.test(rest) || !admits(`evil${rest}`)) return undefined;
  // A class without a dot (`[a-z]*matrix\.org`) says what may stand there.
  if (!isRun && !admits(`another.evil${rest}`)) return undefined;
  return `is open at its start: evil${rest} is admitted too; for the subdomains alone put a dot first, as in (.*\\.)?${rest.replaceAll(".", "\\.")}, or *.${rest} as a glob`;
}

/** Ends that nobody's pattern is about; with one alone, `.*\.example` would seem open. */
const FOREIGN_ENDS = ["evil.example", "evil.invalid"] as const;

/** As Synapse reads every pattern, here only some that look so, or hide it in a group that may be missing. */
function openAtEnd(sample: Sample, admits: Admits): string | undefined {
  const body = nameOf({ text: sample.text.replace(OPEN_END, "") });
  const isAdmitted = (join: string): boolean => FOREIGN_ENDS.every((end) => admits(body + join + end));
  const join = [".", ""].find(isAdmitted);
  if (join === undefined) return undefined;
  return `is open at its end: ${body}${join}${FOREIGN_ENDS[0]} is admitted too; write out how the name ends (the port need not be written)`;
}

/** A run, or a class and its repeat. */
const OPEN_END = /\*$|.\+$/;

function looseDots(text: string, sample: Sample, admits: Admits): string | undefined {
  // Between letters or digits: that's where a dot stands that was meant as one.
  const meant = sample.text.replaceAll(/(?<=[0-9a-z+-])\?(?=[0-9a-z-])/gi, "x");
  if (meant === sample.text) return undefined;
  const admitted = nameOf({ text: meant });
  if (!admits(admitted)) return undefined;
  return `has a dot that stands for any character: ${admitted} is admitted too; write ${withEscapedDots(text)}`;
}

/** A dot with a quantifier is meant as it is; what stands in a class or behind a backslash is none. */
function withEscapedDots(text: string): string {
  const escaped = text.replaceAll(/\\.|\[[^\]]*\]|\.(?![*+?{])/gs, (part) => (part === "." ? "\\." : part));
  return /^[\x21-\x7e]+$/.test(escaped) ? escaped : "\\. for a dot";
}
