/**
 * Jaeger's own client for Node.js, retired in 2022 and still deployed: the legacy peer and the legacy server behind us.
 * https://github.com/jaegertracing/jaeger-client-node. Only what the tests use of it is declared here: it has no types.
 */

import { createRequire } from "node:module";

export interface LegacyContext {
  /** Hex without leading zeros where it made the id itself, else as it was received. */
  readonly traceIdStr: string;
  readonly spanIdStr: string;
  readonly parentIdStr: string | null;
  /** 1 sampled, 2 debug. */
  readonly flags: number;
  readonly baggage: Readonly<Record<string, string>>;
}

interface LegacySpan {
  context(): LegacyContext;
  setTag(key: string, value: unknown): void;
  setBaggageItem(key: string, value: string): void;
  finish(): void;
}

export interface LegacyTracer {
  startSpan(name: string, options?: { readonly childOf?: LegacySpan | LegacyContext }): LegacySpan;
  /** The header lines that it would send with a request of this span. */
  inject(span: LegacySpan): readonly string[];
  /** From a request's head; a context without ids where there was none. */
  extract(head: string): LegacyContext;
  /** Sends what was finished. */
  close(): Promise<void>;
}

export interface LegacyTracerOptions {
  readonly service: string;
  /** Whether it makes trace ids of 128 bits; its default is 64. */
  readonly is128Bit?: boolean;
  /** Binary Thrift over UDP, on this host; absent: its spans go nowhere. */
  readonly agentPort?: number;
}

interface OpentracingTracer {
  startSpan(name: string, options?: object): LegacySpan;
  inject(context: LegacyContext, format: string, carrier: Record<string, string>): void;
  extract(format: string, carrier: Readonly<Record<string, string>>): LegacyContext;
  close(callback: () => void): void;
}

const { initTracer, InMemoryReporter } = createRequire(import.meta.url)("jaeger-client") as {
  readonly initTracer: (config: object, options: object) => OpentracingTracer;
  readonly InMemoryReporter: new () => object;
};

/** opentracing's name of the format. */
const HTTP_HEADERS = "http_headers";

/** Samples everything. */
export function createLegacyTracer(options: LegacyTracerOptions): LegacyTracer {
  const { service, is128Bit = false, agentPort } = options;
  const tracer = initTracer(
    {
      serviceName: service,
      sampler: { type: "const", param: 1 },
      ...(agentPort === undefined ? {} : { reporter: { agentHost: "127.0.0.1", agentPort } }),
    },
    { traceId128bit: is128Bit, ...(agentPort === undefined ? { reporter: new InMemoryReporter() } : {}) },
  );
  return {
    startSpan: (name, parent) => tracer.startSpan(name, parent),
    inject(span) {
      const carrier: Record<string, string> = {};
      tracer.inject(span.context(), HTTP_HEADERS, carrier);
      return Object.entries(carrier).map(([name, value]) => `${name}: ${value}`);
    },
    extract(head) {
      const fields = head.split("\r\n").flatMap((line) => {
        const at = line.indexOf(":");
        return at === -1 ? [] : [[line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const];
      });
      return tracer.extract(HTTP_HEADERS, Object.fromEntries(fields));
    },
    close: () => new Promise((resolve) => tracer.close(resolve)),
  };
}
