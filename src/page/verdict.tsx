/** The whitelist's answer: yes or no, by which entry, why, and what happens then. */

import type { JSX } from "preact";
import { Icon } from "./icon.tsx";
import { Text } from "./text.tsx";

/** The answer of `/api/fedtrace/decide`. */
export interface Decision {
  readonly host: string;
  readonly direction: "in" | "out";
  readonly isWhitelisted: boolean;
  readonly entry: string | undefined;
  /** accept, trust, or empty. */
  readonly sampling: string;
  readonly formats: readonly string[];
  readonly reason: string;
}

interface VerdictProps {
  readonly decision: Decision;
  /** False while the answer to what is typed now is under way. */
  readonly isCurrent: boolean;
}

export function Verdict({ decision, isCurrent }: VerdictProps): JSX.Element {
  const { host, isWhitelisted, entry, reason } = decision;
  const tone = isWhitelisted ? "crossed" : "stopped";
  return (
    <div class={`verdict tone-${tone} ${isCurrent ? "" : "is-stale"}`} role="status" aria-live="polite">
      <Icon name={tone} />
      <h2>
        <Text value={host} max={200} /> {isWhitelisted ? "is whitelisted" : "is not whitelisted"}
      </h2>
      <dl class="attributes">
        <div class="attribute">
          <dt>entry</dt>
          <dd>{entry === undefined ? "none" : <Text value={entry} />}</dd>
        </div>
        <div class="attribute">
          <dt>why</dt>
          <dd>
            <Text value={reason} />
          </dd>
        </div>
      </dl>
      <h3>What happens</h3>
      <ul class="consequences">
        {consequences(decision).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </div>
  );
}

function consequences({ direction, isWhitelisted, sampling, formats }: Decision): readonly string[] {
  if (direction === "out") {
    return isWhitelisted
      ? [
          `Our context goes with the request, as ${formats.join(", ")}.`,
          "Baggage is removed, here as everywhere.",
        ]
      : ["No trace header leaves with the request.", "Trace headers in its answer are removed."];
  }
  if (!isWhitelisted) {
    return [
      "Whatever it sends about tracing is removed, unread.",
      "A new trace begins; its wish to be sampled does not count.",
      "The request itself passes untouched.",
    ];
  }
  return [
    `The first valid context becomes the parent, in this order: ${formats.join(", ")}.`,
    sampling === "trust"
      ? "Its “sampled” counts, up to the entry’s forced_per_second."
      : "Its “sampled” is no order: our sampler decides.",
    "Baggage is removed, here as everywhere.",
  ];
}
