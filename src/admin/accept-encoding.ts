/** Which codings a reader takes: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3 */

/** Whether a coding is named, and not with a weight of zero. `*` is of no use here: who wants one names it. */
export function takesCoding(accepted: string | undefined, coding: string): boolean {
  for (const part of (accepted ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    if (name === coding) return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  }
  return false;
}
