/** Every way in which the network may hand over a message: what is read must not depend on it. */

/** The text whole, cut in two at each byte, and byte by byte. */
export function fragmentations(text: string): readonly (readonly Buffer[])[] {
  const bytes = Buffer.from(text, "latin1");
  const cuts = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, index) => [
    bytes.subarray(0, index + 1),
    bytes.subarray(index + 1),
  ]);
  return [[bytes], ...cuts, singleBytes(bytes)];
}

/** The slowest sender there is. */
export function singleBytes(bytes: Buffer): readonly Buffer[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}
