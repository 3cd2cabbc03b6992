/**
 * Pages that kept spans stand in (span/encoded-span.ts), each counted once: what the store really holds.
 *
 * A span's own bytes are what it takes only where its neighbours are kept too. Spans that are dropped fill pages as well, so a peer
 * that is followed could have each kept one stand in a page of its own: a hundred times what was estimated.
 */

import { EncodedSpan, type EndedSpan } from "../span/encoded-span.ts";

export interface HeldPages {
  /** Bytes of all that are held. */
  readonly bytes: number;
  /** Bytes that keeping this span would add: its page's, or none. */
  growthBy(span: EndedSpan): number;
  keep(span: EndedSpan): void;
  /** @param span which was kept */
  letGo(span: EndedSpan): void;
}

export function createHeldPages(): HeldPages {
  /** Page → how many kept spans stand in it. */
  const pages = new Map<Buffer, number>();
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    growthBy: (span) => (span instanceof EncodedSpan && !pages.has(span.page) ? span.page.length : 0),
    keep(span) {
      if (!(span instanceof EncodedSpan)) return;
      const spans = pages.get(span.page) ?? 0;
      if (spans === 0) bytes += span.page.length;
      pages.set(span.page, spans + 1);
    },
    letGo(span) {
      if (!(span instanceof EncodedSpan)) return;
      const spans = (pages.get(span.page) ?? 0) - 1;
      if (spans > 0) {
        pages.set(span.page, spans);
        return;
      }
      pages.delete(span.page);
      bytes -= span.page.length;
    },
  };
}
