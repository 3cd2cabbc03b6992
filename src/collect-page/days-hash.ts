/** How many days are shown, kept in the address, so that a reload or a link shows the same: `#days=365`. */

export const DAYS_CHOICES = [30, 90, 365] as const;
const DAYS_DEFAULT = 90;

/** @returns one of the choices, whatever the address says */
export function daysInHash(hash: string): number {
  const wanted = Number(/^#days=(\d{1,3})$/.exec(hash)?.[1]);
  return DAYS_CHOICES.find((choice) => choice === wanted) ?? DAYS_DEFAULT;
}

export function formatDaysHash(days: number): string {
  return `#days=${days}`;
}
