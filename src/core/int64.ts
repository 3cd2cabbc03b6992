/** Which numbers of an attribute are written as 64-bit integers; all others are doubles. */

/** Both bounds are exact as doubles. */
const INT64_MIN = -(2 ** 63);
const INT64_END = 2 ** 63;

export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= INT64_MIN && value < INT64_END;
}
