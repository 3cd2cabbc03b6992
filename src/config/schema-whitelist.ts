/** The whitelist's options: an entry, `whitelist` and what stands in a `whitelist_file`. */

import { isMapping } from "./key-path.ts";
import { defaulted, list, optional, orShort, section } from "./schema-option.ts";
import { decimal, oneOf, text } from "./schema-values.ts";

/** Entries of `whitelist`; longer lists have a file of their own. */
const WHITELIST_MAX = 1000;
/** More servers than federate today; peer/pattern.ts takes these and those of `whitelist`. */
export const WHITELIST_FILE_ENTRIES_MAX = 20_000;
/** More forced traces a second than this are not forced but usual: the local sampler is the place. */
const FORCED_PER_SECOND_MAX = 10_000;

/** How well a name may have to be proven, best first; peer/proof.ts has the ladder. */
export const PROOF_WORDS = ["signature", "mtls", "network", "claimed"] as const;
type ProofWord = (typeof PROOF_WORDS)[number];

/** An entry in the words of peer/whitelist.ts. */
export interface WhitelistEntry {
  readonly kind: "regex" | "glob";
  readonly text: string;
  readonly sampling: "accept" | "trust";
  /** New traces a second. */
  readonly forcedPerSecond: number;
  /** The least proof that the entry needs, where it is more than `inbound.authenticate`. */
  readonly authenticate?: ProofWord | undefined;
  /** Where an entry of `whitelist_file` stands: `peers.txt:17`. */
  readonly source?: string;
}

/** One new trace a second shows that a peer's traces arrive, and costs nothing. */
const FORCED_PER_SECOND = 1;

// Patterns are checked by load.ts, with the engine that it is given.
const regex = text("a regular expression without look-around and back-references", (value) => ({ value }));
const glob = text("a glob: `*` any characters, `?` one, {a,b} either", (value) => ({ value }));

/** Of an entry that says nothing but its pattern. */
export const WHITELIST_DEFAULTS = { sampling: "accept", forcedPerSecond: FORCED_PER_SECOND } as const;

/** The pattern of an entry as it is written, checked or not. */
export function patternOf(entry: unknown): Pick<WhitelistEntry, "kind" | "text"> | undefined {
  if (typeof entry === "string") return { kind: "regex", text: entry };
  if (!isMapping(entry)) return undefined;
  const { regex: asRegex, glob: asGlob } = entry;
  if (typeof asRegex === "string") return { kind: "regex", text: asRegex };
  return typeof asGlob === "string" ? { kind: "glob", text: asGlob } : undefined;
}

/** Which key of an entry, as it is written, has the pattern; undefined: the entry itself is one. */
export function patternKey(entry: unknown): "regex" | "glob" | undefined {
  if (!isMapping(entry)) return undefined;
  return Object.hasOwn(entry, "regex") ? "regex" : "glob";
}

const whitelistEntry = orShort<WhitelistEntry>(
  text("a regular expression, or a mapping with glob or regex", (value) => ({
    value: { kind: "regex", text: value, ...WHITELIST_DEFAULTS },
  })),
  section(
    {
      regex: optional(regex, {
        reload: "live",
        doc: "A regular expression in RE2's syntax, which must match the whole name, letter case aside, with or without its port. A dot is any character: write `\\.`.",
        example: "'(.+\\.)?friends\\.example'",
      }),
      glob: optional(glob, {
        reload: "live",
        doc: "`*` stands for any characters, dots too, `?` for one, `{a,b}` for either. Quotes are needed where it begins with `*`.",
        example: "'*.example.net'",
      }),
      sampling: defaulted(oneOf(["accept", "trust"]), "accept", {
        reload: "live",
        doc: '`accept`: the peer\'s ids are taken and the local sampler decides. `trust`: its "sampled" counts too, within `forced_per_second`.',
      }),
      forced_per_second: defaulted(decimal(0, FORCED_PER_SECOND_MAX), FORCED_PER_SECOND, {
        reload: "live",
        doc: "New traces a second that a `trust` peer may have recorded. It is counted for each server name.",
      }),
      authenticate: optional(oneOf(PROOF_WORDS), {
        reload: "live",
        doc: "The least proof that this entry needs, where it is more than `inbound.authenticate`.",
        byDefault: "`inbound.authenticate`",
        example: "mtls",
      }),
    },
    (file): WhitelistEntry => ({
      kind: file.glob === undefined ? "regex" : "glob",
      text: file.glob ?? file.regex ?? "",
      sampling: file.sampling,
      forcedPerSecond: file.forced_per_second,
      ...(file.authenticate && { authenticate: file.authenticate }),
    }),
    { oneOf: ["regex", "glob"] },
  ),
);

/** Servers that trace context is taken from and given to. */
export const whitelist = list(whitelistEntry, WHITELIST_MAX);

/** The same in a file of its own. */
export const whitelistFile = list(whitelistEntry, WHITELIST_FILE_ENTRIES_MAX);
