/** One peer in the table. On a phone each cell shows its column's name. */

import type { JSX } from "preact";
import { useContext } from "preact/hooks";
import { formatAge, formatCount, formatDate, formatNumber } from "./format.ts";
import { formatHash } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { PageContext } from "./page-context.ts";
import { type Peer, type PeerSide, removedOf, verdictOf } from "./peers-model.ts";
import { Text } from "./text.tsx";

const PROOF_WORDS: Readonly<Record<string, string>> = {
  signature: "proven by signature",
  mtls: "proven by certificate",
  network: "known by network",
  claimed: "name only claimed",
  none: "no proof of its name",
};

export function PeerRow({ peer }: { readonly peer: Peer }): JSX.Element {
  const { name, inbound, outbound } = peer;
  return (
    <tr class={peer.isWhitelisted ? "peer" : "peer is-stranger"}>
      <th scope="row" class="peer-name">
        <Text value={name} empty="(no name was given)" />
        {name !== "" && (
          <a
            class="attribute-search"
            href={formatHash({
              view: "whitelist",
              host: name,
              direction: inbound.requests > 0 ? "in" : "out",
            })}
            title="Ask the whitelist about it"
            aria-label="Ask the whitelist about it"
          >
            <Icon name="search" />
          </a>
        )}
      </th>
      <td data-label="Whitelist">
        <span class={`badge tone-${peer.isWhitelisted ? "crossed" : "stopped"}`} title={peer.reason}>
          <Icon name={peer.isWhitelisted ? "crossed" : "stopped"} />
          {verdictOf(peer)}
        </span>
        {inbound.requests > 0 && <span class="peer-note">{PROOF_WORDS[peer.proof] ?? peer.proof}</span>}
        {!peer.isWhitelisted && <span class="peer-note">{peer.reason}</span>}
      </td>
      <RequestsCell label="Asked us" side={inbound} />
      <RequestsCell label="We asked" side={outbound} />
      <td data-label="Contexts sent to us">
        <Contexts peer={peer} />
      </td>
      <td data-label="Headers removed" class="is-number">
        {formatNumber(removedOf(peer))}
      </td>
      <td data-label="Last contact" class="peer-contact">
        <Contact word="in" side={inbound} />
        <Contact word="out" side={outbound} />
      </td>
    </tr>
  );
}

function RequestsCell({ label, side }: { readonly label: string; readonly side: PeerSide }): JSX.Element {
  return (
    <td data-label={label} class="is-number">
      {side.requests === 0 ? <span class="muted">–</span> : formatNumber(side.requests)}
      {side.failed > 0 && <span class="peer-note tone-error">{formatNumber(side.failed)} failed</span>}
    </td>
  );
}

function Contexts({ peer: { inbound, refusals } }: { readonly peer: Peer }): JSX.Element {
  const { extracted, restarted, refused } = inbound;
  if (extracted + restarted + refused === 0) return <span class="muted">none</span>;
  return (
    <ul class="contexts">
      {extracted > 0 && (
        <li class="tone-crossed">
          <Icon name="crossed" />
          {formatNumber(extracted)} taken
        </li>
      )}
      {restarted > 0 && (
        <li class="tone-stopped" title="Not whitelisted or not proven: a new trace was begun">
          <Icon name="stopped" />
          {formatNumber(restarted)} stopped
        </li>
      )}
      {refused > 0 && (
        <li class="tone-refused">
          <Icon name="refused" />
          {formatNumber(refused)} malformed
        </li>
      )}
      {refusals.map(({ why, count }) => (
        <li key={why} class="peer-note">
          {formatCount(count, "time", "times")}: <Text value={why} />
        </li>
      ))}
    </ul>
  );
}

function Contact({ word, side }: { readonly word: string; readonly side: PeerSide }): JSX.Element | null {
  const { clock } = useContext(PageContext);
  if (side.lastContactMs === undefined) return null;
  return (
    <time title={formatDate(side.lastContactMs)}>
      <span class="muted">{word}</span> {formatAge(side.lastContactMs, clock.unixMs())}
    </time>
  );
}
