/**
 * Tags as they are typed, `http.route=/x error=true note="two words"`, read into what `/api/traces?tags=` takes.
 * The form is that of Jaeger's own search field (logfmt, https://brandur.org/logfmt), quotes with backslashes.
 */

export type TagQuery = { readonly tags: Readonly<Record<string, string>> } | { readonly refusal: string };

/** No search needs more, and each is compared with each tag of each span. */
const TAGS_MAX = 20;

const PAIR = /\s*([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)/y;

/** The same key twice: the last one counts, as in a JSON object. */
export function parseTags(text: string): TagQuery {
  const tags = new Map<string, string>();
  const end = text.trimEnd().length;
  let at = 0;
  while (at < end) {
    PAIR.lastIndex = at;
    const match = PAIR.exec(text);
    if (match === null) {
      const rest = text.slice(at).trim();
      return { refusal: `“${rest.slice(0, 40)}” is not key=value or key="two words"` };
    }
    const [, key = "", quoted, plain = ""] = match;
    tags.set(key, quoted?.replaceAll(/\\(.)/g, "$1") ?? plain);
    if (tags.size > TAGS_MAX) return { refusal: `at most ${TAGS_MAX} tags` };
    at = PAIR.lastIndex;
  }
  return { tags: Object.fromEntries(tags) };
}

/** The text that is read back as this one tag. */
export function formatTag(key: string, value: string): string {
  return /^[^\s"]+$/.test(value) ? `${key}=${value}` : `${key}="${value.replaceAll(/["\\]/g, "\\$&")}"`;
}
