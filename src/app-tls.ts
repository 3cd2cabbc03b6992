/**
 * A listener's certificates and session tickets: read at the start, read again when they are renewed.
 *
 * The directories are watched, not the files (config/watch.ts says why), and once a minute the files are read anyway:
 * a link further up may be swapped, and network file systems tell of nothing. What counts is whether their bytes differ.
 * New ones count for handshakes from then on; open connections keep what they have. What can't be used as it stands,
 * such as a new certificate whose key is not written yet, is passed over, told once, and looked at again.
 */

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import {
  expiryDoubt,
  readTlsFiles,
  type TlsFiles,
  type TlsMaterial,
  type TlsRefusal,
} from "./config/tls-files.ts";
import { watchFile } from "./config/watch.ts";
import type { Clock } from "./core/clock.ts";
import { FedtraceError } from "./core/errors.ts";
import type { Log } from "./core/log.ts";
import { createSecret } from "./core/random.ts";
import type { Listener } from "./http1/listener.ts";
import type { ListenerCertificates, ListenerTls } from "./http1/listener-tls.ts";

/** Often enough for a file whose change can't be seen; a look reads some kilobytes. */
const LOOK_MS = 60_000;
/** RFC 5077, section 5.5, and every TLS guide since: who steals a key can read no more than half a day of sessions. */
const TICKET_KEYS_MS = 12 * 3600 * 1000;
/** What node:tls takes: a name, a key for encryption and one for authentication, of 16 bytes each. */
const TICKET_KEYS_BYTES = 48;

export function createTicketKeys(): Uint8Array {
  return createSecret(TICKET_KEYS_BYTES);
}

/** @param use called with new keys twice a day; does not keep the process alive; @returns stop() */
export function rotateTicketKeys(use: (ticketKeys: Uint8Array) => void): () => void {
  const rotations = setInterval(() => use(createTicketKeys()), TICKET_KEYS_MS).unref();
  return () => clearInterval(rotations);
}

export interface ListenerTlsTools {
  readonly clock: Clock;
  readonly log: Log;
  /** Of several processes: the same for all, and renewed by whoever gives them. Without them it makes and renews its own. */
  readonly ticketKeys?: Uint8Array | undefined;
}

/** The certificates of one listener, before it is there. */
export interface ListenerTlsStart {
  /** What the listener starts with. */
  readonly initial: ListenerTls;
  /** Watches for `listener` until `stop()`. */
  start(listener: Listener): RunningTls;
}

export interface RunningTls {
  /** Reads the files now, those of a new config if there is one, and tells what is wrong even if it was told. Never rejects. */
  reread(files?: TlsFiles): Promise<void>;
  stop(): void;
}

/** @param key of the config, for the fault @throws FedtraceError CONFIG_INVALID when the files can't be used */
export function createListenerTls(files: TlsFiles, key: string, tools: ListenerTlsTools): ListenerTlsStart {
  const material = readTlsFiles(files);
  if ("reason" in material) {
    throw new FedtraceError("CONFIG_INVALID", `${key}: ${material.file}: ${material.reason}`);
  }
  return {
    initial: { ...toCertificates(material), ticketKeys: tools.ticketKeys ?? createTicketKeys() },
    start: (listener) => startWatching({ files, material, listener }, tools),
  };
}

interface Watched {
  readonly files: TlsFiles;
  readonly material: TlsMaterial;
  readonly listener: Listener;
}

function startWatching(
  { listener, ...started }: Watched,
  { clock, log, ticketKeys }: ListenerTlsTools,
): RunningTls {
  let { files, material } = started;
  let taken = digestOf(material);
  let told = "";
  let last = Promise.resolve();
  let isLookDue = false;
  let isStopped = false;
  const warned = new Set(doubtsOf(material, clock.unixMs()));
  let stopFiles = watchDirectories(files, look, log);

  function refuse({ file, reason }: TlsRefusal): void {
    const refusal = `${file}: ${reason}`;
    if (refusal === told) return;
    told = refusal;
    log.warn("certificate not taken", { file, reason });
  }

  async function take(): Promise<void> {
    const read = readTlsFiles(files);
    if ("reason" in read) return refuse(read);
    const digest = digestOf(read);
    if (digest === taken) {
      told = "";
      return;
    }
    const stale = outOfDate(read, clock.unixMs());
    if (stale !== undefined) return refuse(stale);
    try {
      await listener.setCertificates(toCertificates(read));
    } catch (error) {
      return refuse({ file: read.pairs[0].file, reason: String(error) });
    }
    material = read;
    taken = digest;
    told = "";
    for (const { file, names, notAfterMs } of read.pairs) {
      log.info("certificate taken", { file, names, not_after: new Date(notAfterMs).toISOString() });
    }
    if (isStopped) return;
    // What was a link to one directory may be one to another now.
    stopFiles();
    stopFiles = watchDirectories(files, look, log);
  }

  function warnOfExpiry(): void {
    for (const doubt of doubtsOf(material, clock.unixMs())) {
      if (!warned.has(doubt)) log.warn("certificate out of date", { reason: doubt });
      warned.add(doubt);
    }
  }

  /** One look at a time; any number of changes while it lasts ask for one more. */
  function look(): Promise<void> {
    if (isLookDue) return last;
    isLookDue = true;
    last = last.then(async () => {
      isLookDue = false;
      await take();
      warnOfExpiry();
    });
    return last;
  }

  const looks = setInterval(() => void look(), LOOK_MS).unref();
  const stopRotation =
    ticketKeys === undefined ? rotateTicketKeys((keys) => listener.setTicketKeys(keys)) : undefined;
  return {
    reread(next = files) {
      files = next;
      told = "";
      return look();
    },
    stop() {
      isStopped = true;
      clearInterval(looks);
      stopRotation?.();
      stopFiles();
    },
  };
}

function toCertificates({ pairs: [main, ...further], clientCa }: TlsMaterial): ListenerCertificates {
  return { cert: main.cert, key: main.key, ca: clientCa, further };
}

function digestOf({ pairs, clientCa }: TlsMaterial): string {
  const hash = createHash("sha256");
  // Lengths too, so that no bytes can wander from one file into the next unseen.
  for (const part of [...pairs.flatMap(({ cert, key }) => [cert, key]), clientCa ?? Buffer.alloc(0)]) {
    hash.update(`${part.length} `).update(part);
  }
  return hash.digest("hex");
}

/** A certificate that no client would accept is worse than the old one. */
function outOfDate({ pairs }: TlsMaterial, nowMs: number): TlsRefusal | undefined {
  const stale = pairs.find(({ notBeforeMs, notAfterMs }) => nowMs < notBeforeMs || nowMs > notAfterMs);
  return stale && { file: stale.file, reason: expiryDoubt(stale, nowMs) ?? "" };
}

function doubtsOf({ pairs }: TlsMaterial, nowMs: number): readonly string[] {
  return pairs.flatMap((pair) => {
    const doubt = expiryDoubt(pair, nowMs);
    return doubt === undefined ? [] : [`${pair.file} ${doubt}`];
  });
}

/** One watch a directory. @returns stop() */
function watchDirectories(files: TlsFiles, onChange: () => void, log: Log): () => void {
  const names = [files, ...files.certificates].flatMap((pair) => [pair.certificateFile, pair.privateKeyFile]);
  if (files.clientCaFile !== undefined) names.push(files.clientCaFile);
  const byDirectory = new Map(names.map((name) => [dirname(name), name]));
  const stops = [...byDirectory.values()].map((name) => {
    try {
      return watchFile(name, onChange);
    } catch (error) {
      // The system's watches are used up, say: the look once a minute is left.
      log.warn("certificate directory not watched", { file: name, reason: String(error) });
      return () => undefined;
    }
  });
  return () => {
    for (const stop of stops) stop();
  };
}
