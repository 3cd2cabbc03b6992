/**
 * CRC-32C (Castagnoli), which node:zlib does not have: its crc32 is the one of zip.
 *
 * Source: RFC 3720, appendix B.4, which has the polynomial and examples. Bit by bit, without a table: it is run over a
 * few hundred bytes of a connection, if at all.
 */

/** 0x1EDC6F41, its bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const BITS_OF_BYTE = 8;

/** @returns 32 bits, unsigned */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < BITS_OF_BYTE; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
