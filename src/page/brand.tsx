/** The sign of fedtrace: two servers and the border between them. */

import type { JSX } from "preact";

export function BrandSign(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false">
      <path class="brand-way" d="M6 16h20" />
      <path class="brand-border" d="M16 3v26" />
      <circle class="brand-end" cx="6" cy="16" r="3.6" />
      <circle class="brand-end" cx="26" cy="16" r="3.6" />
    </svg>
  );
}
