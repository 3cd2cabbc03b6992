/** Focus for an element that the next render, or the one after it, will show: a change of the route comes in its own time. */

import { useEffect, useRef } from "preact/hooks";

/**
 * Call it in a component that renders when the element comes.
 * @returns focuses the element now, if it is there, else as soon as a render shows it; whether it was there
 */
export function useAwaitedFocus(): (selector: string) => boolean {
  const awaited = useRef<string | undefined>(undefined);
  const focus = (selector: string): boolean => {
    const element = document.querySelector<HTMLElement>(selector);
    element?.focus();
    awaited.current = element === null ? selector : undefined;
    return element !== null;
  };
  useEffect(() => {
    if (awaited.current !== undefined) focus(awaited.current);
  });
  return focus;
}
