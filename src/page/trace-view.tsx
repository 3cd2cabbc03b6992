/** One trace: what it was and what the border did, the waterfall, and the chosen span beside it. */

import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { fetchJson } from "./api.ts";
import { parseTraces, type Span, type Trace } from "./jaeger-model.ts";
import { Notice, Problem } from "./notice.tsx";
import { OurTraceLink, PeerName, useOurTrace } from "./peer-trace.tsx";
import type { OurTrace } from "./peer-traces.ts";
import { serviceColors } from "./service-colors.ts";
import { SpanDetail } from "./span-detail.tsx";
import { TraceHead } from "./trace-head.tsx";
import { createTree } from "./span-tree.ts";
import { useLive } from "./use-live.ts";
import { replaceRoute } from "./use-route.ts";
import { Waterfall } from "./waterfall.tsx";

interface TraceViewProps {
  readonly traceId: string;
  /** The chosen span's; empty: none. */
  readonly spanId: string;
}

export function TraceView({ traceId, spanId }: TraceViewProps): JSX.Element {
  const answer = useLive(traceId, (signal) =>
    fetchJson(`/api/traces/${encodeURIComponent(traceId)}`, (body) => parseTraces(body)[0], signal),
  );
  const trace = answer.value;
  const isUnknown = answer.status === 404 || answer.status === 200;
  const ours = useOurTrace(trace === undefined && isUnknown ? traceId : undefined);
  if (trace !== undefined) return <Shown trace={trace} spanId={spanId} problem={answer.problem} />;
  if (answer.problem === undefined && answer.key === undefined)
    return <p class="view waiting">Loading the trace …</p>;
  if (ours !== undefined) return <KnownElsewhere traceId={traceId} ours={ours} />;
  return (
    <section class="view">
      <Notice title={isUnknown ? "This trace is not here" : "The trace cannot be shown"}>
        <p>
          <code class="long">{traceId}</code>
        </p>
        <p>
          {isUnknown
            ? "It may not have been recorded, be on its way, or be gone: the store keeps the newest traces only."
            : `${answer.problem ?? ""}.`}{" "}
          This page looks again every few seconds.
        </p>
        <p>
          <a class="button" href="#/search">
            Show recent traces
          </a>
        </p>
      </Notice>
    </section>
  );
}

/** No span stands under this id, but a peer was given it for a trace that is here. */
function KnownElsewhere({
  traceId,
  ours,
}: {
  readonly traceId: string;
  readonly ours: OurTrace;
}): JSX.Element {
  return (
    <section class="view">
      <Notice title="This is a trace of ours under another id">
        <p>
          It is known to <PeerName name={ours.peer} /> as
        </p>
        <p>
          <code class="long">{traceId}</code>
        </p>
        <p>and here as</p>
        <p>
          <OurTraceLink ours={ours} />
        </p>
      </Notice>
    </section>
  );
}

interface ShownProps {
  readonly trace: Trace;
  readonly spanId: string;
  readonly problem: string | undefined;
}

function Shown({ trace, spanId, problem }: ShownProps): JSX.Element {
  const rows = useMemo(() => createTree(trace.spans), [trace]);
  const colors = useMemo(() => serviceColors(trace.spans.map(({ service }) => service)), [trace]);
  const chosen = spanId === "" ? undefined : trace.spans.find((span) => span.spanId === spanId);
  const choose = (span: Span | undefined): void =>
    replaceRoute({ view: "trace", traceId: trace.traceId, spanId: span?.spanId ?? "" });
  useCloseKey(chosen !== undefined, () => {
    choose(undefined);
    document.querySelector<HTMLElement>('[role="row"][tabindex="0"]')?.focus();
  });
  return (
    <section class="view trace-view">
      <Problem text={problem} />
      <TraceHead trace={trace} rows={rows} colors={colors} />
      <div class={chosen === undefined ? "trace-body" : "trace-body has-detail"}>
        <Waterfall trace={trace} rows={rows} colors={colors} chosen={chosen} onChoose={choose} />
        {chosen !== undefined && (
          <SpanDetail
            key={chosen.spanId}
            trace={trace}
            span={chosen}
            color={colors.get(chosen.service) ?? ""}
            onClose={() => choose(undefined)}
          />
        )}
      </div>
    </section>
  );
}

function useCloseKey(isOpen: boolean, onClose: () => void): void {
  useEffect(() => {
    if (!isOpen) return undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") onClose();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
}
