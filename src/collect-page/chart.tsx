/**
 * One chart over time, drawn by uPlot on a canvas; its heading tells the values of the day that is looked at, by mouse or by
 * arrow keys, and of the last known day otherwise. Colours are the stylesheet's, read where the legend has them.
 */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { formatAmount, formatTick, formatWhole } from "./amount.ts";
import {
  type ChartPlan,
  drawnValues,
  lastKnownDay,
  loneValues,
  type ValueAxis,
  valueAxis,
} from "./chart-data.ts";
import { type DayTick, dayTicks, formatWholeDay } from "./day-axis.ts";
import type { Amount, Day } from "./summary.ts";

interface ChartProps {
  readonly plan: ChartPlan;
  readonly days: readonly Day[];
  /** Index of the day that is looked at. */
  readonly looked: number | undefined;
  readonly onLook: (day: number | undefined) => void;
}

const HEIGHT_PX = 200;
/** Of a day's label, with room around it. */
const LABEL_PX = 60;
/** Of the vertical axis: `1.25 M` beside the ticks. */
const VALUES_PX = 54;
const FONT = "11px system-ui, sans-serif";
const WEEK = 7;

export function Chart({ plan, days, looked, onLook }: ChartProps): JSX.Element {
  const values = useMemo(() => drawnValues(plan, days), [plan, days]);
  const last = lastKnownDay(values);
  const box = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLUListElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);

  useLayoutEffect(() => {
    if (box.current === null || legend.current === null || last === undefined) return undefined;
    const drawn = draw(box.current, legend.current, { plan, days, values }, onLook);
    plot.current = drawn.plot;
    return () => {
      plot.current = undefined;
      drawn.stop();
    };
  }, [plan, days, values]);
  useLayoutEffect(() => {
    const left = looked === undefined ? -10 : (plot.current?.valToPos(looked, "x") ?? -10);
    plot.current?.setCursor({ left, top: left < 0 ? -10 : 0 }, false);
  }, [looked, values]);

  const shown = looked ?? last;
  const day = shown === undefined ? undefined : days[shown];
  const readings = plan.lines.map(({ label, tone, valueOf }) => ({
    label,
    tone,
    value: day === undefined ? null : valueOf(day),
  }));
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <h2>{plan.title}</h2>
        <span class="muted">{day === undefined ? "" : formatWholeDay(day.day)}</span>
      </figcaption>
      <ul class="chart-legend" ref={legend}>
        {readings.map(({ label, tone, value }) => (
          <li key={label} class={`line-${tone}`}>
            <span class="chart-swatch" aria-hidden="true" />
            <span class="muted">{label}</span> <b title={formatWhole(value)}>{formatAmount(value)}</b>
          </li>
        ))}
      </ul>
      {last === undefined ? (
        <p class="chart-empty">No report in these days.</p>
      ) : (
        <div
          class="chart-plot"
          ref={box}
          role="slider"
          tabIndex={0}
          aria-label={`${plan.title}: day`}
          aria-valuemin={0}
          aria-valuemax={days.length - 1}
          aria-valuenow={shown}
          aria-valuetext={`${formatWholeDay(day?.day ?? "")}: ${readings.map(spoken).join(", ")}`}
          onKeyDown={(event) => {
            const next = dayAfterKey(event.key, shown ?? 0, days.length);
            if (next === undefined && event.key !== "Escape") return;
            event.preventDefault();
            onLook(next);
          }}
          onBlur={() => onLook(undefined)}
        />
      )}
    </figure>
  );
}

function spoken({ label, value }: { readonly label: string; readonly value: Amount }): string {
  return `${label} ${value === null ? "not known" : formatAmount(value)}`;
}

/** @returns undefined: the key moves nothing */
function dayAfterKey(key: string, day: number, count: number): number | undefined {
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: day - 1,
    ArrowDown: day - 1,
    ArrowRight: day + 1,
    ArrowUp: day + 1,
    PageUp: day + WEEK,
    PageDown: day - WEEK,
    Home: 0,
    End: count - 1,
  };
  const next = moves[key];
  return next === undefined ? undefined : Math.min(count - 1, Math.max(0, next));
}

interface Drawing {
  readonly plan: ChartPlan;
  readonly days: readonly Day[];
  readonly values: readonly (readonly Amount[])[];
}

/** Draws, and draws anew when the width or the colour scheme changes, until it is stopped. */
function draw(
  box: HTMLElement,
  legend: HTMLElement,
  drawing: Drawing,
  onLook: (day: number | undefined) => void,
): { readonly plot: uPlot; readonly stop: () => void } {
  const { days, values } = drawing;
  const data = [days.map((_, index) => index), ...values.map((line) => [...line])] as uPlot.AlignedData;
  const plot = new uPlot(optionsOf(box, legend, drawing, onLook), data, box);
  const resized = new ResizeObserver(() => {
    if (box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: HEIGHT_PX });
  });
  resized.observe(box);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = (): void => plot.redraw();
  scheme.addEventListener("change", redraw);
  return {
    plot,
    stop() {
      scheme.removeEventListener("change", redraw);
      resized.disconnect();
      plot.destroy();
    },
  };
}

function optionsOf(
  box: HTMLElement,
  legend: HTMLElement,
  { plan, days, values }: Drawing,
  onLook: (day: number | undefined) => void,
): uPlot.Options {
  const axis: ValueAxis = valueAxis(values);
  const names = days.map(({ day }) => day);
  const ticksFor = (plot: uPlot): readonly DayTick[] =>
    dayTicks(names, Math.max(2, Math.floor((plot.width - VALUES_PX) / LABEL_PX)));
  const rootColor = (name: string) => () => getComputedStyle(box).getPropertyValue(name);
  const lines = { stroke: rootColor("--line-soft"), width: 1 };
  return {
    width: box.clientWidth,
    height: HEIGHT_PX,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
    scales: {
      x: { time: false, range: () => [-0.5, days.length - 0.5] },
      y: { range: () => [axis.min, axis.max] },
    },
    axes: [
      {
        splits: (plot) => ticksFor(plot).map(({ at }) => at),
        values: (plot) => ticksFor(plot).map(({ label }) => label),
        stroke: rootColor("--muted"),
        font: FONT,
        size: 26,
        gap: 4,
        grid: { show: false },
        ticks: { ...lines, size: 4 },
      },
      {
        splits: () => [...axis.ticks],
        values: () => axis.ticks.map(formatTick),
        label: plan.unit,
        labelFont: FONT,
        labelSize: 16,
        labelGap: 0,
        stroke: rootColor("--muted"),
        font: FONT,
        size: VALUES_PX,
        gap: 6,
        grid: lines,
        ticks: { show: false },
      },
    ],
    series: [
      {},
      ...plan.lines.map((line, index) => seriesOf(plan.shape, () => swatchAt(legend, index), line.label)),
    ],
    hooks: { setCursor: [(plot) => onLook(plot.cursor.idx ?? undefined)] },
  };
}

function swatchAt(legend: HTMLElement, index: number): CSSStyleDeclaration {
  return getComputedStyle(legend.querySelectorAll(".chart-swatch")[index] ?? legend);
}

function seriesOf(shape: ChartPlan["shape"], swatch: () => CSSStyleDeclaration, label: string): uPlot.Series {
  const stroke = (): string => swatch().borderTopColor;
  const fill = (): string => swatch().backgroundColor;
  if (shape === "lines") {
    // uPlot shows points where there are few days; where it shows none, those that no line leads to.
    const filter: uPlot.Series.Points.Filter = (plot, series, isShown) =>
      isShown ? null : loneValues([...(plot.data[series] ?? [])]);
    return { label, stroke, fill, width: 1.8, points: { size: 5, fill: stroke, filter } };
  }
  const paths = uPlot.paths.bars?.({ size: [0.7, 18] });
  return { label, stroke, fill: stroke, width: 0, points: { show: false }, ...(paths && { paths }) };
}
