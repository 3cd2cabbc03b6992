/**
 * `demo-server`: the demo's small federating server as a process of its own, behind a sidecar that runs elsewhere. For
 * trying a deployment: it signs, verifies and passes trace context along as a homeserver does.
 * Not here: a sidecar of its own (`demo` has both in one process), TLS.
 */

import type { Parsed } from "../config/fault.ts";
import { type HostPort, parseHostPort, parseServerName } from "../config/addresses.ts";
import { parseDuration } from "../config/quantities.ts";
import { type Homeserver, startHomeserver } from "../demo/homeserver.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import type { Signals } from "./run.ts";

/** As they stand on the command line. */
interface DemoServerWords {
  readonly name: string;
  readonly listen: string;
  readonly proxy: string;
  readonly sendTo: string | undefined;
  readonly every: string | undefined;
}

export interface DemoServerOptions {
  /** The server's federation name. */
  readonly name: string;
  readonly listen: HostPort;
  /** The sidecar's way out. */
  readonly proxy: HostPort;
  /** Undefined: it only answers. */
  readonly sendTo: string | undefined;
  readonly everyMs: number;
}

const EVERY = "1s";
/** A demo is no load test; and a timer can't wait longer than 24 days. */
const EVERY_LEAST_MS = 10;
const EVERY_MOST_MS = 24 * 3_600_000;

/** @returns the first word that can't be read, and what is allowed */
export function parseDemoServer(words: DemoServerWords): Parsed<DemoServerOptions> {
  const name = parseServerName(words.name);
  if ("refused" in name) return { refused: `--name ${name.refused}: host or host:port` };
  const listen = parseHostPort(words.listen);
  if ("refused" in listen) return { refused: `--listen ${listen.refused}: such as 127.0.0.1:8008` };
  const proxy = parseHostPort(words.proxy);
  if ("refused" in proxy || proxy.value.port === 0)
    return { refused: "--proxy is host:port of the sidecar's way out" };
  const sendTo = words.sendTo === undefined ? { value: undefined } : parseServerName(words.sendTo);
  if ("refused" in sendTo) return { refused: `--send-to ${sendTo.refused}: host or host:port` };
  const every = parseDuration(words.every ?? EVERY);
  if ("refused" in every || every.value < EVERY_LEAST_MS || every.value > EVERY_MOST_MS) {
    return { refused: "--every is a duration with a unit from 10ms to 24h, such as 1s" };
  }
  return {
    value: {
      name: name.value,
      listen: listen.value,
      proxy: proxy.value,
      sendTo: sendTo.value,
      everyMs: every.value,
    },
  };
}

/** Runs until a signal. The outcome of what it sends is told when it changes. */
export async function demoServerCommand(
  options: DemoServerOptions,
  output: Output,
  signals: Signals,
): Promise<ExitStatus> {
  let isStopped = false;
  const stopped = signals.stop.then(() => {
    isStopped = true;
  });
  const { name, sendTo, everyMs } = options;
  let homeserver: Homeserver;
  try {
    homeserver = await startHomeserver(options.listen);
  } catch (error) {
    output.errorLine(`demo-server: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT.CANNOT_START;
  }
  homeserver.join(name, options.proxy);
  output.line(`${name} listening on ${options.listen.host}:${homeserver.port}`);

  let told = "";
  for (let sent = 0; sendTo !== undefined && !isStopped; sent++) {
    // Why there is none differs from try to try: a refusal, a reset, a connection that ended.
    const outcome = await homeserver.sendTransaction(sendTo, `demo${sent}`).then(String, () => "no answer");
    if (outcome !== told) output.line(`transactions to ${sendTo}: ${outcome}`);
    told = outcome;
    await pause(everyMs, stopped);
  }
  await stopped;
  homeserver.stop();
  return EXIT.OK;
}

/** Ends early, and leaves no timer behind, when `stopped` resolves. */
async function pause(ms: number, stopped: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    stopped,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}
