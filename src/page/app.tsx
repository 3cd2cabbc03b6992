/** The page's frame: header, ways to the views, the view, and the keys that work everywhere. */

import type { JSX } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import { ConfigView } from "./config-view.tsx";
import { fetchJson } from "./api.ts";
import { Header } from "./header.tsx";
import type { Route } from "./hash-route.ts";
import { MapView } from "./map-view.tsx";
import { PageContext } from "./page-context.ts";
import { parsePeers, type Peers } from "./peers-model.ts";
import { PeersView } from "./peers-view.tsx";
import { SearchView } from "./search-view.tsx";
import { TraceView } from "./trace-view.tsx";
import { useAwaitedFocus } from "./use-awaited-focus.ts";
import { type Live, useLive } from "./use-live.ts";
import { useRoute } from "./use-route.ts";
import { visibleText } from "./visible-text.ts";
import { WhitelistView } from "./whitelist-view.tsx";

export function App(): JSX.Element {
  const route = useRoute();
  const { clock } = useContext(PageContext);
  const [isLive, setIsLive] = useState(true);
  const state = useMemo(() => ({ clock, isLive }), [clock, isLive]);
  useSearchKey();
  return (
    <PageContext.Provider value={state}>
      <Frame route={route} isLive={isLive} onLive={setIsLive} />
    </PageContext.Provider>
  );
}

interface FrameProps {
  readonly route: Route;
  readonly isLive: boolean;
  readonly onLive: (isLive: boolean) => void;
}

/** Inside the context, so that the peers (whose answer also names the server) refresh with everything else. */
function Frame({ route, isLive, onLive }: FrameProps): JSX.Element {
  const peers = useLive("peers", (signal) => fetchJson("/api/fedtrace/peers", parsePeers, signal));
  const serverName = peers.value?.serverName ?? "";
  useEffect(() => {
    document.title = serverName === "" ? "fedtrace" : `${visibleText(serverName)} · fedtrace`;
  }, [serverName]);
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <Header view={route.view} serverName={serverName} isLive={isLive} onLive={onLive} />
      <main id="main" tabIndex={-1}>
        <View route={route} peers={peers} />
      </main>
    </>
  );
}

function View({ route, peers }: { readonly route: Route; readonly peers: Live<Peers> }): JSX.Element {
  switch (route.view) {
    case "trace":
      return <TraceView key={route.traceId} traceId={route.traceId} spanId={route.spanId} />;
    case "peers":
      return <PeersView peers={peers} sort={route.sort} isDescending={route.isDescending} />;
    case "map":
      return <MapView peers={peers} />;
    case "whitelist":
      return <WhitelistView host={route.host} direction={route.direction} peers={peers.value?.peers ?? []} />;
    case "config":
      return <ConfigView />;
    case "search":
      return <SearchView query={route.query} peers={peers.value} />;
  }
}

/** The hash is the route's, so the link moves the focus itself. */
function skipToMain(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main")?.focus();
}

/** `/` goes to the search, unless somebody is typing. Called where a change of the route renders. */
function useSearchKey(): void {
  const focus = useAwaitedFocus();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping =
        event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (!focus("#search-tags")) location.hash = "#/search";
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
