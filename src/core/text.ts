/** Texts that came from elsewhere: how one may be kept longer than its request, and written as JSON that every reader takes. */

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

/**
 * JSON.stringify's text with U+FFFD for every lone surrogate, which protobuf's readers refuse.
 *
 * JSON.stringify escapes lone surrogates, and nothing else, as `\udXXX`: one look at the whole text, where a look at
 * each string of it cost more than all the rest. Escapes are read from the left, so a backslash of the text's own
 * (`\\ud800` in JSON) is passed over.
 */
export function withoutLoneSurrogates(json: string): string {
  if (!json.includes("\\ud")) return json;
  return json.replaceAll(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    escape.startsWith("\\ud") ? "\ufffd" : escape,
  );
}

/** Control characters, line ends, and those that turn the direction of text: what a label that somebody wrote shall not have. */
export const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
