/**
 * Where the real Prometheus and its promtool come from: the directory PROMETHEUS_DIR, else Debian's package, else
 * .cache/prometheus/usr/bin, where .ci/run unpacks that package. Where there is none it throws: a skipped test shows nothing.
 */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

export function findPrometheus(): PrometheusPrograms {
  const named = process.env["PROMETHEUS_DIR"] ?? "";
  const directories = named === "" ? ["/usr/bin", resolve(".cache/prometheus/usr/bin")] : [resolve(named)];
  const found = directories.find((directory) =>
    ["prometheus", "promtool"].every((program) => existsSync(join(directory, program))),
  );
  if (found === undefined) {
    throw new Error(
      `no prometheus and promtool in ${directories.join(" or ")}: install Debian's package prometheus, or set PROMETHEUS_DIR`,
    );
  }
  return { prometheus: join(found, "prometheus"), promtool: join(found, "promtool") };
}
