/** Which format a scraper gets. */

import { expect, it } from "vitest";
import { chooseFormat } from "../../src/metrics/format.ts";

it.each([
  { why: "asks for nothing", accept: undefined, format: "prometheus" },
  {
    why: "is Prometheus 2.42",
    accept:
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    format: "openmetrics",
  },
  {
    why: "is Prometheus 2.42 with OpenMetrics off",
    accept: "text/plain;version=0.0.4;q=1,*/*;q=0.1",
    format: "prometheus",
  },
  { why: "is a browser", accept: "text/html,application/xhtml+xml,*/*;q=0.8", format: "prometheus" },
  { why: "is curl", accept: "*/*", format: "prometheus" },
  { why: "names no version", accept: "application/openmetrics-text", format: "openmetrics" },
  {
    why: "writes it in capitals, with quotes and spaces",
    accept: 'Application/OpenMetrics-Text ; Version="1.0.0"',
    format: "openmetrics",
  },
  {
    why: "wants a version of it that isn't written",
    accept: "application/openmetrics-text;version=0.0.1",
    format: "prometheus",
  },
  {
    why: "likes 0.0.4 better",
    accept: "application/openmetrics-text;q=0.5,text/plain;q=0.9",
    format: "prometheus",
  },
  { why: "likes both as well", accept: "text/plain,application/openmetrics-text", format: "openmetrics" },
  { why: "will not have it", accept: "application/openmetrics-text;q=0", format: "prometheus" },
  { why: "gives a weight that is none", accept: "application/openmetrics-text;q=9", format: "prometheus" },
  { why: "asks for what there isn't", accept: "application/json", format: "prometheus" },
  {
    why: "hides it behind a hundred others",
    accept: `${"a/b,".repeat(100)}application/openmetrics-text`,
    format: "prometheus",
  },
] as const)("$format where it $why", ({ accept, format }) => {
  expect(chooseFormat(accept)).toBe(format);
});
