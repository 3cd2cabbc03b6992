/** From a trace to the same one under another id, and back (peer-traces.ts). */

import type { JSX } from "preact";
import { fetchJson } from "./api.ts";
import { CopyId } from "./copy-id.tsx";
import { formatCount } from "./format.ts";
import { formatHash } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { attributeOf, parseTraces, type Span, type Trace } from "./jaeger-model.ts";
import { askOurTraces, isContinued, type OurTrace, peerTraceIdOf } from "./peer-traces.ts";
import { Text } from "./text.tsx";
import { useLive } from "./use-live.ts";

/** Of a client span: by which id its peer knows the trace, and what the peer did within it as far as it came by here. */
export function KnownAs({ span }: { readonly span: Span }): JSX.Element | null {
  const traceId = peerTraceIdOf(span);
  const found = useLive(
    `trace ${traceId ?? ""}`,
    traceId === undefined
      ? undefined
      : (signal) => fetchJson(`/api/traces?traceID=${traceId}`, spansIn, signal),
  );
  if (traceId === undefined) return null;
  return (
    <section class="detail-part known-as">
      <h3>
        Known to <PeerName name={String(attributeOf(span, "fedtrace.peer.name") ?? "")} /> as
      </h3>
      <p>
        <CopyId id={traceId} />
      </p>
      <p class="muted">
        {found.value === undefined || found.value === 0 ? (
          "It has not called back within that trace, or its spans are gone."
        ) : (
          <>
            It called back within that trace:{" "}
            <a href={formatHash({ view: "trace", traceId, spanId: "" })}>
              show {formatCount(found.value, "span")}
            </a>
            .
          </>
        )}
      </p>
    </section>
  );
}

/** By a search for the id, which answers that there is none; by its own path that would be an error, every few seconds. */
function spansIn(body: unknown): number {
  return parseTraces(body)[0]?.spans.length ?? 0;
}

/** Above a trace that goes on with what a peer sent: ours, where the peer was given this id for it. */
export function Continues({ trace }: { readonly trace: Trace }): JSX.Element | null {
  const found = useOurTraces(isContinued(trace) ? trace.traceId : undefined);
  const [first] = found;
  if (first === undefined) return null;
  return (
    <p class="story tone-crossed continues">
      <Icon name="link" />
      <span>
        <b>Continues</b> <OurTraceLink ours={first} />, which <PeerName name={first.peer} /> knows by this id.
      </span>
    </p>
  );
}

/** In the place of a trace that isn't here. @returns undefined where no peer knows a trace of ours by this id */
export function useOurTrace(traceId: string | undefined): OurTrace | undefined {
  return useOurTraces(traceId)[0];
}

function useOurTraces(traceId: string | undefined): readonly OurTrace[] {
  const found = useLive(
    `ours of ${traceId ?? ""}`,
    traceId === undefined ? undefined : (signal) => askOurTraces(traceId, signal),
  );
  return found.value ?? [];
}

export function OurTraceLink({ ours }: { readonly ours: OurTrace }): JSX.Element {
  return (
    <a
      class="long"
      href={formatHash({
        view: "trace",
        traceId: encodeURIComponent(ours.traceId),
        spanId: encodeURIComponent(ours.spanId),
      })}
    >
      <Text value={ours.traceId} />
    </a>
  );
}

export function PeerName({ name }: { readonly name: string }): JSX.Element {
  return <Text value={name} empty="a peer" max={120} />;
}
