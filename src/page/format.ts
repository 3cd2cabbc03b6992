/** Numbers, durations, ages and times as a reader wants them: three digits that matter, and a unit. */

const US_PER_MS = 1000;
const US_PER_SECOND = 1e6;
const US_PER_MINUTE = 60e6;

/** `0 µs`, `850 µs`, `12.4 ms`, `1.25 s`, `2 min 5 s` */
export function formatDuration(microseconds: number): string {
  if (!Number.isFinite(microseconds) || microseconds < 0) return "–";
  if (microseconds < US_PER_MS) return `${Math.round(microseconds)} µs`;
  if (microseconds < 999_500) return `${threeDigits(microseconds / US_PER_MS)} ms`;
  if (microseconds < 59.95 * US_PER_SECOND) return `${threeDigits(microseconds / US_PER_SECOND)} s`;
  const seconds = Math.round(microseconds / US_PER_SECOND);
  return `${Math.floor((seconds * US_PER_SECOND) / US_PER_MINUTE)} min ${seconds % 60} s`;
}

/** `now`, `8 s ago`, `5 min ago`, `3 h ago`, `2 d ago`; a time ahead of ours (another clock) reads as now. */
export function formatAge(unixMs: number, nowUnixMs: number): string {
  const seconds = Math.floor((nowUnixMs - unixMs) / 1000);
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** `19:04:07.215`, in the reader's time zone. */
export function formatClock(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return "–";
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits);
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-22 19:04:07.215`, in the reader's time zone. */
export function formatDate(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return "–";
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${formatClock(unixMs)}`;
}

/** `1 span`, `3 spans`, `1,204 spans` */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`;
}

/** `1,204`, whatever the reader's language: the page is in English. */
export function formatNumber(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function threeDigits(value: number): string {
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toFixed(digits).replace(/\.0+$|(\.\d*?)0+$/, "$1");
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
