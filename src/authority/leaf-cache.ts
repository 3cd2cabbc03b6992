/**
 * From a name to what a TLS server shows for it, issued when it is asked for and kept until it should be renewed.
 *
 * A context takes as long to make as its certificate, so the context is what is kept. Names come from clients: they are
 * bounded, what is kept is bounded, and so is what is being issued. Refusals are not kept, they cost microseconds.
 * A context alone has ticket keys of its own, so a session can be resumed as long as its context is kept.
 * Not here: the bounded cache (it is given: core/bounded-cache.ts), the versions and suites of TLS (they are given).
 */

import type { SecureContext, SecureContextOptions } from "node:tls";
import type { Clock } from "../core/clock.ts";
import { detach } from "../core/text.ts";
import type { Authority, LeafRefusal } from "./authority.ts";
import { parseLeafName } from "./leaf-name.ts";

/** What is kept for a name. */
export interface KeptLeaf {
  readonly context: SecureContext;
  readonly notBeforeUnixMs: number;
  readonly renewAtUnixMs: number;
}

/** Bounded by whoever makes it; the form of core/bounded-cache.ts. */
interface LeafStore {
  get(name: string): KeptLeaf | undefined;
  set(name: string, leaf: KeptLeaf): void;
  counters(): { readonly size: number };
}

/** What a cache is made of. */
export interface LeafCacheOptions {
  readonly store: LeafStore;
  readonly clock: Clock;
  /** Versions and suites; certificate and key are added. */
  readonly tls: SecureContextOptions;
}

/** Every look-up is in one of the first four. */
interface LeafCounters {
  readonly issued: number;
  readonly hits: number;
  /** Waited for a certificate that was being issued for another one. */
  readonly joined: number;
  readonly refused: number;
  /** Names that are kept. */
  readonly size: number;
}

/** Contexts by name. */
export interface LeafCache {
  /** @param name as for `Authority.issueLeaf` */
  contextOf(
    name: string,
  ): Promise<{ readonly value: SecureContext } | { readonly refused: LeafRefusal | "busy" }>;
  counters(): LeafCounters;
}

/** For the store's bound: a homeserver federates with some hundreds at a time. A context has about 36 kB outside V8's heap, so 18 MB. */
export const LEAFS_MAX = 512;
/** Names that are being issued at once: a quarter of a second of one core, and who comes then has no use for waiting. */
const ISSUING_MAX = 100;

/** Resolves at once with what is kept, and in a few milliseconds with what is not. */
export async function createLeafCache(authority: Authority, options: LeafCacheOptions): Promise<LeafCache> {
  const { createSecureContext } = await import("node:tls");
  const { store, clock, tls } = options;
  const issuing = new Map<string, ReturnType<LeafCache["contextOf"]>>();
  let issued = 0;
  let hits = 0;
  let joined = 0;
  let refused = 0;

  async function issue(name: string): ReturnType<LeafCache["contextOf"]> {
    const leaf = await authority.issueLeaf(name);
    if ("refused" in leaf) return leaf;
    const { certificatePem: cert, privateKeyPem: key, notBeforeUnixMs, renewAtUnixMs } = leaf.value;
    // Without `ca`, the first context would load the system's roots, which is 8 ms on Node 22; nobody is asked for a certificate.
    const context = createSecureContext({ ...tls, ca: [], cert, key });
    store.set(name, { context, notBeforeUnixMs, renewAtUnixMs });
    return { value: context };
  }

  return {
    async contextOf(text) {
      const parsed = parseLeafName(text);
      if ("refused" in parsed) {
        refused++;
        return parsed;
      }
      const name = parsed.value.text;
      const kept = store.get(name);
      const nowMs = clock.unixMs();
      // Of a clock that was ahead, and was set back, there are some that nobody takes yet.
      if (kept !== undefined && nowMs >= kept.notBeforeUnixMs && nowMs < kept.renewAtUnixMs) {
        hits++;
        return { value: kept.context };
      }
      const running = issuing.get(name);
      if (running !== undefined) {
        joined++;
        return running;
      }
      if (issuing.size >= ISSUING_MAX) {
        refused++;
        return { refused: "busy" };
      }
      const started = issue(detach(name)).finally(() => issuing.delete(name));
      issuing.set(name, started);
      const outcome = await started;
      if ("refused" in outcome) refused++;
      else issued++;
      return outcome;
    },
    counters: () => ({ issued, hits, joined, refused, size: store.counters().size }),
  };
}
