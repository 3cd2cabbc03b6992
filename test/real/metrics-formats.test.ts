/**
 * Both text formats, read by their reference parsers: prometheus_client's, which Synapse's Python has (synapse-python.ts). What they
 * read must be what was counted, whatever stands in labels and help texts.
 */

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { FamilySnapshot } from "../../src/metrics/snapshot.ts";
import { formatText, type TextFormat } from "../../src/metrics/text.ts";
import { startInProcess } from "../support/in-process.ts";
import { testRegistry } from "../support/metrics.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";
import { findSynapse } from "./synapse-python.ts";

interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    readonly exemplar: Readonly<Record<string, string>> | null;
  }[];
}

const INSTALL_MS = 300_000;
let python = "";
beforeAll(async () => {
  ({ path: python } = await findSynapse());
}, INSTALL_MS);

/** @throws Error with the parser's own words where it refuses the text */
async function read(families: readonly FamilySnapshot[], format: TextFormat): Promise<readonly ReadFamily[]> {
  const child = spawn(python, [resolve("test/real/metrics-parsers.py"), format]);
  child.stdin.end(formatText(families, format));
  const [output, errors, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((fulfil) => child.once("close", fulfil)),
  ]);
  if (status !== 0) throw new Error(errors);
  return JSON.parse(output) as readonly ReadFamily[];
}

/** What breaks a line, a quote, an escape or an encoding. */
const NASTY = [
  "",
  " ",
  "plain",
  '"',
  "\\",
  "\\n",
  "\n",
  '\\\\\n"',
  "a\\",
  '",other="x',
  "} 1\n# EOF",
  "# HELP x y",
  "ünïcödé 日本 🙂",
  "\u0001\u007f",
  "\t\r",
  "{}=,",
  "NaN",
];
const EXEMPLAR = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const NUMBERS = [0, 1, -1, 0.1, 1e-9, 1e21, 123456789012345, Infinity, -Infinity, Number.NaN];

/** As Python's repr writes a float. */
function numberOf(written: string): number {
  if (written === "inf") return Infinity;
  return written === "-inf" ? -Infinity : Number(written);
}

describe.each(["prometheus", "openmetrics"] as const)("%s", (format) => {
  it("label values and help texts come back as they were", async () => {
    const registry = testRegistry();
    for (const [at, help] of NASTY.entries())
      registry.metric("gauge", `h${at}`, "", help).withLabels().set(at);
    const labels = registry.metric("counter", "l", "", "Labels.", ["one", "two"]);
    for (const one of NASTY) for (const two of NASTY) labels.withLabels(one, two).add(1);
    const families = await read(registry.collect(), format);
    // 0.0.4 has no escape but \\ and \n in a help text, and its parser takes blanks off its ends.
    const helps = families.filter(({ name }) => /^h\d+$/.test(name)).map(({ help }) => help.trim());
    expect(helps).toEqual(NASTY.map((help) => help.trim()));
    const told =
      families.find(({ name }) => name === "l")?.samples.filter(({ name }) => name === "l_total") ?? [];
    const seriesMax = 200;
    expect(told.length).toBe(seriesMax + 1);
    const known = new Set(NASTY.flatMap((one) => NASTY.map((two) => JSON.stringify([one, two]))));
    for (const sample of told) {
      const pair = JSON.stringify([sample.labels["one"], sample.labels["two"]]);
      expect(known.has(pair) || pair === '["other","other"]').toBe(true);
    }
  });

  it("numbers come back as they were", async () => {
    const registry = testRegistry();
    const gauge = registry.metric("gauge", "g", "", "Numbers.", ["at"]);
    for (const [at, number] of NUMBERS.entries()) gauge.withLabels(String(at)).set(number);
    const [family] = await read(registry.collect(), format);
    expect(family?.samples.map(({ value }) => numberOf(value))).toEqual(NUMBERS);
  });

  it("every type is what it is", async () => {
    const registry = testRegistry();
    registry.metric("counter", "c", "bytes", "C.").withLabels().add(3);
    const histogram = registry.metric("histogram", "h", "seconds", "H.", ["l"], {
      buckets: [0, 1e-5, 0.5, 1, 10, 1e6, 1.5e7],
    });
    for (const value of [0, 0.7, 11, 1e9]) histogram.withLabels("x").sample(value, EXEMPLAR);
    for (const value of [1, 5]) histogram.withLabels("y").sample(value);
    const summary = registry.metric("summary", "s", "", "S.", [], { quantiles: [0, 0.5, 1] });
    summary.withLabels().sample(2);
    registry.metric("info", "i", "", "I.", ["v"]).withLabels("1").set();
    registry
      .metric("stateset", "t", "", "T.", [], { states: ["on", "off"] })
      .withLabels()
      .set("on", true);
    registry.metric("unknown", "u", "", "U.").withLabels().set(4);
    registry.metric("gauge", "none", "", "Without a series.", ["l"]);
    const families = await read(registry.collect(), format);
    const types = Object.fromEntries(families.map(({ name, type }) => [name, type]));
    const isOpen = format === "openmetrics";
    // As the parser names them: 0.0.4's counter without its suffix, and what 0.0.4 has no word for as what it is told as.
    expect(types).toEqual({
      c_bytes: "counter",
      h_seconds: "histogram",
      s: "summary",
      [isOpen ? "i" : "i_info"]: isOpen ? "info" : "gauge",
      t: isOpen ? "stateset" : "gauge",
      u: "unknown",
      none: "gauge",
    });
    if (isOpen) expect(families.find(({ name }) => name === "c_bytes")?.unit).toBe("bytes");
    const buckets = families
      .find(({ name }) => name === "h_seconds")
      ?.samples.filter(({ name, labels }) => name === "h_seconds_bucket" && labels["l"] === "x");
    expect(buckets?.map(({ labels, value }) => [labels["le"], Number(value)])).toEqual([
      ["0.0", 1],
      ["1e-05", 1],
      ["0.5", 1],
      ["1.0", 2],
      ["10.0", 2],
      ["1e+06", 3],
      ["1.5e+07", 3],
      ["+Inf", 4],
    ]);
    const exemplars = buckets?.map(({ exemplar }) => exemplar?.["trace_id"]).filter((id) => id !== undefined);
    expect(exemplars).toEqual(isOpen ? Array.from({ length: 4 }, () => EXEMPLAR.traceId) : []);
    const created = families
      .flatMap(({ samples }) => samples.map(({ name }) => name))
      .filter((name) => name.endsWith("_created"));
    expect(new Set(created)).toEqual(
      new Set(isOpen ? ["c_bytes_created", "h_seconds_created", "s_created"] : []),
    );
  });

  it("a histogram of what may be negative has no sum and count where they would be counters", async () => {
    const registry = testRegistry();
    registry
      .metric("histogram", "h", "", "H.", [], { buckets: [-1, 1] })
      .withLabels()
      .sample(-5);
    const [family] = await read(registry.collect(), format);
    const names = new Set(family?.samples.map(({ name }) => name));
    expect(names.has("h_sum")).toBe(format === "prometheus");
    expect(names.has("h_count")).toBe(format === "prometheus");
  });

  it.each(["histogram", "summary"] as const)("a %s is read whatever was sampled", async (type) => {
    const registry = testRegistry();
    const extra = type === "histogram" ? { buckets: [0.5, 1] } : { quantiles: [0.5, 1] };
    const family = registry.metric(type, "m", "", "M.", ["at"], extra);
    const sampled = [[Number.NaN], [-5], [Infinity], [-Infinity, Infinity], [-5, 9], [0]];
    for (const [at, values] of sampled.entries()) {
      for (const value of values) family.withLabels(String(at)).sample(value, EXEMPLAR);
    }
    const [found] = await read(registry.collect(), format);
    const sums = found?.samples.filter(({ name }) => name === "m_sum") ?? [];
    const told = sums.map(({ labels, value }) => [labels["at"], numberOf(value)]);
    const isOpen = format === "openmetrics";
    // A sum that is no counter's is left out where it would have to be one.
    expect(told).toEqual([
      ...(isOpen
        ? []
        : [
            ["0", Number.NaN],
            ["1", -5],
          ]),
      ["2", Infinity],
      ...(isOpen ? [] : [["3", Number.NaN]]),
      ["4", 4],
      ["5", 0],
    ]);
  });

  it("a whole sidecar's is read without a complaint", async () => {
    const upstream = await recordingUpstream();
    const sidecar = await startInProcess({
      inbound: {
        listen: "127.0.0.1:0",
        upstream: `http://127.0.0.1:${upstream.port}`,
        authenticate: "claimed",
      },
      admin: { listen: "127.0.0.1:0" },
      whitelist: [".*"],
    });
    try {
      await exchangeRaw(
        sidecar.port.inbound,
        'GET /x%22"\\ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      );
      await exchangeRaw(
        sidecar.port.inbound,
        'GET /_matrix/key/v2/server HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: X-Matrix origin="a.test",key="ed25519:a",sig="x"\r\n\r\n',
      );
      const families = sidecar.sidecar.registry.collect();
      expect((await read(families, format)).length).toBe(families.length);
    } finally {
      await sidecar.sidecar.stop();
      upstream.stop();
    }
  });
});
