/**
 * The order in which the targets of SRV records are tried: by priority, and within one by chance, as weights say.
 *
 * Source: RFC 2782, with the correction that Synapse makes: the number that chooses is drawn from 1 to the sum, not from
 * 0, since with 0 the first of two equal targets would get two thirds. So a target of weight 0 comes after the others.
 */

import type { Service } from "./dns.ts";

/**
 * @param fraction gives chance, in [0, 1)
 * @returns all of them, ordered
 */
export function orderServices(services: readonly Service[], fraction: () => number): readonly Service[] {
  const left = services.toSorted((a, b) => a.priority - b.priority);
  const ordered: Service[] = [];
  while (left.length > 0) {
    const [next] = left.splice(choose(left, fraction), 1);
    if (next !== undefined) ordered.push(next);
  }
  return ordered;
}

/** @returns the index of one that has the priority of the first */
function choose(left: readonly Service[], fraction: () => number): number {
  const others = left.findIndex((service) => service.priority !== left[0]?.priority);
  const group = others === -1 ? left : left.slice(0, others);
  const total = group.reduce((sum, service) => sum + service.weight, 0);
  if (total === 0) return Math.floor(fraction() * group.length);

  let chosen = 1 + Math.floor(fraction() * total);
  return group.findIndex((service) => {
    chosen -= service.weight;
    return chosen <= 0;
  });
}
