/** What is said in place of what is not there: why, and what to do about it. */

import type { ComponentChildren, JSX } from "preact";

interface NoticeProps {
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Notice({ title, children }: NoticeProps): JSX.Element {
  return (
    <div class="notice">
      <svg class="notice-art" viewBox="0 0 120 40" aria-hidden="true" focusable="false">
        <circle cx="18" cy="20" r="7" />
        <circle cx="102" cy="20" r="7" />
        <path class="notice-way" d="M30 20h60" />
        <path class="notice-border" d="M60 3v34" />
      </svg>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A failed refresh, above what was there before. */
export function Problem({ text }: { readonly text: string | undefined }): JSX.Element | null {
  if (text === undefined) return null;
  return (
    <p class="problem" role="status">
      {`Not up to date: ${text}. Trying again every few seconds.`}
    </p>
  );
}
