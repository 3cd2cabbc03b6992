/** How many active servers have what: versions and contexts, as bars, the most common first. */

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { formatAmount, formatWhole } from "./amount.ts";
import { KindBadge } from "./kind-badge.tsx";
import { LongText } from "./long-text.tsx";
import type { ContextCount, VersionCount } from "./summary.ts";

/** Shown at first; the rest on demand. */
const BARS_SHOWN = 10;

interface Bar {
  readonly key: string;
  readonly label: JSX.Element;
  readonly tone: string;
  readonly count: number;
}

export function VersionBars({ versions }: { readonly versions: readonly VersionCount[] }): JSX.Element {
  const bars = versions.map(({ kind, version, servers }) => ({
    key: `${kind} ${version}`,
    label: (
      <>
        <KindBadge kind={kind} /> <LongText value={version} empty="(no version)" />
      </>
    ),
    tone: kind === "fedtrace" ? "fedtrace" : "synapse",
    count: servers,
  }));
  return (
    <Bars title="Versions" bars={bars}>
      No server reported in the last 24 hours.
    </Bars>
  );
}

export function ContextBars({ contexts }: { readonly contexts: readonly ContextCount[] }): JSX.Element {
  const bars = contexts.map(({ context, servers }) => ({
    key: context,
    label: <LongText value={context} />,
    tone: "first",
    count: servers,
  }));
  return (
    <Bars title="Contexts" bars={bars}>
      No active server has a <code>server_context</code>: a text in its config that tells whose it is.
    </Bars>
  );
}

interface BarsProps {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Said in place of no bars. */
  readonly children: ComponentChildren;
}

function Bars({ title, bars, children }: BarsProps): JSX.Element {
  const [isWhole, setIsWhole] = useState(false);
  const most = bars.reduce((greatest, { count }) => Math.max(greatest, count), 1);
  const shown = isWhole ? bars : bars.slice(0, BARS_SHOWN);
  return (
    <section class="panel">
      <h2>{title}</h2>
      {bars.length === 0 && <p class="muted">{children}</p>}
      <ul class="bars">
        {shown.map(({ key, label, tone, count }) => (
          <li key={key} class={`bar line-${tone}`}>
            <span class="bar-label">{label}</span>
            <span class="bar-track" aria-hidden="true">
              <span style={{ width: `${(100 * Math.max(0, count)) / most}%` }} />
            </span>
            <span class="bar-count" title={formatWhole(count)}>
              {formatAmount(count)}
              <span class="hidden">{count === 1 ? " server" : " servers"}</span>
            </span>
          </li>
        ))}
      </ul>
      {bars.length > BARS_SHOWN && (
        <button
          type="button"
          class="quiet-button"
          aria-expanded={isWhole}
          onClick={() => setIsWhole(!isWhole)}
        >
          {isWhole ? "Show fewer" : `Show ${bars.length - BARS_SHOWN} more`}
        </button>
      )}
    </section>
  );
}
