/**
 * How much memory a kept span takes, as an estimate that costs less than the span did.
 *
 * V8 tells nobody the size of an object, so it is counted in parts: a fixed sum for the objects that every span
 * consists of, one for each attribute, one byte for each character. The sums were fitted to the heap's growth by
 * 20,000 spans as the proxy makes them (bench/store.bench.ts measures it again each time it runs). Texts that
 * many spans share are counted for each, texts beyond latin1 at half their size: what the proxy records is latin1.
 */

import { EncodedSpan, type EndedSpan } from "../span/encoded-span.ts";
import type { Attributes } from "../span/record.ts";

/** The record, its fields, both contexts with their ids, times, lists, and its place in its trace. */
const SPAN_BYTES = 700;
/** A trace's own entry: its object, its list of spans, its id, its place in the index. */
export const TRACE_BYTES = 400;
/** The slot, and the header of its value. */
const ATTRIBUTE_BYTES = 26;
/** A link's or an event's object and what hangs on it, but its attributes. */
const PART_BYTES = 300;

/** An encoded span's own object, and its part of what is left free in a page. */
const ENCODED_SPAN_BYTES = 80;

/** @returns bytes; an estimate, within 30 % of what spans of the proxy were measured to take */
export function estimateSpanBytes(span: EndedSpan): number {
  if (span instanceof EncodedSpan) return ENCODED_SPAN_BYTES + span.end - span.start;
  const { fields } = span.toRecord();
  let bytes = SPAN_BYTES + fields.name.length + attributesBytes(fields.attributes);
  for (const link of fields.links) bytes += PART_BYTES + attributesBytes(link.attributes);
  for (const event of fields.events)
    bytes += PART_BYTES + event.name.length + attributesBytes(event.attributes);
  return bytes;
}

function attributesBytes(attributes: Attributes): number {
  let bytes = 0;
  // Not Object.values(): its array would cost more than all of the rest.
  for (const key in attributes) {
    const value = attributes[key];
    bytes += typeof value === "string" ? ATTRIBUTE_BYTES + value.length : ATTRIBUTE_BYTES;
  }
  return bytes;
}
