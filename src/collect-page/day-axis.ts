/** The axis of days: which of them have a label, and how a day is written. Days are texts, `2026-11-30`, in UTC. */

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
/** Steps between labels, while a label a day or every few weeks is enough. */
const DAY_STEPS = [1, 2, 7, 14, 28] as const;
const MONTH_STEPS = [1, 2, 3, 6, 12] as const;

export interface DayTick {
  /** Index into the days. */
  readonly at: number;
  readonly label: string;
}

/**
 * The last day and every so many before it; where that would be too many, firsts of months.
 * @param labelsMax at least 1
 */
export function dayTicks(days: readonly string[], labelsMax: number): readonly DayTick[] {
  const step = DAY_STEPS.find((candidate) => days.length / candidate <= labelsMax);
  if (step !== undefined) {
    return days
      .map((day, at) => ({ at, label: formatDay(day) }))
      .filter(({ at }) => (days.length - 1 - at) % step === 0);
  }
  const firsts = days.flatMap((day, at) => {
    const parts = partsOf(day);
    return parts?.day === 1 ? [{ at, ...parts }] : [];
  });
  const months = MONTH_STEPS.find((candidate) => firsts.length / candidate <= labelsMax) ?? 12;
  return firsts
    .filter(({ month }) => month % months === 0)
    .map(({ at, month, year }) => ({ at, label: month === 0 ? String(year) : (MONTHS[month] ?? "") }));
}

/** `30 Nov`; as it is where it is no day. */
export function formatDay(day: string): string {
  const parts = partsOf(day);
  return parts === undefined ? day : `${parts.day} ${MONTHS[parts.month]}`;
}

/** `30 Nov 2026` */
export function formatWholeDay(day: string): string {
  const parts = partsOf(day);
  return parts === undefined ? day : `${formatDay(day)} ${parts.year}`;
}

/** Unix seconds of its begin; undefined where it is no day. */
export function unixSecondsOf(day: string): number | undefined {
  const unixMs = partsOf(day) === undefined ? Number.NaN : Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(unixMs) ? undefined : unixMs / 1000;
}

/** The month counts from 0. */
function partsOf(
  day: string,
): { readonly year: number; readonly month: number; readonly day: number } | undefined {
  const [, year, month, ofMonth] = /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.exec(day) ?? [];
  if (year === undefined) return undefined;
  return { year: Number(year), month: Number(month) - 1, day: Number(ofMonth) };
}
