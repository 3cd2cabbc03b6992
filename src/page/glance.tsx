/** Why the border matters, in a sentence, and what it did so far, in numbers. */

import type { JSX } from "preact";
import { formatNumber } from "./format.ts";
import { type BorderTotals, type Peers, totalsOf } from "./peers-model.ts";

const NUMBERS: readonly {
  readonly key: keyof BorderTotals;
  readonly label: string;
  readonly href: string;
  readonly tone: string;
}[] = [
  { key: "taken", label: "contexts taken from whitelisted servers", href: "#/peers", tone: "crossed" },
  {
    key: "stopped",
    label: "stopped: not whitelisted or not proven",
    href: "#/search?tags=fedtrace.context%3Drestarted",
    tone: "stopped",
  },
  {
    key: "refused",
    label: "refused: malformed, though whitelisted",
    href: "#/search?tags=fedtrace.context%3Drefused",
    tone: "refused",
  },
  { key: "removed", label: "trace and baggage headers removed", href: "#/peers?sort=removed", tone: "plain" },
];

export function Glance({ peers }: { readonly peers: Peers | undefined }): JSX.Element {
  const totals = peers === undefined ? undefined : totalsOf(peers.peers);
  return (
    <section class="glance" aria-label="The border">
      <p class="intro">
        Servers that federate can pass trace headers to each other, and a stranger’s could mix into your
        traces, force your sampling or carry your data away.{" "}
        <strong>fedtrace stands at your server’s border:</strong> trace context crosses only to and from
        servers on your whitelist.
      </p>
      <ul class="numbers">
        {NUMBERS.map(({ key, label, href, tone }) => (
          <li key={key}>
            <a href={href} class={`number tone-${tone}`}>
              <span class="number-value">{totals === undefined ? "–" : formatNumber(totals[key])}</span>{" "}
              <span class="number-label">{label}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
