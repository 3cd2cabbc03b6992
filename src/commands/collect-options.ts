/** The words of `collect`, and what they mean. All that is wrong is told at once. Not here: what is done with them (collect.ts). */

import { parseHostPort, parseNetwork } from "../config/addresses.ts";
import { TOKEN_LENGTH } from "../collect/access.ts";
import type { Rate } from "../collect/token-buckets.ts";

/** As they stand on the command line, and in the environment. */
export interface CollectWords {
  readonly listen?: string | undefined;
  readonly database?: string | undefined;
  readonly path?: readonly string[] | undefined;
  readonly tokenFile?: string | undefined;
  readonly retention?: string | undefined;
  readonly trustedProxy?: readonly string[] | undefined;
  readonly addressRate?: string | undefined;
  readonly addressBurst?: string | undefined;
  readonly instanceRate?: string | undefined;
  readonly instanceBurst?: string | undefined;
  /** FEDTRACE_COLLECT_DATABASE: a URL may hold a password, which `ps` would show. */
  readonly databaseVariable?: string | undefined;
  /** FEDTRACE_COLLECT_TOKEN. */
  readonly tokenVariable?: string | undefined;
}

export type Database =
  { readonly kind: "sqlite"; readonly path: string } | { readonly kind: "postgres"; readonly url: string };

export interface CollectOptions {
  readonly host: string;
  readonly port: number;
  readonly database: Database;
  readonly paths: readonly string[];
  /** Read at the start. */
  readonly tokenFile: string | undefined;
  readonly token: string | undefined;
  readonly keptSeconds: number;
  readonly trustedProxies: readonly string[];
  readonly addressRate: Rate;
  readonly instanceRate: Rate;
}

const DATABASE_VARIABLE = "FEDTRACE_COLLECT_DATABASE";
const TOKEN_VARIABLE = "FEDTRACE_COLLECT_TOKEN";
const USUAL_PATH = "/report-usage-stats/push";
const PATHS_MAX = 16;
/** What is read there, and could not be any more. */
const OWN_PATHS = /^\/(?:$|api\/|assets\/|health\/|metrics$|favicon\.svg$)/;
const RETENTION = "400d";
const RETENTION_DAYS = { least: 1, most: 3650 } as const;
const SECONDS_PER_DAY = 86_400;
/**
 * A group of servers behind one address may be a large one; each of them reports every few hours, and what it reports twice costs little.
 */
const RATES = { addressRate: "1", addressBurst: "600", instanceRate: "6", instanceBurst: "60" } as const;
const BURST_MAX = 1_000_000;
const RATE_MAX = 100_000;

/** @returns every word that can't be read, and what is allowed */
export function parseCollect(
  words: CollectWords,
): { readonly value: CollectOptions } | { readonly refused: readonly string[] } {
  const refused: string[] = [];
  const place = parseListen(words.listen, refused);
  const database = parseDatabase(words, refused);
  const options = {
    ...place,
    database,
    paths: parsePaths(words.path ?? [], refused),
    ...parseTokens(words, refused),
    keptSeconds: parseRetention(words.retention ?? RETENTION, refused),
    trustedProxies: parseProxies(words.trustedProxy ?? [], refused),
    addressRate: {
      perSecond: parseNumber("--address-rate", words.addressRate ?? RATES.addressRate, refused, "a second"),
      burst: parseBurst("--address-burst", words.addressBurst ?? RATES.addressBurst, refused),
    },
    instanceRate: {
      perSecond:
        parseNumber("--instance-rate", words.instanceRate ?? RATES.instanceRate, refused, "a minute") / 60,
      burst: parseBurst("--instance-burst", words.instanceBurst ?? RATES.instanceBurst, refused),
    },
  };
  return refused.length > 0 ? { refused } : { value: options };
}

function parseListen(word: string | undefined, refused: string[]): { host: string; port: number } {
  const parsed = word === undefined ? undefined : parseHostPort(word);
  if (parsed !== undefined && "value" in parsed) return parsed.value;
  const why = parsed === undefined ? "is needed" : parsed.refused;
  refused.push(`--listen ${why}: the host:port where reports come, such as 127.0.0.1:9480`);
  return { host: "", port: 0 };
}

function parseDatabase(words: CollectWords, refused: string[]): Database {
  const { database: given, databaseVariable } = words;
  const word = given ?? databaseVariable;
  const none: Database = { kind: "sqlite", path: "" };
  if (given !== undefined && databaseVariable !== undefined)
    refused.push(`--database and ${DATABASE_VARIABLE} are both given; one is needed`);
  if (word === undefined || word === "") {
    refused.push(`--database or ${DATABASE_VARIABLE} is needed: a file, or postgres://USER@HOST/NAME`);
    return none;
  }
  if (/^postgres(?:ql)?:\/\//.test(word)) {
    if (URL.canParse(word) || /^postgres(?:ql)?:\/\/(?:[^/?#]*@)?\//.test(word))
      return { kind: "postgres", url: word };
    // The word itself is not shown: it may hold a password.
    refused.push("--database is not a URL of the form postgres://USER:PASSWORD@HOST:PORT/NAME");
    return none;
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(word)) {
    refused.push("--database is neither a file nor a URL that begins with postgres://");
    return none;
  }
  return { kind: "sqlite", path: word };
}

function parsePaths(given: readonly string[], refused: string[]): readonly string[] {
  if (given.length > PATHS_MAX) refused.push(`--path may be given ${PATHS_MAX} times`);
  for (const path of given) {
    if (!/^\/[\w.~!$&'()*+,;=:@%/-]{0,255}$/.test(path))
      refused.push(
        `--path is a path as it stands in a URL, such as ${USUAL_PATH}: ${JSON.stringify(path)} is none`,
      );
    else if (OWN_PATHS.test(path)) refused.push(`--path ${path} is where the collector itself is read`);
  }
  return given.length > 0 ? given : [USUAL_PATH];
}

function parseTokens(
  { tokenFile, tokenVariable }: CollectWords,
  refused: string[],
): Pick<CollectOptions, "tokenFile" | "token"> {
  if (tokenFile === "") refused.push("--token-file is the path of a file");
  if (tokenFile !== undefined && tokenVariable !== undefined)
    refused.push(`--token-file and ${TOKEN_VARIABLE} are both given; one is needed`);
  if (tokenVariable !== undefined) {
    const fault = findTokenFault(tokenVariable);
    if (fault !== undefined) refused.push(`${TOKEN_VARIABLE} ${fault}`);
  }
  return { tokenFile, token: tokenVariable };
}

/** @returns what is wrong with a token and what is allowed; never the token */
export function findTokenFault(token: string): string | undefined {
  const { least, most } = TOKEN_LENGTH;
  if (token.length >= least && token.length <= most && /^[\x21-\x7e]*$/.test(token)) return undefined;
  return `holds a token of another form: allowed are ${least} to ${most} visible ASCII characters`;
}

function parseRetention(word: string, refused: string[]): number {
  const [, digits] = /^(\d{1,5})d$/.exec(word) ?? [];
  const days = Number(digits);
  if (days >= RETENTION_DAYS.least && days <= RETENTION_DAYS.most) return days * SECONDS_PER_DAY;
  refused.push(`--retention is a number of days from ${RETENTION_DAYS.least}d to ${RETENTION_DAYS.most}d`);
  return 0;
}

function parseProxies(given: readonly string[], refused: string[]): readonly string[] {
  for (const range of given) {
    const parsed = parseNetwork(range);
    if ("refused" in parsed)
      refused.push(`--trusted-proxy ${JSON.stringify(range)} ${parsed.refused}, such as 10.1.0.0/16`);
  }
  return given;
}

function parseNumber(name: string, word: string, refused: string[], per: string): number {
  const number = /^\d{1,6}(?:\.\d{1,3})?$/.test(word) ? Number(word) : Number.NaN;
  if (number >= 0.001 && number <= RATE_MAX) return number;
  refused.push(`${name} is a number of reports ${per} from 0.001 to ${RATE_MAX}`);
  return 1;
}

function parseBurst(name: string, word: string, refused: string[]): number {
  const number = /^\d{1,7}$/.test(word) ? Number(word) : Number.NaN;
  if (number >= 1 && number <= BURST_MAX) return number;
  refused.push(`${name} is a whole number of reports from 1 to ${BURST_MAX}`);
  return 1;
}
