/** The top line: whose sidecar this is, the views, and the switch of the refresh. */

import type { JSX } from "preact";
import { BrandSign } from "./brand.tsx";
import type { Route } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { Text } from "./text.tsx";

const VIEWS = [
  { view: "search", label: "Traces" },
  { view: "peers", label: "Peers" },
  { view: "map", label: "Map" },
  { view: "whitelist", label: "Whitelist" },
  { view: "config", label: "Config" },
] as const;

interface HeaderProps {
  readonly view: Route["view"];
  /** Empty until it is known. */
  readonly serverName: string;
  readonly isLive: boolean;
  readonly onLive: (isLive: boolean) => void;
}

export function Header({ view, serverName, isLive, onLive }: HeaderProps): JSX.Element {
  const current = view === "trace" ? "search" : view;
  return (
    <header class="top">
      <a class="brand" href="#/search" aria-label="fedtrace, all traces">
        <BrandSign />
        <span class="brand-name">fedtrace</span>
      </a>
      {serverName !== "" && (
        <span class="server" title="This sidecar's server_name">
          <Text value={serverName} />
        </span>
      )}
      <nav class="views" aria-label="Views">
        {VIEWS.map((entry) => (
          <a
            key={entry.view}
            href={`#/${entry.view}`}
            aria-current={entry.view === current ? "page" : undefined}
          >
            {entry.label}
          </a>
        ))}
      </nav>
      <button
        type="button"
        class={isLive ? "live is-live" : "live"}
        aria-pressed={isLive}
        title={
          isLive ? "Refreshes every 5 seconds; press to pause" : "Paused; press to refresh every 5 seconds"
        }
        onClick={() => onLive(!isLive)}
      >
        <span class="live-dot" aria-hidden="true" />
        Live
        <Icon name={isLive ? "pause" : "play"} />
      </button>
    </header>
  );
}
