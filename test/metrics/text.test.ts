/** The two text formats, byte by byte. Their reference parsers read them in test/real/metrics-formats.test.ts. */

import { expect, it } from "vitest";
import { createRegistry } from "../../src/metrics/registry.ts";
import { formatFamilies, formatText } from "../../src/metrics/text.ts";
import { fakeClock } from "../support/clock.ts";

const EXEMPLAR = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

function filled() {
  const clock = fakeClock();
  const registry = createRegistry({ prefix: "p", clock });
  const created = (clock.unixMs() / 1000).toFixed(3);
  const counter = registry.metric("counter", "sent", "bytes", 'Back\\slash,\nnew line and "quotes".', ["l"]);
  counter.withLabels('y"\\\n').add(2, EXEMPLAR);
  registry.metric("gauge", "g", "", "A gauge.").withLabels().set(-Infinity);
  const histogram = registry.metric("histogram", "h", "seconds", "A histogram.", ["l"], {
    buckets: [0.5, 1, 10],
  });
  histogram.withLabels("x").sample(0.7, EXEMPLAR);
  histogram.withLabels("x").sample(11);
  const summary = registry.metric("summary", "s", "", "A summary.", [], { quantiles: [0.5, 1] });
  summary.withLabels();
  registry.metric("info", "build", "", "An info.", ["v"]).withLabels("1").set();
  const states = registry.metric("stateset", "mode", "", "A stateset.", ["l"], { states: ["on", "off"] });
  states.withLabels("x").set("off", true);
  registry.metric("unknown", "u", "", "Who knows.").withLabels().set(1e21);
  return { registry, created };
}

it("writes 0.0.4", () => {
  const { registry } = filled();
  expect(formatText(registry.collect(), "prometheus")).toBe(
    `# HELP p_sent_bytes_total Back\\\\slash,\\nnew line and "quotes".
# TYPE p_sent_bytes_total counter
p_sent_bytes_total{l="y\\"\\\\\\n"} 2
# HELP p_g A gauge.
# TYPE p_g gauge
p_g -Inf
# HELP p_h_seconds A histogram.
# TYPE p_h_seconds histogram
p_h_seconds_bucket{l="x",le="0.5"} 0
p_h_seconds_bucket{l="x",le="1.0"} 1
p_h_seconds_bucket{l="x",le="10.0"} 1
p_h_seconds_bucket{l="x",le="+Inf"} 2
p_h_seconds_count{l="x"} 2
p_h_seconds_sum{l="x"} 11.7
# HELP p_s A summary.
# TYPE p_s summary
p_s{quantile="0.5"} NaN
p_s{quantile="1.0"} NaN
p_s_count 0
p_s_sum 0
# HELP p_build_info An info.
# TYPE p_build_info gauge
p_build_info{v="1"} 1
# HELP p_mode A stateset.
# TYPE p_mode gauge
p_mode{l="x",p_mode="on"} 0
p_mode{l="x",p_mode="off"} 1
# HELP p_u Who knows.
# TYPE p_u untyped
p_u 1e+21
`,
  );
});

it("writes OpenMetrics", () => {
  const { registry, created } = filled();
  const exemplar = ` # {trace_id="${EXEMPLAR.traceId}",span_id="${EXEMPLAR.spanId}"}`;
  expect(formatText(registry.collect(), "openmetrics")).toBe(
    `# TYPE p_sent_bytes counter
# UNIT p_sent_bytes bytes
# HELP p_sent_bytes Back\\\\slash,\\nnew line and \\"quotes\\".
p_sent_bytes_total{l="y\\"\\\\\\n"} 2${exemplar} 2 ${created}
p_sent_bytes_created{l="y\\"\\\\\\n"} ${created}
# TYPE p_g gauge
# HELP p_g A gauge.
p_g -Inf
# TYPE p_h_seconds histogram
# UNIT p_h_seconds seconds
# HELP p_h_seconds A histogram.
p_h_seconds_bucket{l="x",le="0.5"} 0
p_h_seconds_bucket{l="x",le="1.0"} 1${exemplar} 0.7 ${created}
p_h_seconds_bucket{l="x",le="10.0"} 1
p_h_seconds_bucket{l="x",le="+Inf"} 2
p_h_seconds_count{l="x"} 2
p_h_seconds_sum{l="x"} 11.7
p_h_seconds_created{l="x"} ${created}
# TYPE p_s summary
# HELP p_s A summary.
p_s{quantile="0.5"} NaN
p_s{quantile="1.0"} NaN
p_s_count 0
p_s_sum 0
p_s_created ${created}
# TYPE p_build info
# HELP p_build An info.
p_build_info{v="1"} 1
# TYPE p_mode stateset
# HELP p_mode A stateset.
p_mode{l="x",p_mode="on"} 0
p_mode{l="x",p_mode="off"} 1
# TYPE p_u unknown
# HELP p_u Who knows.
p_u 1e+21
# EOF
`,
  );
});

it("comes in pieces of whole lines, none of them long", () => {
  const registry = createRegistry({ prefix: "", clock: fakeClock() });
  const family = registry.metric("counter", "c", "", "Help.", ["l"], { seriesMax: 1000 });
  for (let index = 0; index < 1000; index++) family.withLabels(`v${index}`).add(1);
  const pieces = [...formatFamilies(registry.collect(), "openmetrics")];
  expect(pieces.join("")).toBe(formatText(registry.collect(), "openmetrics"));
  expect(pieces.every((piece) => piece === "" || piece.endsWith("\n"))).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(4000);
});
