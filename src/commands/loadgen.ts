/**
 * `loadgen`: federation traffic as it was captured, at a given rate, to a sidecar's listeners; then what became of it.
 *
 * A file of its own, loaded only where it is run, so that other commands' starts don't read it. What it shares with them is handed in
 * by cli.ts: an import would make each shared module a file that every start has to open.
 * Not here: what is sent (loadgen/request-plan.ts) and when (loadgen/open-loop.ts).
 */

import { BlockList, isIP, isIPv6 } from "node:net";
import type { HostPort, Upstream } from "../config/addresses.ts";
import type { Parsed } from "../config/fault.ts";
import { createSystemClock } from "../core/clock.ts";
import { createSecret } from "../core/random.ts";
import { createSeededRandom, SEED_MAX } from "../loadgen/chance.ts";
import type { Direction } from "../loadgen/captured-mix.ts";
import { startRun } from "../loadgen/open-loop.ts";
import { formatJson, formatReport } from "../loadgen/report.ts";
import { planRequests } from "../loadgen/request-plan.ts";
import { createSender, type Sender, type SetTimer } from "../loadgen/sender.ts";
import { createTally } from "../loadgen/tally.ts";
import { TRACE_SHARES, type TraceShare } from "../loadgen/trace-lines.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import type { Signals } from "./run.ts";

/** As they stand on the command line, and in the environment. */
export interface LoadgenWords {
  readonly to?: string | undefined;
  readonly via?: string | undefined;
  readonly viaTo?: string | undefined;
  readonly rate?: string | undefined;
  readonly for?: string | undefined;
  readonly requests?: string | undefined;
  readonly peers?: string | undefined;
  readonly seed?: string | undefined;
  readonly trace?: string | undefined;
  readonly isRemote: boolean;
  readonly isJson: boolean;
  /** FEDTRACE_SECRET. */
  readonly secret?: string | undefined;
}

/** Readers of what configs have too. */
export interface LoadgenReaders {
  readonly parseDuration: (text: string) => Parsed<number>;
  readonly parseHostPort: (text: string) => Parsed<HostPort>;
  readonly parseUpstream: (text: string) => Parsed<Upstream>;
}

export interface LoadgenOptions {
  /** The inbound listener. */
  readonly to: HostPort | undefined;
  readonly outbound:
    | {
        /** The outbound listener. */
        readonly via: HostPort;
        /** Whom requests through it are for. */
        readonly target: string;
        readonly secret: string | undefined;
      }
    | undefined;
  readonly ratePerSecond: number;
  readonly forMs: number;
  readonly requests: number;
  readonly peers: number;
  /** Undefined: another one each time. */
  readonly seed: number | undefined;
  readonly trace: TraceShare;
  readonly isJson: boolean;
}

const RATE = "20";
const FOR = "30s";
const PEERS = "20";
const TRACE: TraceShare = "some";

/** One Node process can't keep a higher rate on time beside the sidecar that it tries. */
const RATE_MAX = 1000;
const FOR_LEAST_MS = 1000;
const FOR_MOST_MS = 3_600_000;
/** Each answer's time is kept until the end: 8 MB of them. */
const REQUESTS_MAX = 1_000_000;
/** More than the sidecar's book of peers has room for, so that it can be seen to overflow. */
const PEERS_MAX = 10_000;
/** Of both listeners together; each takes a connection. Below what a process may open anywhere (1,024). */
const IN_FLIGHT_MAX = 256;
/** As long as a sidecar waits for a server, or so: whoever is slower has failed. */
const ANSWER_TIMEOUT_MS = 30_000;

const SECRET_VARIABLE = "FEDTRACE_SECRET";
const LOOPBACK_SAID = "is no loopback address (127.0.0.0/8 or [::1]); with --remote others are allowed too";

/** @returns every word that can't be read, and what is allowed */
export function parseLoadgen(
  words: LoadgenWords,
  readers: LoadgenReaders,
): { readonly value: LoadgenOptions } | { readonly refused: readonly string[] } {
  const refused: string[] = [];
  const limits = parseLimits(words, readers, refused);
  const places = parsePlaces(words, readers, refused);
  return refused.length > 0 ? { refused } : { value: { ...places, ...limits, isJson: words.isJson } };
}

/** @param refused what is wrong is added to it; the value then means nothing */
function parsePlaces(
  words: LoadgenWords,
  { parseHostPort, parseUpstream }: LoadgenReaders,
  refused: string[],
): Pick<LoadgenOptions, "to" | "outbound"> {
  function listenerOf(name: "to" | "via", which: string, example: string): HostPort | undefined {
    const word = words[name];
    if (word === undefined) return undefined;
    const parsed = parseUpstream(word);
    if ("value" in parsed && parsed.value.kind === "tcp") return allowed(`--${name}`, parsed.value);
    refused.push(`--${name} is the http:// URL of the ${which} listener, without a path, such as ${example}`);
    return undefined;
  }
  function allowed(name: string, { host, port }: HostPort): HostPort {
    if (!words.isRemote && !isLoopback(host)) refused.push(`${name} ${LOOPBACK_SAID}`);
    return { host, port };
  }

  if (words.to === undefined && words.via === undefined)
    refused.push("--to is needed, or --via with --via-to: the listeners of a sidecar");
  const to = listenerOf("to", "inbound", "http://127.0.0.1:8448");
  const via = listenerOf("via", "outbound", "http://127.0.0.1:3128");
  if (words.via === undefined) {
    if (words.viaTo !== undefined) refused.push("--via-to needs --via: the URL of the outbound listener");
    return { to, outbound: undefined };
  }
  const target = words.viaTo === undefined ? undefined : parseHostPort(words.viaTo);
  if (target === undefined) refused.push("--via needs --via-to: the host:port that requests are for");
  else if ("refused" in target || target.value.port === 0)
    refused.push("--via-to is the host:port that requests are for, such as 127.0.0.1:8009");
  else allowed("--via-to", target.value);
  if (words.secret !== undefined && !/^[\x21-\x7e]+$/.test(words.secret))
    refused.push(`${SECRET_VARIABLE} has characters that no header can carry, or none`);
  if (via === undefined) return { to, outbound: undefined };
  return { to, outbound: { via, target: words.viaTo ?? "", secret: words.secret } };
}

/** @param refused as of parsePlaces */
function parseLimits(
  words: LoadgenWords,
  { parseDuration }: LoadgenReaders,
  refused: string[],
): Omit<LoadgenOptions, "to" | "outbound" | "isJson"> {
  const { rate: rateWord = RATE, peers: peersWord = PEERS, trace: traceWord = TRACE } = words;
  const ratePerSecond = /^\d{1,4}(\.\d{1,3})?$/.test(rateWord) ? Number(rateWord) : Number.NaN;
  if (!(ratePerSecond >= 0.1 && ratePerSecond <= RATE_MAX))
    refused.push(`--rate is a number of requests a second from 0.1 to ${RATE_MAX}`);
  const duration = parseDuration(words.for ?? FOR);
  const forMs = "value" in duration ? duration.value : Number.NaN;
  if (!(forMs >= FOR_LEAST_MS && forMs <= FOR_MOST_MS))
    refused.push("--for is a duration from 1s to 1h, such as 30s");
  const requests = wholeNumber(words.requests ?? String(REQUESTS_MAX), 1, REQUESTS_MAX);
  if (requests === undefined) refused.push(`--requests is a whole number from 1 to ${REQUESTS_MAX}`);
  const peers = wholeNumber(peersWord, 1, PEERS_MAX);
  if (peers === undefined) refused.push(`--peers is a whole number from 1 to ${PEERS_MAX}`);
  const seed = words.seed === undefined ? undefined : wholeNumber(words.seed, 0, SEED_MAX);
  if (words.seed !== undefined && seed === undefined)
    refused.push(`--seed is a whole number from 0 to ${SEED_MAX}`);
  const trace = TRACE_SHARES.find((share) => share === traceWord);
  if (trace === undefined) refused.push("--trace is none, some or all");
  return {
    ratePerSecond,
    forMs,
    requests: requests ?? 0,
    peers: peers ?? 0,
    seed,
    trace: trace ?? TRACE,
  };
}

function wholeNumber(word: string, least: number, most: number): number | undefined {
  const number = /^\d{1,10}$/.test(word) ? Number(word) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

/** An address, never a name: what a name leads to may change between this look and the next. */
function isLoopback(host: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  return isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}

/** Ends by itself, or at a signal with what there is until then. */
export async function loadgenCommand(
  options: LoadgenOptions,
  output: Output,
  signals: Pick<Signals, "stop">,
): Promise<ExitStatus> {
  const { to, outbound, ratePerSecond, forMs, requests } = options;
  const seed = options.seed ?? seedOfChance();
  output.errorLine(
    `loadgen: ${ratePerSecond} requests a second for ${forMs / 1000} s, at most ${requests}; seed ${seed}; Ctrl-C ends it`,
  );
  const setTimer = createSetTimer();
  const senderTo = (place: HostPort | undefined): Sender | undefined =>
    place &&
    createSender({ ...place, connections: IN_FLIGHT_MAX, answerTimeoutMs: ANSWER_TIMEOUT_MS, setTimer });
  const senders: Readonly<Record<Direction, Sender | undefined>> = {
    in: senderTo(to),
    out: senderTo(outbound?.via),
  };
  const tally = createTally();
  const plan = planRequests(
    { ...options, inbound: to && { authority: authorityOf(to) }, outbound },
    createSeededRandom(seed),
  );
  const run = startRun(
    plan,
    { forMs, requests, inFlightMax: IN_FLIGHT_MAX },
    {
      clock: createSystemClock(),
      setTimer,
      tally,
      send: async (request) => (await senders[request.direction]?.send(request)) ?? "other",
    },
  );
  const stopSenders = (): void => {
    senders.in?.stop();
    senders.out?.stop();
  };
  void signals.stop.then(() => {
    run.stop();
    stopSenders();
  });
  const sentForMs = await run.ended;
  stopSenders();
  const result = tally.result();
  const facts = { seed, ratePerSecond, inFlightMax: IN_FLIGHT_MAX, sentForMs };
  for (const line of options.isJson ? [formatJson(result, facts)] : formatReport(result, facts))
    output.line(line);
  return result.answered > 0 ? EXIT.OK : EXIT.CANNOT_START;
}

function seedOfChance(): number {
  const bytes = createSecret(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function authorityOf({ host, port }: HostPort): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function createSetTimer(): SetTimer {
  return (run, ms) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  };
}
