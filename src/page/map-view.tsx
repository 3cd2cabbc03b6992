/** The picture of peers: who asks us, our server, whom we ask. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatCount, formatNumber } from "./format.ts";
import { layoutMap, type MapColumn, type PeerMap } from "./map-layout.ts";
import { MapEdges } from "./map-edges.tsx";
import { MapNodeBox } from "./map-node.tsx";
import { Notice, Problem } from "./notice.tsx";
import { NoPeers } from "./peers-view.tsx";
import { peerKey, type Peers, verdictOf } from "./peers-model.ts";
import { Text } from "./text.tsx";
import type { Live } from "./use-live.ts";
import { visibleText } from "./visible-text.ts";

export function MapView({ peers }: { readonly peers: Live<Peers> }): JSX.Element {
  const list = peers.value?.peers;
  return (
    <section class="view">
      <h1>Map</h1>
      <p class="lead">
        Who asks this server, and whom it asks. An edge is as wide as its requests; it is solid where trace
        context may cross the border, and dashed where it is stopped.
      </p>
      <Problem text={peers.problem} />
      {list === undefined && peers.problem !== undefined && <Notice title="The map cannot be drawn" />}
      {list?.length === 0 && <NoPeers />}
      {peers.value !== undefined && list !== undefined && list.length > 0 && <Picture peers={peers.value} />}
    </section>
  );
}

function Picture({ peers }: { readonly peers: Peers }): JSX.Element {
  const map = useMemo(() => layoutMap(peers.peers), [peers]);
  const total = (column: MapColumn): number =>
    column.nodes.reduce((sum, { side }) => sum + side.requests, column.hiddenRequests);
  return (
    <>
      <div class="map">
        <h2 class="map-title is-callers">Asked us</h2>
        <h2 class="map-title is-callees">We asked</h2>
        <Column column={map.callers} heightPx={map.heightPx} side="callers" />
        <MapEdges
          nodes={map.callers.nodes}
          side="callers"
          heightPx={map.heightPx}
          label={edgesText(map.callers)}
        />
        <div class="map-own" style={{ height: `${map.heightPx}px` }}>
          <div class="map-own-box">
            <span class="map-own-border" aria-hidden="true" />
            <b>
              <Text value={peers.serverName} empty="this server" />
            </b>
            <span>{formatNumber(total(map.callers))} in</span>
            <span>{formatNumber(total(map.callees))} out</span>
          </div>
        </div>
        <MapEdges
          nodes={map.callees.nodes}
          side="callees"
          heightPx={map.heightPx}
          label={edgesText(map.callees)}
        />
        <Column column={map.callees} heightPx={map.heightPx} side="callees" />
      </div>
      <Hidden map={map} />
    </>
  );
}

interface ColumnProps {
  readonly column: MapColumn;
  readonly heightPx: number;
  readonly side: "callers" | "callees";
}

function Column({ column, heightPx, side }: ColumnProps): JSX.Element {
  return (
    <ul
      class={`map-column is-${side}`}
      style={{ height: `${heightPx}px` }}
      aria-label={side === "callers" ? "Servers that asked us" : "Servers that we asked"}
    >
      {column.nodes.map((node) => (
        <MapNodeBox key={peerKey(node.peer)} node={node} side={side} />
      ))}
      {column.nodes.length === 0 && <li class="map-nobody">nobody yet</li>}
    </ul>
  );
}

function Hidden({ map: { callers, callees } }: { readonly map: PeerMap }): JSX.Element | null {
  const peers = callers.hidden + callees.hidden;
  if (peers === 0) return null;
  return (
    <p class="results-end">
      {formatCount(peers, "quieter peer")} with{" "}
      {formatCount(callers.hiddenRequests + callees.hiddenRequests, "request")} left out: all are in the{" "}
      <a href="#/peers">table</a>.
    </p>
  );
}

/** The picture in words, for those who don't see it. */
function edgesText({ nodes }: MapColumn): string {
  const sentences = nodes.map(({ peer, side }) => {
    const verdict = verdictOf(peer);
    return `${visibleText(peer.name) || "no name"}, ${verdict}: ${formatCount(side.requests, "request")}`;
  });
  return sentences.length === 0 ? "nobody" : sentences.join("; ");
}
