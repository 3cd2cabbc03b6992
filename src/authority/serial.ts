/** Serial numbers of certificates: RFC 5280, section 4.1.2.2. */

import { createSecret } from "../core/random.ts";

/** 126 bits of chance: nobody can guess the next one, and no two are the same. */
const SERIAL_BYTES = 16;

/**
 * 16 bytes. The first bit is 0, or the number would be negative; the second is 1, or it would have zeros at its
 * beginning, which DER forbids.
 */
export function createSerial(random: (bytes: number) => Uint8Array = createSecret): Uint8Array {
  const serial = random(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}
