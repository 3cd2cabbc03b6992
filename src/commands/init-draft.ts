/** What `init` knows before it writes: one value for each choice. Questions and a Synapse config fill the same draft. */

import type { SamplerWords } from "../config/schema-sampling.ts";
import type { Pattern } from "../peer/pattern.ts";

/** Parts of the file that remarks can stand in. */
export type Section = "server_name" | "inbound" | "outbound" | "whitelist" | "sampling" | "export";

/** One entry of the whitelist. */
export interface WhitelistLine {
  readonly pattern: Pattern;
  /** What is doubtful about it; comments above it. */
  readonly doubts: readonly string[];
  /** Why it can't be used: it is written as a comment. */
  readonly refused?: string | undefined;
}

/** Where spans go besides the built-in page. */
export type ExportLine =
  | { readonly kind: "otlp"; readonly url: string }
  | { readonly kind: "jaeger"; /** host:port of its UDP port */ readonly agent: string };

/** Every text is one that the config's schema takes. */
export interface Draft {
  readonly serverName: string;
  readonly listen: string;
  readonly upstream: string;
  /** Paths; `isOff`: written as a comment, because they can't be used as they are. */
  readonly tls:
    { readonly certificate: string; readonly privateKey: string; readonly isOff?: boolean } | undefined;
  /** Where the way out listens; undefined: none. */
  readonly outboundListen: string | undefined;
  readonly whitelist: readonly WhitelistLine[];
  readonly sampling: SamplerWords;
  /** Of a `remote` one. */
  readonly samplingUrl?: string | undefined;
  readonly exports: readonly ExportLine[];
  /** Where usage reports go; undefined: they stay off. */
  readonly usageEndpoint: string | undefined;
  /** Sentences for a section's comment. One that begins with two spaces is a line to copy: it is not wrapped. */
  readonly remarks: Readonly<Partial<Record<Section, readonly string[]>>>;
}

/** What Enter takes at each question. The name is one that RFC 2606 reserves, so nobody runs by it unnoticed. */
export const DEFAULT_DRAFT: Draft = {
  serverName: "hs1.example:8448",
  listen: "0.0.0.0:8448",
  upstream: "http://127.0.0.1:8008",
  tls: undefined,
  outboundListen: undefined,
  whitelist: [],
  sampling: { type: "probabilistic", param: 0.01 },
  exports: [],
  usageEndpoint: undefined,
  remarks: {},
};

/** Where the way out listens unless told otherwise; the port is Squid's, which forward proxies share. */
export const OUTBOUND_LISTEN = "127.0.0.1:3128";
