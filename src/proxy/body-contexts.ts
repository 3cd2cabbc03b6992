/**
 * Notices trace contexts inside the bodies of Matrix transactions, while these stream by.
 *
 * Synapse puts one into to-device messages and device list updates, as `content["org.matrix.opentracing_context"]`, a JSON
 * text inside the JSON (synapse/logging/opentracing.py, `get_active_span_text_map`), and empties it again for the servers that
 * its own whitelist names, of all (synapse/federation/sender/transaction_manager.py): strangers get it. The body is what
 * X-Matrix signs (https://spec.matrix.org/v1.16/server-server-api/#request-authentication), so a sidecar can't take it out: it
 * counts it, and an operator is told once a peer.
 * Not here: parsing. What stands behind the key is looked at only as far as telling "nothing" from something; a key written
 * with JSON's escapes is not found.
 */

const KEY = Buffer.from('"org.matrix.opentracing_context"');
/**
 * What stands behind a key: a colon (a text that only says the same has none), and not a value that says nothing: what Synapse
 * sends while its tracing is off, and what means the same.
 */
const VALUE = /^ ?:(?! ?(?:"\{\}"|"null"|null|\{\}|""))/;
/** Behind the key, as many bytes as the longest of these takes. */
const AFTER_BYTES = ' : "null"'.length;
const WINDOW_BYTES = KEY.length + AFTER_BYTES;
const NOTHING = Buffer.alloc(0);

/** For one body. Holds at most as much of it as a key and its value's beginning take (40 bytes), whatever its pieces are. */
export class BodyContexts {
  count = 0;
  #rest: Buffer = NOTHING;

  /** @param bytes the next ones of the body, in any pieces; not kept */
  read(bytes: Buffer): void {
    const rest = this.#rest;
    if (rest.length > 0) {
      const joined = Buffer.concat([rest, bytes.subarray(0, WINDOW_BYTES - 1)]);
      this.#scan(joined, rest.length);
    }
    if (bytes.length >= WINDOW_BYTES) {
      this.#scan(bytes, bytes.length);
      this.#rest = Buffer.from(bytes.subarray(1 - WINDOW_BYTES));
    } else {
      this.#rest = Buffer.concat([rest, bytes]).subarray(1 - WINDOW_BYTES);
    }
  }

  /** Counts keys that begin before `end` and whose value's beginning is there; others are left to the next piece. */
  #scan(bytes: Buffer, end: number): void {
    // By one byte: the quote that ends one may begin the next, and which was first must not depend on the pieces.
    for (let at = bytes.indexOf(KEY); at !== -1 && at < end; at = bytes.indexOf(KEY, at + 1)) {
      const after = at + KEY.length;
      if (after + AFTER_BYTES > bytes.length) return;
      if (VALUE.test(bytes.toString("latin1", after, after + AFTER_BYTES))) this.count++;
    }
  }
}
