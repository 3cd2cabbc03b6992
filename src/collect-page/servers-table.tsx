/** The servers that reported last, as a table that can be sorted and filtered; on a phone each is a card. */

import type { ComponentChildren, JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { FieldInput, FieldSelect } from "../page/field.tsx";
import { formatAge, formatDate, formatNumber } from "../page/format.ts";
import { formatAmount, formatMemory, formatPercent, formatWhole } from "./amount.ts";
import { KindBadge } from "./kind-badge.tsx";
import { LongText } from "./long-text.tsx";
import { filterServers, type ServerSort, sortServers } from "./servers-model.ts";
import type { Server } from "./summary.ts";

interface Column {
  readonly key: ServerSort;
  readonly label: string;
  readonly isNumber?: boolean;
  readonly title?: string;
}

const COLUMNS: readonly Column[] = [
  { key: "instance", label: "Server" },
  { key: "kind", label: "Kind" },
  { key: "version", label: "Version" },
  { key: "runtime", label: "Runtime" },
  { key: "context", label: "Context" },
  { key: "last", label: "Last seen" },
  { key: "reports", label: "Reports", isNumber: true },
  { key: "messages", label: "Messages", isNumber: true, title: "A day, by its last report" },
  { key: "memoryKib", label: "Memory", isNumber: true, title: "The most that its process held" },
  { key: "cpuPercent", label: "CPU", isNumber: true, title: "Of one core, since the report before" },
];

const KINDS = [
  { value: "", label: "All" },
  { value: "synapse", label: "Synapse" },
  { value: "fedtrace", label: "fedtrace" },
] as const;

interface ServersTableProps {
  readonly servers: readonly Server[];
  /** Known and not in the list. */
  readonly more: number;
  /** Of the collector: a reader's clock may be wrong. */
  readonly nowSeconds: number;
}

interface Order {
  readonly key: ServerSort;
  readonly isDescending: boolean;
}

export function ServersTable({ servers, more, nowSeconds }: ServersTableProps): JSX.Element {
  const [order, setOrder] = useState<Order>({ key: "last", isDescending: true });
  const [words, setWords] = useState("");
  const [kind, setKind] = useState("");
  const shown = useMemo(
    () => sortServers(filterServers(servers, words, kind), order.key, order.isDescending),
    [servers, words, kind, order],
  );
  return (
    <section class="servers-part">
      <div class="servers-head">
        <div>
          <h2>Servers</h2>
          <p class="muted" role="status">
            {shown.length === servers.length
              ? `${formatNumber(servers.length)} that reported last`
              : `${formatNumber(shown.length)} of the ${formatNumber(servers.length)} that reported last`}
            {more > 0 && `; ${formatAmount(more)} more are in the exports`}
          </p>
        </div>
        <FieldInput
          class="servers-filter"
          label="Filter"
          placeholder="name, version, context"
          value={words}
          onType={setWords}
        />
        <FieldSelect label="Kind" value={kind} options={KINDS} onChoose={setKind} />
      </div>
      <table class="servers">
        <caption class="hidden">Servers; the headings sort</caption>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <Heading key={column.key} column={column} order={order} onOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((server) => (
            <Row key={`${server.kind} ${server.instance}`} server={server} nowSeconds={nowSeconds} />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="waiting">No server matches.</p>}
    </section>
  );
}

interface HeadingProps {
  readonly column: Column;
  readonly order: Order;
  readonly onOrder: (order: Order) => void;
}

/** A second press turns the order; texts begin with A, numbers and times with the greatest. */
function Heading({ column, order, onOrder }: HeadingProps): JSX.Element {
  const isSorted = column.key === order.key;
  const isNumber = column.isNumber === true;
  const isDescending = isSorted ? !order.isDescending : isNumber || column.key === "last";
  return (
    <th
      scope="col"
      class={isNumber ? "is-number" : ""}
      aria-sort={isSorted ? (order.isDescending ? "descending" : "ascending") : undefined}
    >
      <button type="button" title={column.title} onClick={() => onOrder({ key: column.key, isDescending })}>
        {column.label}
        <span class="sort-sign" aria-hidden="true">
          {isSorted ? (order.isDescending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}

function Row({ server, nowSeconds }: { readonly server: Server; readonly nowSeconds: number }): JSX.Element {
  const lastMs = server.last * 1000;
  return (
    <tr class="server-row">
      <th scope="row" class="server-name">
        <LongText value={server.instance} empty="(no name was given)" />
      </th>
      <Cell label="Kind">
        <KindBadge kind={server.kind} />
      </Cell>
      <Cell label="Version">
        <LongText value={server.version} empty="–" />
      </Cell>
      <Cell label="Runtime">
        <LongText value={server.runtime} empty="–" />
      </Cell>
      <Cell label="Context">
        {server.context === null ? <span class="muted">–</span> : <LongText value={server.context} />}
      </Cell>
      <Cell label="Last seen">
        <time title={formatDate(lastMs)}>{formatAge(lastMs, nowSeconds * 1000)}</time>
      </Cell>
      <Cell label="Reports" title={formatWhole(server.reports)} isNumber>
        {formatAmount(server.reports)}
      </Cell>
      <Cell label="Messages" title={formatWhole(server.messages)} isNumber>
        {formatAmount(server.messages)}
      </Cell>
      <Cell label="Memory" title={formatMemory(server.memoryKib)} isNumber>
        {formatMemory(server.memoryKib)}
      </Cell>
      <Cell label="CPU" title={formatPercent(server.cpuPercent)} isNumber>
        {formatPercent(server.cpuPercent)}
      </Cell>
    </tr>
  );
}

interface CellProps {
  readonly label: string;
  readonly isNumber?: boolean;
  readonly title?: string | undefined;
  readonly children: ComponentChildren;
}

function Cell({ label, isNumber, title, children }: CellProps): JSX.Element {
  return (
    <td data-label={label} class={isNumber === true ? "is-number" : ""} title={title}>
      {children}
    </td>
  );
}
