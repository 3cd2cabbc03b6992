/** The published schema, the documented sample, and what a collector still takes of other versions. */

import { readFileSync } from "node:fs";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { findReportFault, reportSchema } from "../../src/usage/report-schema.ts";

const page = readFileSync("docs/telemetry.md", "utf8");
const sample = JSON.parse(/<!-- sample -->\s*```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "") as Record<
  string,
  unknown
> & { readonly environment: object; readonly usage: object };

describe("docs/telemetry.md", () => {
  it("has a sample that is a report", () => {
    expect(v.safeParse(reportSchema, sample).issues).toBeUndefined();
  });

  it("explains every key, and no other", () => {
    const table = /\| key +\| what it says[\s\S]*?\n\n/.exec(page)?.[0] ?? "";
    const told = [...table.matchAll(/^\| (.*?) +\|/gm)].flatMap(([, cell = ""]) => {
      const names = [...cell.matchAll(/`([a-z0-9_.]+)`/g)].map(([, name = ""]) => name);
      const group = names[0]?.split(".")[0] ?? "";
      return names.map((name) => (name.startsWith(".") ? group + name : name));
    });
    const keys = Object.entries(reportSchema.entries).flatMap(([key, entry]) =>
      entry.type === "strict_object" ? Object.keys(entry.entries).map((inner) => `${key}.${inner}`) : [key],
    );
    expect(told.toSorted()).toEqual(keys.toSorted());
  });
});

it("is published with every key required, and no other allowed", () => {
  const published = JSON.parse(readFileSync("fedtrace-report.schema.json", "utf8")) as Record<
    string,
    unknown
  >;
  expect(published["required"]).toEqual(Object.keys(reportSchema.entries));
  expect(published["additionalProperties"]).toBe(false);
});

describe("a report of another version", () => {
  it.each([
    { change: {}, fault: undefined, why: "this one" },
    { change: { a_new_key: [1] }, fault: undefined, why: "a new key" },
    { change: { usage: { ...sample.usage, errors: 3 } }, fault: undefined, why: "a new series" },
    { change: { usage: { latency: { min: 1, p99: 3 } } }, fault: undefined, why: "new and missing figures" },
    {
      change: { daily_pdus: null, resources: undefined },
      fault: undefined,
      why: "keys that are not known there",
    },
    { change: { memory_rss: -1 }, fault: "memory_rss", why: "less than nothing" },
    { change: { daily_pdus: 2 ** 60 }, fault: "daily_pdus", why: "more than can be counted" },
    { change: { log_level: "LOUD" }, fault: "log_level", why: "no level" },
    {
      change: { environment: { ...sample.environment, install_id: "" } },
      fault: "environment.install_id",
      why: "an id that is none",
    },
    {
      change: { usage: { latency: { min: "<b>" } } },
      fault: "usage.latency.min",
      why: "a text for a number",
    },
    { change: { usage: 3 }, fault: "usage", why: "a number for a group" },
  ])("$why: $fault", ({ change, fault }) => {
    expect(findReportFault({ ...sample, ...change })).toBe(fault);
  });
});
