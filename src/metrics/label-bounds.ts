/** What a scrape may grow to: how many values each label from outside shows, and how many bytes each group of families may take. */

import { Busiest } from "./busiest.ts";
import type { CounterChild } from "./children.ts";
import { createOverflow, type Registry } from "./registry.ts";

export interface MetricsBounds {
  /** Values shown of a label whose values come from outside. */
  readonly top: number;
  /** Of a scrape's text, about. */
  readonly bytesMax: number;
}

/**
 * Who may take how much of a scrape. What is left, a tenth, is for families whose labels are words of this program: they have some
 * 500 lines.
 */
const SHARES = {
  /** The list of the front door: three families with five labels each. */
  front: 0.24,
  server: 0.24,
  client: 0.16,
  peers: 0.2,
  grpc: 0.06,
} as const;

export interface LabelBounds {
  /** @param label for the counter of what is `other` */
  busiest(label: string): Busiest;
  /** Bytes. */
  room(group: keyof typeof SHARES): number;
  /** @returns what counts its values that were counted as `other` for want of room */
  readonly overflow: (label: string) => CounterChild;
}

export function createLabelBounds(registry: Registry, { top, bytesMax }: MetricsBounds): LabelBounds {
  const overflow = createOverflow(registry);
  return {
    busiest(label) {
      const counter = overflow.withLabels(label);
      return new Busiest(top, () => counter.add(1));
    },
    room: (group) => SHARES[group] * bytesMax,
    overflow: (label) => overflow.withLabels(label),
  };
}
