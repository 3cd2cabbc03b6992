/**
 * A colour for each service, the same on every view and visit: by its name, and the next free one where two names
 * of one trace fall together. Colours are classes of the style sheet (`service-0` …), for light and dark.
 */

/** As many as tokens.css has. */
const COLORS = 8;

/** @returns class names by service */
export function serviceColors(services: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<number>();
  const colors = new Map<string, string>();
  for (const service of [...new Set(services)].sort()) {
    let color = hashOf(service) % COLORS;
    for (let tried = 0; tried < COLORS && taken.has(color); tried++) color = (color + 1) % COLORS;
    taken.add(color);
    colors.set(service, `service-${color}`);
  }
  return colors;
}

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/). */
function hashOf(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
