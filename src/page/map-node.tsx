/** A server in the picture, as a link to what it did. */

import type { JSX } from "preact";
import { formatNumber } from "./format.ts";
import { EMPTY_QUERY, formatHash } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { type MapNode, NODE_PX } from "./map-layout.ts";
import { verdictOf } from "./peers-model.ts";
import { formatTag } from "./tag-query.ts";
import { Text } from "./text.tsx";

interface MapNodeProps {
  readonly node: MapNode;
  readonly side: "callers" | "callees";
}

export function MapNodeBox({ node, side }: MapNodeProps): JSX.Element {
  const { peer, side: counts } = node;
  const direction = side === "callers" ? "inbound" : "outbound";
  const name = peer.name === "" ? "" : `${formatTag("fedtrace.peer.name", peer.name)} `;
  const href = formatHash({
    view: "search",
    query: { ...EMPTY_QUERY, tags: `${name}${formatTag("fedtrace.direction", direction)}` },
  });
  return (
    <li style={{ top: `${node.y - NODE_PX / 2}px`, height: `${NODE_PX}px` }}>
      <a class={peer.isWhitelisted ? "map-node" : "map-node is-stranger"} href={href} title={peer.reason}>
        <span class="map-name">
          <Icon name={peer.isWhitelisted ? "crossed" : "stopped"} />
          <Text value={peer.name} empty="(no name)" />
          <span class="hidden">{`, ${verdictOf(peer)}`}</span>
        </span>
        <span class="map-counts">
          <span>
            {formatNumber(counts.requests)}
            <span class="map-unit">{counts.requests === 1 ? " request" : " requests"}</span>
          </span>
          {counts.failed > 0 && <span class="tone-error">{formatNumber(counts.failed)} failed</span>}
          {side === "callers" && counts.restarted > 0 && (
            <span class="tone-stopped">{formatNumber(counts.restarted)} stopped</span>
          )}
          {side === "callers" && counts.refused > 0 && (
            <span class="tone-refused">{formatNumber(counts.refused)} malformed</span>
          )}
        </span>
      </a>
    </li>
  );
}
