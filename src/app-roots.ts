/** TLS to other servers, as the config trusts them. A part of the composition root (app.ts): the way out and the fetching of keys share it. */

import { readRoots } from "./config/roots.ts";
import { createTrust, createUpstreamTls } from "./http1/upstream-tls.ts";
import type { TlsTo } from "./proxy/outbound.ts";

/** What certificates are verified by. */
export interface Roots {
  /** SSL_CERT_FILE. */
  readonly systemRootsFile: string | undefined;
  readonly caFile: string | undefined;
  readonly pins: Readonly<Record<string, readonly string[]>>;
}

/** Loaded with the first use, which waits some 40 ms for it: reading all roots. A failure rejects, and is tried again. */
type LazyTls = () => TlsTo | Promise<TlsTo>;

export interface OutgoingTls {
  readonly pinned: LazyTls;
  /**
   * For .well-known: a pin is for the host where a name leads after delegation, and the web server of the same name may show another
   * certificate.
   */
  readonly unpinned: LazyTls;
}

export function createOutgoingTls({ systemRootsFile, caFile, pins }: Roots): OutgoingTls {
  const trust = lazily(async () => {
    const { rootCertificates } = await import("node:tls");
    return createTrust(readRoots(systemRootsFile, caFile, rootCertificates));
  });
  return {
    pinned: lazily(async () => createUpstreamTls({ trust: await trust(), pins })),
    unpinned: lazily(async () => createUpstreamTls({ trust: await trust(), pins: {} })),
  };
}

/** The value once it is there, the promise of it before; tried again after a failure. */
function lazily<T>(load: () => Promise<T>): () => T | Promise<T> {
  let loaded: { readonly value: T } | undefined;
  let loading: Promise<T> | undefined;
  async function begin(): Promise<T> {
    try {
      const value = await load();
      loaded = { value };
      return value;
    } finally {
      loading = undefined;
    }
  }
  return () => (loaded === undefined ? (loading ??= begin()) : loaded.value);
}
