/** How a text that came in a request may be kept longer than the request. */

/**
 * The same text, cut loose from the string that it is a slice of.
 *
 * V8 makes a slice of 13 characters or more a pointer into the whole string. A header's value is a slice of
 * the request's head (up to 64 KiB), and ids outlive their request by minutes (sampling/forced.ts, the export
 * queue): without this each would hold a whole head in memory. A concatenation is flattened into a new string
 * before it is sliced, so what the result points into is one character longer than itself.
 */
export function detach(text: string): string {
  return (" " + text).slice(1);
}
