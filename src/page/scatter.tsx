/**
 * Durations over time, a dot for each trace. The shape says who asked, a cross says that something failed, so
 * neither needs colour. One tab stop; arrow keys go through time, Enter opens.
 *
 * Positions are percentages of the drawing, so that it fits any width without being measured.
 */

import type { JSX } from "preact";
import { useContext, useMemo, useRef, useState } from "preact/hooks";
import { formatAge, formatClock, formatCount, formatDuration } from "./format.ts";
import { PageContext } from "./page-context.ts";
import { type Dot, layoutScatter } from "./scatter-layout.ts";
import { Text } from "./text.tsx";
import { shortService, type TraceSummary } from "./trace-summary.ts";
import { visibleText } from "./visible-text.ts";

interface ScatterProps {
  readonly summaries: readonly TraceSummary[];
  readonly hovered: string | undefined;
  readonly onHover: (traceId: string | undefined) => void;
}

const HEIGHT_PX = 168;
/** Inside the drawing, so that dots at the edges are whole. */
const PAD_PX = 14;
/** Of a name that is read out. */
const NAME_MAX = 120;

export function Scatter({ summaries, hovered, onHover }: ScatterProps): JSX.Element {
  const scatter = useMemo(() => layoutScatter(summaries), [summaries]);
  const [stop, setStop] = useState<string | undefined>(undefined);
  const dotsRef = useRef<SVGSVGElement>(null);
  const { dots, durations } = scatter;
  const at = Math.max(
    0,
    dots.findIndex(({ summary }) => summary.traceId === stop),
  );
  const shown = dots.find(({ summary }) => summary.traceId === hovered)?.summary;

  const onKey = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -dots.length, End: dots.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(dots.length - 1, at + step));
    dotsRef.current?.querySelectorAll("a")[next]?.focus();
  };

  return (
    <figure class="scatter">
      <figcaption class="scatter-caption">
        {shown === undefined ? (
          <span>{formatCount(dots.length, "trace")}: how long each took, over time</span>
        ) : (
          <ScatterReadout summary={shown} />
        )}
      </figcaption>
      <div class="scatter-plot">
        <div class="scatter-axis" aria-hidden="true">
          {durations.map(({ value, at: share }) => (
            <span key={value} style={{ top: `${yOf(1 - share)}px` }}>
              {formatDuration(value)}
            </span>
          ))}
        </div>
        <svg class="scatter-grid" aria-hidden="true" focusable="false" height={HEIGHT_PX} width="100%">
          {durations.map(({ value, at: share }) => (
            <line key={value} x1="0" x2="100%" y1={yOf(1 - share)} y2={yOf(1 - share)} />
          ))}
        </svg>
        <svg
          ref={dotsRef}
          class="scatter-dots"
          height={HEIGHT_PX}
          width="100%"
          role="group"
          aria-label={`${formatCount(dots.length, "trace")} by time and duration; arrow keys go through them`}
          onKeyDown={onKey}
          onMouseLeave={() => onHover(undefined)}
        >
          {dots.map((dot, index) => (
            <DotMark
              key={dot.summary.traceId}
              dot={dot}
              isStop={index === at}
              isHovered={dot.summary.traceId === hovered}
              onFocus={() => {
                setStop(dot.summary.traceId);
                onHover(dot.summary.traceId);
              }}
              onHover={onHover}
            />
          ))}
        </svg>
      </div>
      <div class="scatter-foot">
        <span>{formatClock(scatter.fromUs / 1000).slice(0, 8)}</span>
        <Legend />
        <span>{formatClock(scatter.toUs / 1000).slice(0, 8)}</span>
      </div>
    </figure>
  );
}

function yOf(share: number): number {
  return PAD_PX + share * (HEIGHT_PX - 2 * PAD_PX);
}

interface DotMarkProps {
  readonly dot: Dot;
  readonly isStop: boolean;
  readonly isHovered: boolean;
  readonly onFocus: () => void;
  readonly onHover: (traceId: string | undefined) => void;
}

function DotMark({ dot, isStop, isHovered, onFocus, onHover }: DotMarkProps): JSX.Element {
  const { summary, shape, isError } = dot;
  const words = [
    `${visibleText(shortService(summary.rootService), NAME_MAX)}: ${visibleText(summary.rootName, NAME_MAX)}`,
    formatDuration(summary.durationUs),
    ...(isError ? [formatCount(summary.errors, "error")] : []),
    ...(shape === "square" ? ["stopped at the border"] : shape === "triangle" ? ["malformed context"] : []),
  ];
  return (
    <svg x={`${1.5 + dot.x * 97}%`} y={yOf(dot.y)} overflow="visible">
      <a
        class={`dot ${isHovered ? "is-hovered" : ""}`}
        href={`#/trace/${encodeURIComponent(summary.traceId)}`}
        aria-label={words.join(", ")}
        tabIndex={isStop ? 0 : -1}
        onFocus={onFocus}
        onMouseEnter={() => onHover(summary.traceId)}
      >
        <circle class="dot-target" r="12" />
        <DotShape shape={shape} isError={isError} />
      </a>
    </svg>
  );
}

function DotShape({ shape, isError }: Pick<Dot, "shape" | "isError">): JSX.Element {
  return (
    <g class={`dot-${shape} ${isError ? "is-error" : ""}`}>
      {shape === "circle" && <circle class="dot-shape" r="5.5" />}
      {shape === "square" && <rect class="dot-shape" x="-5.5" y="-5.5" width="11" height="11" rx="1" />}
      {shape === "triangle" && <path class="dot-shape" d="M0-6.500 6.500 5.500H-6.500z" />}
      {isError && <path class="dot-cross" d="M-2.600-2.600 2.600 2.600M2.600-2.600-2.600 2.600" />}
    </g>
  );
}

function Legend(): JSX.Element {
  const entries = [
    { shape: "circle", isError: false, word: "usual" },
    { shape: "square", isError: false, word: "stopped" },
    { shape: "triangle", isError: false, word: "malformed" },
    { shape: "circle", isError: true, word: "with errors" },
  ] as const;
  return (
    <ul class="legend" aria-label="Shapes">
      {entries.map(({ shape, isError, word }) => (
        <li key={word}>
          <svg viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true" focusable="false">
            <DotShape shape={shape} isError={isError} />
          </svg>
          {word}
        </li>
      ))}
    </ul>
  );
}

function ScatterReadout({ summary }: { readonly summary: TraceSummary }): JSX.Element {
  const { clock } = useContext(PageContext);
  return (
    <span>
      <b>
        <Text value={summary.rootName} />
      </b>{" "}
      {formatDuration(summary.durationUs)}, {formatAge(summary.startUs / 1000, clock.unixMs())}
    </span>
  );
}
