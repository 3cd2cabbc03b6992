/**
 * Chance, as an argument: trace ids, span ids, and fractions for jitter.
 *
 * Ids are drawn from a pool of random bytes that is filled 4 KiB at a time: a system call per id costs more
 * than all of the rest of a span (measured: 1.4 µs against 0.1 µs). They come from the cryptographic source
 * because a peer sees them, and must not be able to tell the next one.
 */

export interface Random {
  /** 32 lower-case hex digits, not all zero; the W3C "random" flag may be set for it. */
  traceId(): string;
  /** 16 lower-case hex digits, not all zero. */
  spanId(): string;
  /** In [0, 1); for jitter, never for ids. */
  fraction(): number;
}

/** Random bytes from the system's source, for keys: never of a pool that something else draws from. */
export function createSecret(bytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

const POOL_BYTES = 4096;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** @param fill puts random bytes into all of the array; the default is the system's source */
export function createRandom(
  fill: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => void crypto.getRandomValues(bytes),
): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;

  function take(count: number): number {
    if (used + count > POOL_BYTES) {
      fill(pool);
      used = 0;
    }
    used += count;
    return used - count;
  }

  function hex(count: number): string {
    for (;;) {
      const from = take(count);
      let text = "";
      let seen = 0;
      for (let index = from; index < from + count; index++) {
        const byte = pool[index] ?? 0;
        seen |= byte;
        text += HEX[byte] ?? "";
      }
      if (seen !== 0) return text; // All zero is "no id" in every format.
    }
  }

  return {
    traceId: () => hex(16),
    spanId: () => hex(8),
    fraction: () => {
      const from = take(4);
      return new DataView(pool.buffer, from, 4).getUint32(0) / 2 ** 32;
    },
  };
}
