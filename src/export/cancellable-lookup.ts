/**
 * A look-up of a name that a stop can end.
 *
 * The system's (getaddrinfo) can't be called off: where no DNS server answers it takes 10 s and more, and no process of Node's
 * ends before it does, not even by `process.exit`. So the DNS server is asked first in a way that can be (c-ares), and the system
 * only where it answered, whatever it said: the system's answer counts, with its hosts file, search domains and order. A name
 * of the hosts file needs no DNS server. Not here: look-ups for requests that pass (discovery/dns.ts).
 */

import { readFileSync } from "node:fs";
import type { LookupFunction } from "node:net";

/** Of the first try; the second waits twice as long. */
const WAIT_MS = 2000;
const TRIES = 2;
const HOSTS_FILE = "/etc/hosts";
/** No answer, or no wish for one any more; every other code is an answer, or came at once. */
const UNANSWERED: ReadonlySet<string | undefined> = new Set(["ETIMEOUT", "ECANCELLED", "EDESTRUCTION"]);

export interface CancellableLookup {
  readonly lookup: LookupFunction;
  /** What is under way fails, and so does what comes. */
  cancel(): void;
}

/** @param servers `address:port`; the system's where they are left out */
export async function createCancellableLookup(servers?: readonly string[]): Promise<CancellableLookup> {
  const { lookup: lookUp, Resolver } = await import("node:dns");
  const resolver = new Resolver({ timeout: WAIT_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  let isCancelled = false;
  return {
    lookup: (name, options, callback) => {
      const fail = (code: string): void => callback(Object.assign(new Error(code), { code }), "");
      if (isCancelled) return fail("ECANCELLED");
      if (isOfThisMachine(name)) return lookUp(name, options, callback);
      resolver.resolve4(name, (error) => {
        const code = error?.code;
        if (isCancelled || UNANSWERED.has(code)) return fail(code ?? "ECANCELLED");
        lookUp(name, options, callback);
      });
    },
    cancel() {
      isCancelled = true;
      resolver.cancel();
    },
  };
}

function isOfThisMachine(name: string): boolean {
  const wanted = name.toLowerCase();
  if (/(?:^|\.)localhost\.?$/.test(wanted)) return true;
  try {
    const lines = readFileSync(HOSTS_FILE, "latin1").toLowerCase().split("\n");
    return lines.some((line) => line.replace(/#.*/, "").split(/\s+/).slice(1).includes(wanted));
  } catch {
    return false; // There need not be one.
  }
}
