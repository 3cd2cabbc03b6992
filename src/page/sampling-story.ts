/** Why a span was recorded, in plain words, from its `fedtrace.sampling.*` and `sampler.*` attributes. */

import { attributeOf, type Span } from "./jaeger-model.ts";

/** Words of span/conventions.ts. */
const DECIDED: Readonly<Record<string, string>> = {
  forced: "Recorded because it asked to be, within its budget.",
  own: "Recorded because the own server asked for it.",
  debug_pass: "Recorded because of a debug pass.",
  tail_error: "Recorded because its trace met an error; the sampler had not taken it.",
  tail_slow: "Recorded because its trace was slow; the sampler had not taken it.",
  tail_asked: "Recorded because a debug pass asked for its trace later; the sampler had not taken it.",
};

const ASKED: Readonly<Record<string, string>> = {
  sampled: " Its sender asked for it, which is no order.",
  not_sampled: " Its sender asked that it not be, which silences nothing.",
  debug: " A debug flag asked for it, which never counts.",
};

/** @returns undefined for spans that don't say it */
export function samplingStory(span: Span): string | undefined {
  const decided = attributeOf(span, "fedtrace.sampling.decided");
  if (decided === undefined) return undefined;
  const known = DECIDED[String(decided)];
  if (known !== undefined) return known;
  const type = attributeOf(span, "sampler.type");
  const sampler =
    type === undefined ? "" : `: ${String(type)}${paramText(attributeOf(span, "sampler.param"))}`;
  const asked = ASKED[String(attributeOf(span, "fedtrace.sampling.asked"))] ?? "";
  return `Recorded by the own sampler${sampler}.${asked}`;
}

/** `const` says true or false, which its name says too. */
function paramText(param: unknown): string {
  const text = String(param);
  return text === "true" || text === "false" || param === undefined ? "" : ` ${text}`;
}
