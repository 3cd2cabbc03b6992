/**
 * A sampling strategy as plain values, wherever it comes from: the config, a strategy file, or Jaeger.
 *
 * Names and meaning are Jaeger's (https://www.jaegertracing.io/docs/1.76/sampling/). Not here: deciding (samplers.ts), and
 * reading Jaeger's own forms of it (strategies/).
 */

/** One sampler. */
export type SamplerSpec =
  /** All (1) or none (0). */
  | { readonly type: "const"; readonly param: 0 | 1 }
  /** A share of all traces, 0 to 1. */
  | { readonly type: "probabilistic"; readonly param: number }
  /** Traces a second, at least 0; 0 samples none. */
  | { readonly type: "ratelimiting"; readonly param: number };

/** What one operation is sampled with. */
export interface OperationRule {
  /** A span's name, `{method} {route template}`. The first rule that matches counts. */
  readonly operation: string;
  /** Whether `*` is a letter like any other, as it is to Jaeger; otherwise it stands for any characters. */
  readonly isLiteral: boolean;
  readonly sampler: SamplerSpec;
}

export interface Strategy {
  /** For every operation that has no rule. */
  readonly sampler: SamplerSpec;
  readonly operations: readonly OperationRule[];
  /** Traces a second that each operation gets at least, whatever its sampler says; 0: nothing is guaranteed. */
  readonly lowerBound: number;
}
