/**
 * A real Jaeger 2 in memory, on ports of its own, and its query API.
 *
 * API: https://www.jaegertracing.io/docs/2.13/architecture/apis/ (the JSON that its page is made of).
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "../support/poll.ts";
import { freePorts } from "./free-ports.ts";

interface JaegerTag {
  readonly key: string;
  readonly type: string;
  readonly value: unknown;
}

export interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly {
    readonly refType: string;
    readonly traceID: string;
    readonly spanID: string;
  }[];
  readonly tags: readonly JaegerTag[];
  /** Events, the name of each in the field `event`. */
  readonly logs: readonly { readonly fields: readonly JaegerTag[] }[];
  /** Key into the trace's `processes`. */
  readonly processID: string;
}

export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags: readonly JaegerTag[] }>
  >;
}

export interface Jaeger {
  /** OTLP over HTTP, with its path. */
  readonly otlpUrl: string;
  /** All that it was given: another one may be started where this one was, once it has stopped. */
  readonly ports: readonly number[];
  /** Every trace it has of a service. */
  tracesOf(service: string): Promise<readonly JaegerTrace[]>;
  /** Undefined where it has none by this id. */
  findTrace(id: string): Promise<JaegerTrace | undefined>;
  /** Asks until the trace has so many spans; what it has by the deadline is in the error. */
  traceOf(id: string, spans: number): Promise<JaegerTrace>;
  stop(): Promise<void>;
}

/** From what was exported to what can be read back, and from the start to healthy: both take some 200 ms. */
const DEADLINE_MS = 20_000;
/** A port that was free may be taken when Jaeger comes to it; it hangs then, and never gets healthy. */
const STARTS_MAX = 3;
/** More than any test sends, so that a limit never hides a trace. */
const TRACES_MAX = 30_000;

/** Of free ports, which differ at each start: receivers beside OTLP over HTTP, by name, as Jaeger's config has them. */
export type MoreReceivers = (ports: readonly number[]) => Readonly<Record<string, object>>;

/** Parts beside those that every Jaeger has here, by name, as its config has them. */
export interface MoreParts {
  readonly extensions?: Readonly<Record<string, object>>;
  /** In the pipeline, after the batch. */
  readonly processors?: Readonly<Record<string, object>>;
  /** Of jaeger_storage. */
  readonly backends?: Readonly<Record<string, object>>;
}

/** Of a free port that no receiver has. */
export type ToMoreParts = (port: number) => MoreParts;

/** Its own and the part's; and more receivers than any test asks for. */
const PORTS = 5 + 4;

/**
 * @param program its path (jaeger-binary.ts)
 * @param more called at each start, as `parts` is; what it was given last counts
 * @param ports of a Jaeger that was there before; free ones unless given
 * @throws Error with what it said, where it does not get healthy; nothing is left running
 */
export async function startJaeger(
  program: string,
  more: MoreReceivers = () => ({}),
  parts: ToMoreParts = () => ({}),
  ports?: readonly number[],
): Promise<Jaeger> {
  let output = "";
  for (let start = 1; start <= STARTS_MAX; start++) {
    const attempt = await startOnce(program, more, parts, ports ?? (await freePorts(PORTS)));
    if ("otlpUrl" in attempt) return attempt;
    ({ output } = attempt);
  }
  throw new Error(`${program} did not get healthy, having said:\n${output.slice(-4000)}`);
}

async function startOnce(
  program: string,
  more: MoreReceivers,
  parts: ToMoreParts,
  ports: readonly number[],
): Promise<Jaeger | { readonly output: string }> {
  const [otlp = 0, query = 0, grpc = 0, health = 0, part = 0, ...others] = ports;
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-jaeger-"));
  const configPath = join(directory, "jaeger.json"); // JSON is YAML.
  const config = jaegerConfig({ otlp, query, grpc, health }, more(others), parts(part));
  writeFileSync(configPath, JSON.stringify(config));

  const child = spawn(program, [`--config=file:${configPath}`], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (said: string) => {
      output = (output + said).slice(-10_000);
    });
  }
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      resolve();
    };
    child.once("error", end); // It can't be executed.
    child.once("close", end);
  });
  async function stop(): Promise<void> {
    child.kill("SIGKILL"); // All is in memory: there is nothing to lose.
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }

  const isHealthy = await poll(async () => {
    if (isOver) return false;
    const response = await fetch(`http://127.0.0.1:${health}/status`).catch(() => undefined);
    return response?.ok === true ? true : undefined;
  }, DEADLINE_MS);
  if (isHealthy !== true) {
    await stop();
    return { output };
  }
  return {
    otlpUrl: `http://127.0.0.1:${otlp}/v1/traces`,
    ports,
    ...queryApi(`http://127.0.0.1:${query}`),
    stop,
  };
}

function queryApi(base: string): Omit<Jaeger, "otlpUrl" | "ports" | "stop"> {
  async function ask(path: string): Promise<readonly JaegerTrace[]> {
    const response = await fetch(base + path);
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: readonly JaegerTrace[] }).data;
  }
  const findTrace = async (id: string): Promise<JaegerTrace | undefined> =>
    (await ask(`/api/traces/${id}`))[0];

  return {
    tracesOf: (service) => ask(`/api/traces?service=${encodeURIComponent(service)}&limit=${TRACES_MAX}`),
    findTrace,
    async traceOf(id, spans) {
      let last: JaegerTrace | undefined;
      const whole = await poll(async () => {
        last = await findTrace(id);
        return last !== undefined && last.spans.length >= spans ? last : undefined;
      }, DEADLINE_MS);
      if (whole !== undefined) return whole;
      throw new Error(
        `trace ${id} has ${last?.spans.length ?? 0} of ${spans} spans: ${JSON.stringify(last)}`,
      );
    },
  };
}

function jaegerConfig(
  port: Readonly<Record<"otlp" | "query" | "grpc" | "health", number>>,
  more: Readonly<Record<string, object>>,
  { extensions = {}, processors = {}, backends = {} }: MoreParts,
): object {
  const at = (number: number): { readonly endpoint: string } => ({ endpoint: `127.0.0.1:${number}` });
  return {
    service: {
      extensions: ["jaeger_storage", "jaeger_query", "healthcheckv2", ...Object.keys(extensions)],
      pipelines: {
        traces: {
          receivers: ["otlp", ...Object.keys(more)],
          processors: ["batch", ...Object.keys(processors)],
          exporters: ["jaeger_storage_exporter"],
        },
      },
      telemetry: {
        resource: { "service.name": "jaeger" },
        metrics: { level: "none" },
        logs: { level: "info" },
      },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: TRACES_MAX } }, ...backends } },
      jaeger_query: {
        storage: { traces: "memory" },
        enable_tracing: false,
        http: at(port.query),
        grpc: at(port.grpc),
      },
      healthcheckv2: { use_v2: true, http: at(port.health) },
      ...extensions,
    },
    receivers: { otlp: { protocols: { http: at(port.otlp) } }, ...more },
    processors: { batch: { timeout: "100ms" }, ...processors },
    exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
  };
}
