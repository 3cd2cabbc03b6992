/**
 * `debug-pass --peer NAME`: a token for a peer's operator, with which that peer's requests are traced (passes/debug-pass.ts).
 *
 * The token alone goes to standard output, so that a script can take it; what it is good for goes to standard error. The running
 * sidecar is not asked and not told: it knows the pass by the secret of its config.
 */

import { parseServerName } from "../config/addresses.ts";
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/merge.ts";
import { parseDuration } from "../config/quantities.ts";
import { createSystemClock } from "../core/clock.ts";
import { createSecret } from "../core/random.ts";
import { createPassIssuer, type IssuedPass } from "../passes/debug-pass.ts";
import { PASS_BOUNDS } from "../passes/pass-token.ts";
import { createWhitelist } from "../peer/whitelist.ts";
import { DEBUG_PASS_FIELD } from "../proxy/field-tags.ts";
import { RELOAD_CHECKS } from "./config-checks.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";

/** As they stand on the command line. */
interface DebugPassWords {
  readonly peer: string | undefined;
  readonly ttl: string | undefined;
  readonly count: string | undefined;
}

/** What can be given. */
export interface DebugPassOptions {
  /** In lower case. */
  readonly peer: string;
  readonly ttlMs: number;
  readonly count: number;
}

/** Time to tell it to the other side and to try, and traces enough for it. */
const TTL = "10m";
const COUNT = "20";

const SECRET_KEY = "sampling.debug_pass_secret";

/** @returns every word that can't be read, and what is allowed */
export function parseDebugPass(
  words: DebugPassWords,
): { readonly value: DebugPassOptions } | { readonly refused: readonly string[] } {
  const { peer: peerWord = "", ttl: ttlWord = TTL, count: countWord = COUNT } = words;
  const peer = parseServerName(peerWord);
  const ttl = parseDuration(ttlWord);
  const count = /^\d{1,9}$/.test(countWord) ? Number(countWord) : Number.NaN;
  const ttlMs = "value" in ttl ? ttl.value : Number.NaN;
  const refused: string[] = [];
  if ("refused" in peer)
    refused.push("--peer is the server name of whom it is for, such as example.org:8448");
  if (!isWithin(ttlMs, PASS_BOUNDS.ttlMs)) refused.push("--ttl is a duration from 1s to 24h, such as 10m");
  if (!isWithin(count, PASS_BOUNDS.count)) refused.push("--count is a whole number from 1 to 10000");
  if ("refused" in peer || refused.length > 0) return { refused };
  return { value: { peer: peer.value, ttlMs, count } };
}

function isWithin(number: number, [least, most]: readonly [least: number, most: number]): boolean {
  return number >= least && number <= most;
}

export async function debugPassCommand(
  path: string,
  asked: DebugPassOptions,
  output: Output,
): Promise<ExitStatus> {
  const loaded = await loadConfig(path, RELOAD_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  const { config } = loaded;
  const secret = config.sampling.debugPassSecret;
  if (secret === undefined) {
    const message = "is not set, and passes are signed with it (openssl rand -hex 32 makes one)";
    output.errorLine(formatFault({ file: path, line: 0, column: 0, key: SECRET_KEY, message }));
    return EXIT.BAD_CONFIG;
  }
  const issuer = await createPassIssuer(secret);
  const tools = { clock: createSystemClock(), secretBytes: createSecret };
  const issued = issuer.issue({ ...asked, audience: config.serverName }, tools);
  if ("refused" in issued) {
    output.errorLine(`debug-pass: ${issued.refused}`);
    return EXIT.BAD_CONFIG;
  }
  output.line(issued.value.token);
  for (const line of await explain(config, issued.value)) output.errorLine(line);
  return EXIT.OK;
}

async function explain(config: Config, { token, pass }: IssuedPass): Promise<readonly string[]> {
  const { peer, audience, count, expiresUnixMs } = pass;
  const until = new Date(expiresUnixMs).toISOString().replace(".000Z", "Z");
  const traces = count === 1 ? "one trace" : `${count} traces`;
  const whitelist = await createWhitelist(config.whitelist);
  const warning = `warning: ${peer} is not whitelisted in this config: the pass counts for nothing until it is`;
  return [
    `For ${peer} at ${audience}: ${traces}, until ${until}. To be sent with each request, as the header`,
    "",
    `${DEBUG_PASS_FIELD}: ${token}`,
    ...(whitelist.decide(peer).isWhitelisted ? [] : ["", warning]),
  ];
}
