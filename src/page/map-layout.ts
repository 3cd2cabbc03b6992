/**
 * The picture of peers: who asks us, our server, whom we ask. Names are boxes of equal height; edges are curves as
 * wide as their requests. Positions are numbers, so that the picture can be checked without a browser.
 */

import type { Peer, PeerSide } from "./peers-model.ts";

export interface MapNode {
  readonly peer: Peer;
  readonly side: PeerSide;
  /** Of the box's middle, in pixels from the top. */
  readonly y: number;
  /** Of the edge, in pixels. */
  readonly width: number;
  /** Where the edge ends at the own server, in pixels from the top. */
  readonly ownY: number;
}

export interface MapColumn {
  /** Most requests first. */
  readonly nodes: readonly MapNode[];
  /** Peers that have no box, and their requests. */
  readonly hidden: number;
  readonly hiddenRequests: number;
}

export interface PeerMap {
  readonly callers: MapColumn;
  readonly callees: MapColumn;
  readonly heightPx: number;
}

/** Height of a box with its gap. */
export const NODE_PX = 64;
/** More would be a wall, and are in the table. */
const NODES_MAX = 12;
const EDGE_MIN_PX = 1.5;
const EDGE_MAX_PX = 22;
/** Edges meet the own server this close together, but never wider than its box. */
const OWN_SPREAD_PX = 96;

export function layoutMap(peers: readonly Peer[]): PeerMap {
  const most = peers.reduce(
    (max, { inbound, outbound }) => Math.max(max, inbound.requests, outbound.requests),
    1,
  );
  const rows = Math.max(
    2,
    ...(["inbound", "outbound"] as const).map((side) =>
      Math.min(NODES_MAX, peers.filter((peer) => peer[side].requests > 0).length),
    ),
  );
  const heightPx = rows * NODE_PX;
  return {
    callers: layoutColumn(peers, "inbound", most, heightPx),
    callees: layoutColumn(peers, "outbound", most, heightPx),
    heightPx,
  };
}

function layoutColumn(
  peers: readonly Peer[],
  key: "inbound" | "outbound",
  most: number,
  heightPx: number,
): MapColumn {
  const active = peers
    .filter((peer) => peer[key].requests > 0)
    .sort((left, right) => right[key].requests - left[key].requests || (left.name < right.name ? -1 : 1));
  const shown = active.slice(0, NODES_MAX);
  const topPx = (heightPx - shown.length * NODE_PX) / 2;
  const spreadPx = shown.length > 1 ? Math.min(OWN_SPREAD_PX, shown.length * EDGE_MAX_PX) : 0;
  const nodes = shown.map((peer, index): MapNode => {
    const share = shown.length > 1 ? index / (shown.length - 1) - 0.5 : 0;
    return {
      peer,
      side: peer[key],
      y: topPx + (index + 0.5) * NODE_PX,
      width: Math.max(EDGE_MIN_PX, (peer[key].requests / most) * EDGE_MAX_PX),
      ownY: heightPx / 2 + share * spreadPx,
    };
  });
  const hidden = active.slice(NODES_MAX);
  return {
    nodes,
    hidden: hidden.length,
    hiddenRequests: hidden.reduce((total, peer) => total + peer[key].requests, 0),
  };
}
