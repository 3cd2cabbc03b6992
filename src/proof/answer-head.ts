/**
 * Whether an answer's head lets its body be a document of the server's own, and not a file that a user of it uploaded.
 *
 * A server that hosts uploads answers with them from the same name as with its actors, and often with the Content-Type that the uploader
 * gave. So an actor comes only in a type that ActivityPub has for it, and never as something to save: that is how uploads are served.
 * Sources: https://www.w3.org/TR/activitypub/#retrieving-objects, RFC 6838, RFC 6906 section 3 (profiles are separated by blanks), RFC 6266;
 * GHSA-jhrq-qvrm-qr36 (CVE-2024-25623), where Mastodon took an uploaded file for a post.
 * Not here: paths that only uploads are served under (key-url.ts).
 */

import { MIMEType } from "node:util";
import type { HeadFields, HeadRefusal } from "../discovery/https-get.ts";

const ACTIVITY_STREAMS = "https://www.w3.org/ns/activitystreams";
/** Real ones have fewer than 100 characters; Node's reader takes seconds for some texts of many thousand. */
const MEDIA_TYPE_LENGTH_MAX = 512;
const INLINE = /^[ \t]*inline[ \t]*(?:;|$)/i;

/**
 * `application/json` is not enough: it is what every site serves its users' files as.
 *
 * @returns "media-type": not one of an actor, none, or two; "attachment": a Content-Disposition that is not `inline`
 */
export function refuseActorAnswer(fields: HeadFields): HeadRefusal | undefined {
  const type = mediaTypeOf(fields);
  const profiles = (type?.params.get("profile") ?? "").split(" ");
  const isActivity =
    type?.essence === "application/activity+json" ||
    (type?.essence === "application/ld+json" && profiles.includes(ACTIVITY_STREAMS));
  if (!isActivity) return "media-type";
  return (fields["content-disposition"] ?? []).every((value) => INLINE.test(value))
    ? undefined
    : "attachment";
}

/** For documents at a path where nobody's files are: `application/json` alone. */
export function refuseJsonAnswer(fields: HeadFields): HeadRefusal | undefined {
  return mediaTypeOf(fields)?.essence === "application/json" ? undefined : "media-type";
}

/** Names in lower case, parameters unquoted. @returns undefined where it is missing, there twice, too long, or can't be read */
function mediaTypeOf({ "content-type": values = [] }: HeadFields): MIMEType | undefined {
  const [value, ...more] = values;
  if (value === undefined || more.length > 0 || value.length > MEDIA_TYPE_LENGTH_MAX) return undefined;
  try {
    return new MIMEType(value);
  } catch {
    return undefined;
  }
}
