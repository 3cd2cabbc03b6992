/** What every view may need: the time, and whether the page refreshes itself. */

import { createContext } from "preact";
import { type Clock, createSystemClock } from "../core/clock.ts";

export interface PageState {
  readonly clock: Clock;
  readonly isLive: boolean;
}

export const PageContext = createContext<PageState>({ clock: createSystemClock(), isLive: true });
