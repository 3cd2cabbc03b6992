/** Every server that was met, as a table: may its context cross, what came, and why not. */

import type { JSX } from "preact";
import { formatHash, type SortKey } from "./hash-route.ts";
import { Notice, Problem } from "./notice.tsx";
import { PeerRow } from "./peer-row.tsx";
import { peerKey, type Peers, sortPeers } from "./peers-model.ts";
import type { Live } from "./use-live.ts";

interface PeersViewProps {
  readonly peers: Live<Peers>;
  readonly sort: SortKey;
  readonly isDescending: boolean;
}

const COLUMNS: readonly { readonly key: SortKey; readonly label: string; readonly isText?: boolean }[] = [
  { key: "name", label: "Server", isText: true },
  { key: "verdict", label: "Whitelist", isText: true },
  { key: "inbound", label: "Asked us" },
  { key: "outbound", label: "We asked" },
  { key: "contexts", label: "Contexts sent to us", isText: true },
  { key: "removed", label: "Headers removed" },
  { key: "contact", label: "Last contact", isText: true },
];

export function PeersView({ peers, sort, isDescending }: PeersViewProps): JSX.Element {
  const list = peers.value?.peers;
  const forgotten = peers.value?.forgotten ?? 0;
  return (
    <section class="view">
      <h1>Peers</h1>
      <p class="lead">
        Servers that asked this one, or were asked by it. Trace context of a whitelisted one is taken, when
        its name is proven as <code>authenticate</code> demands; everybody else’s is removed.
      </p>
      <Problem text={peers.problem} />
      {list === undefined && peers.problem !== undefined && <Notice title="The peers cannot be shown" />}
      {list?.length === 0 && <NoPeers />}
      {list !== undefined && list.length > 0 && (
        <table class="peers">
          <caption class="hidden">Peers; the headings sort</caption>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <Heading key={column.key} column={column} sort={sort} isDescending={isDescending} />
              ))}
            </tr>
          </thead>
          <tbody>
            {sortPeers(list, sort, isDescending).map((peer) => (
              <PeerRow key={peerKey(peer)} peer={peer} />
            ))}
          </tbody>
        </table>
      )}
      {forgotten > 0 && (
        <p class="results-end">{forgotten} more were met and are no longer kept: the list is bounded.</p>
      )}
    </section>
  );
}

interface HeadingProps {
  readonly column: (typeof COLUMNS)[number];
  readonly sort: SortKey;
  readonly isDescending: boolean;
}

/** A second click turns the order; texts begin with A, numbers and times with the greatest. */
function Heading({ column, sort, isDescending }: HeadingProps): JSX.Element {
  const isSorted = column.key === sort;
  const next = isSorted ? !isDescending : column.key !== "name";
  return (
    <th
      scope="col"
      class={column.isText === true ? "" : "is-number"}
      aria-sort={isSorted ? (isDescending ? "descending" : "ascending") : undefined}
    >
      <a href={formatHash({ view: "peers", sort: column.key, isDescending: next })}>
        {column.label}
        <span class="sort-sign" aria-hidden="true">
          {isSorted ? (isDescending ? "↓" : "↑") : ""}
        </span>
      </a>
    </th>
  );
}

export function NoPeers(): JSX.Element {
  return (
    <Notice title="Nobody was met yet">
      <p>
        Point your peers at <code>inbound</code>, or your server’s proxy setting at <code>outbound</code>: who
        comes or is asked appears here.
      </p>
      <p>
        <a class="button" href="#/whitelist">
          Try a name against the whitelist
        </a>
      </p>
    </Notice>
  );
}
