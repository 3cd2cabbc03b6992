/** The own server's addresses where they change; how each is told is read in test/proxy/metrics.test.ts. */

import { expect, it } from "vitest";
import { createUpstreamStates } from "../../src/metrics/upstream-states.ts";
import { sumOf, testRegistry } from "../support/metrics.ts";

it.each([
  { why: "scraped after each move", isScraped: true },
  { why: "never scraped meanwhile", isScraped: false },
])(
  "tells the address of a server that has moved a thousand times, and bounds what it keeps: $why",
  ({ isScraped }) => {
    const registry = testRegistry();
    let upstream = "";
    const states = createUpstreamStates(registry, () => [{ upstream, isOut: false }]);
    for (let move = 0; move < 1000; move++) {
      upstream = `10.0.${move >> 8}.${move & 255}:8008`;
      states.reached(upstream, true);
      if (isScraped) registry.collect();
    }
    expect(sumOf(registry, "plugin_connect_count_total", { plugin: upstream })).toBe(1);
    expect(sumOf(registry, "plugin_active_state", { plugin: upstream })).toBe(1);
    expect(sumOf(registry, "plugin_connect_count_total", { plugin: "other" })).toBe(0);
    expect(sumOf(registry, "plugin_disconnect_count_total", { plugin: "10.0.3.230:8008" })).toBe(1);
    for (const { name, series } of registry.collect())
      expect([name, series.length < 200]).toEqual([name, true]);
  },
);

it("tells every address from the start, with what it has not done yet as 0", () => {
  const registry = testRegistry();
  createUpstreamStates(registry, () => [{ upstream: "unix:/own.sock", isOut: false }]);
  const told = registry
    .collect()
    .map(({ name, series }) => [name, series.map((one) => [...one.values, ...one.numbers])]);
  expect(told).toEqual(
    ["active_state", "disabled", "connect_count", "disconnect_count"].map((name) => [
      `plugin_${name}`,
      [["unix:/own.sock", 0]],
    ]),
  );
});
