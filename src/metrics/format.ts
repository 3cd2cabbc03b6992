/**
 * Which text format a scraper is given, by its Accept header (RFC 9110 section 12.5.1).
 *
 * Prometheus asks for OpenMetrics first and takes 0.0.4; a browser and curl ask for neither, and get 0.0.4. Nobody is refused: a scraper
 * that asks for what there isn't can say more of what it got than of a 406.
 */

import type { TextFormat } from "./text.ts";

/** The types of the two, as they are answered. */
export const CONTENT_TYPE: Readonly<Record<TextFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Header lines are bounded by the server; a scraper names five types at most. */
const RANGES_MAX = 32;

/** @param accept the header's value; undefined: there was none */
export function chooseFormat(accept: string | undefined): TextFormat {
  const weights: Record<TextFormat, number> = { prometheus: 0, openmetrics: 0 };
  for (const range of (accept ?? "").toLowerCase().split(",", RANGES_MAX)) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const format = formatOf(type, parameters);
    if (format !== undefined) weights[format] = Math.max(weights[format], weightOf(parameters));
  }
  return weights.openmetrics > 0 && weights.openmetrics >= weights.prometheus ? "openmetrics" : "prometheus";
}

/** A version that we don't write is none of ours; `*` and `text/*` take either, which is 0.0.4 anyway. */
function formatOf(type: string, parameters: readonly string[]): TextFormat | undefined {
  const version = valueOf(parameters, "version");
  if (type === "text/plain") return version === undefined || version === "0.0.4" ? "prometheus" : undefined;
  if (type !== "application/openmetrics-text") return undefined;
  return version === undefined || version === "1.0.0" ? "openmetrics" : undefined;
}

function weightOf(parameters: readonly string[]): number {
  const weight = Number(valueOf(parameters, "q") ?? "1");
  return weight >= 0 && weight <= 1 ? weight : 0;
}

function valueOf(parameters: readonly string[], name: string): string | undefined {
  const found = parameters.find((parameter) => parameter.startsWith(`${name}=`));
  return found?.slice(name.length + 1).replaceAll('"', "");
}
