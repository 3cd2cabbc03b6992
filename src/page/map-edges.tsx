/**
 * Curves between a column of servers and our own. The drawing is stretched to the room there is; strokes keep their
 * width (vector-effect), so an edge is as wide on a phone as on a wall.
 */

import type { JSX } from "preact";
import type { MapNode } from "./map-layout.ts";
import { peerKey } from "./peers-model.ts";

interface MapEdgesProps {
  readonly nodes: readonly MapNode[];
  readonly side: "callers" | "callees";
  readonly heightPx: number;
  /** The text alternative. */
  readonly label: string;
}

export function MapEdges({ nodes, side, heightPx, label }: MapEdgesProps): JSX.Element {
  const isIn = side === "callers";
  return (
    <svg
      class="map-edges"
      viewBox={`0 0 100 ${heightPx}`}
      height={heightPx}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${isIn ? "Who asked us" : "Whom we asked"}: ${label}`}
    >
      {nodes.map(({ peer, y, ownY, width }) => {
        const [from, to] = isIn ? [y, ownY] : [ownY, y];
        return (
          <path
            key={peerKey(peer)}
            class={peer.isWhitelisted ? "edge" : "edge is-stranger"}
            d={`M0 ${from}C50 ${from} 50 ${to} 100 ${to}`}
            stroke-width={width}
            vector-effect="non-scaling-stroke"
          />
        );
      })}
    </svg>
  );
}
