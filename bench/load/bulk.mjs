/** The large bodies: two sizes, their bytes, their path. One buffer for all of a process, made at the first use. */

import { createHash } from "node:crypto";

const KIB = 1024;
const MIB = KIB * KIB;

/** By the number of bytes. `connections` and `requests` a run: enough bytes to time, no more than 2 GiB. */
export const BULK_SIZES = {
  [64 * KIB]: { label: "64 KiB", connections: 8, requests: 6000 },
  [8 * MIB]: { label: "8 MiB", connections: 4, requests: 150 },
};

/** @param {number | string} size bytes */
export function bulkPath(size) {
  return `/_matrix/media/bench/${size}`;
}

/** @param {number} size bytes, the same for the same size; no two blocks of 64 are alike, so nothing can be left out unseen */
export function bulkBytes(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 64) {
    createHash("sha512").update(`block ${at}`).digest().copy(bytes, at);
  }
  return bytes;
}
