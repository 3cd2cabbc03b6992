/** The page's signs, drawn in the colour of the text beside them. Decoration: the text says the same. */

import type { JSX } from "preact";

const PATHS = {
  /** An arrow through the border. */
  crossed: "M1.500 8h12.500M10.800 4.800 14 8l-3.200 3.200M6 1.500v3.300M6 11.200v3.300",
  /** An arrow that ends at it. */
  stopped: "M13 1.500v13M2 8h7.500M6.500 4.800 9.700 8l-3.200 3.200",
  /** A broken piece. */
  refused: "M8 2 14.4 13.4H1.6zM8 6.4v3.2M8 11.4v.1",
  error: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3l8 5-8 5z",
  chevron: "M6 3.5 10.5 8 6 12.5",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14",
  close: "M4 4l8 8M12 4l-8 8",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.8 0l2.2-2.2a2.7 2.7 0 0 0-3.8-3.8l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.8 0L3.200 9a2.7 2.7 0 0 0 3.8 3.8l.8-.8",
  quiet: "M3 8h10",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg
      class={`icon icon-${name}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
