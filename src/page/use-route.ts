/** The route in the address bar, and ways to change it. */

import { useEffect, useState } from "preact/hooks";
import { formatHash, parseHash, type Route } from "./hash-route.ts";

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseHash(location.hash));
  useEffect(() => {
    const read = (): void => setRoute(parseHash(location.hash));
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** A new entry in the history. */
export function goTo(route: Route): void {
  location.hash = formatHash(route);
}

/** The same entry: for what changes within a view, such as the chosen span. */
export function replaceRoute(route: Route): void {
  location.replace(formatHash(route));
}
