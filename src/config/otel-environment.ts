/**
 * OpenTelemetry's environment variables, as far as they concern a program that only makes spans.
 *
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/. As the specification asks: an empty variable is
 * an unset one, known words count in any letter case, and what can't be read is warned of and ignored.
 * Not here: who wins (merge.ts), OTEL_TRACES_EXPORTER, whose part `export` has, and OTEL_EXPORTER_JAEGER_*, which the
 * specification has removed.
 */

import { parseHttpUrl } from "./addresses.ts";
import type { FormatName } from "./schema-border.ts";
import { plainSampling, REMOTE_PARAM, type Sampling, type SamplerWords } from "./schema-sampling.ts";
import type { Environment } from "./substitute.ts";

/** What the environment says; undefined is what it doesn't say. */
export interface EnvironmentSettings {
  readonly formats: readonly FormatName[] | undefined;
  readonly sampling: Sampling | undefined;
  readonly otlp: OtlpSettings;
  readonly serviceName: string | undefined;
  /** Resource attributes, without `service.name`. */
  readonly attributes: Readonly<Record<string, string>>;
  /** No span is to be recorded or exported. */
  readonly isSdkDisabled: boolean;
  /** Variables that were ignored, and why. Never their values. */
  readonly warnings: readonly EnvironmentWarning[];
}

export interface OtlpSettings {
  /** The whole URL, `/v1/traces` included; over grpc as it was written. */
  readonly url: string | undefined;
  readonly protocol: "http/protobuf" | "grpc" | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number | undefined;
  readonly compression: "none" | "gzip" | undefined;
  /** As it was written: relative to the working directory. */
  readonly certificateFile: string | undefined;
}

export interface EnvironmentWarning {
  readonly variable: string;
  readonly message: string;
}

/** A variable that is set, and what says that it is ignored. */
interface Variable {
  readonly name: string;
  readonly value: string;
  ignore(message: string): undefined;
}

/** The first of some variables that is set. */
type Lookup = (...names: readonly string[]) => Variable | undefined;

/** Pure: everything comes from `environment`, nothing is kept. */
export function readOtelEnvironment(environment: Environment): EnvironmentSettings {
  const warnings: EnvironmentWarning[] = [];
  const lookup: Lookup = (...names) => {
    for (const name of names) {
      const value = environment[name]?.trim();
      if (value === undefined || value === "") continue;
      return {
        name,
        value,
        ignore: (message) => void warnings.push({ variable: name, message: `is ignored: ${message}` }),
      };
    }
    return undefined;
  };

  const protocol = readProtocol(lookup(...otlp("PROTOCOL")));
  const { "service.name": attributeName, ...attributes } =
    readPairs(lookup("OTEL_RESOURCE_ATTRIBUTES")) ?? {};
  return {
    formats: readPropagators(lookup("OTEL_PROPAGATORS")),
    sampling: readSampler(lookup),
    otlp: {
      url: readEndpoint(lookup, protocol),
      protocol,
      headers: readHeaders(lookup(...otlp("HEADERS"))),
      timeoutMs: readTimeout(lookup(...otlp("TIMEOUT"))),
      compression: readCompression(lookup(...otlp("COMPRESSION"))),
      certificateFile: lookup(...otlp("CERTIFICATE"))?.value,
    },
    serviceName: lookup("OTEL_SERVICE_NAME")?.value ?? attributeName,
    attributes,
    isSdkDisabled: readFlag(lookup("OTEL_SDK_DISABLED")),
    warnings,
  };
}

/** The variable of traces goes before that of every signal. */
function otlp(suffix: string): readonly [string, string] {
  return [`OTEL_EXPORTER_OTLP_TRACES_${suffix}`, `OTEL_EXPORTER_OTLP_${suffix}`];
}

/** The endpoint of traces is a whole URL; that of every signal is what `v1/traces` is appended to, but for grpc. */
function readEndpoint(lookup: Lookup, protocol: OtlpSettings["protocol"]): string | undefined {
  const [forTraces, forAll] = otlp("ENDPOINT");
  const variable = lookup(forTraces, forAll);
  if (variable === undefined) return undefined;
  const parsed = parseHttpUrl(variable.value);
  if ("refused" in parsed) return variable.ignore(`it ${parsed.refused}`);
  if (variable.name === forTraces || protocol === "grpc") return parsed.value;
  const url = new URL(parsed.value);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url.href;
}

function readProtocol(variable: Variable | undefined): OtlpSettings["protocol"] {
  if (variable === undefined) return undefined;
  const word = variable.value.toLowerCase();
  return word === "http/protobuf" || word === "grpc"
    ? word
    : variable.ignore("it is neither http/protobuf nor grpc");
}

function readHeaders(variable: Variable | undefined): Readonly<Record<string, string>> | undefined {
  const headers = readPairs(variable);
  if (variable === undefined || headers === undefined) return undefined;
  const isSendable = Object.entries(headers).every(
    ([name, value]) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value),
  );
  if (!isSendable) return variable.ignore("it has a name or a value that a header can't carry");
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Ten minutes, as `export[].otlp.timeout` has it. */
const TIMEOUT_MAX_MS = 600_000;

function readTimeout(variable: Variable | undefined): number | undefined {
  if (variable === undefined) return undefined;
  const timeoutMs = /^\d{1,9}$/.test(variable.value) ? Number(variable.value) : 0;
  if (timeoutMs >= 1 && timeoutMs <= TIMEOUT_MAX_MS) return timeoutMs;
  return variable.ignore(`it is not a number of milliseconds from 1 to ${TIMEOUT_MAX_MS}`);
}

function readCompression(variable: Variable | undefined): "none" | "gzip" | undefined {
  if (variable === undefined) return undefined;
  const word = variable.value.toLowerCase();
  return word === "gzip" || word === "none" ? word : variable.ignore("it is neither gzip nor none");
}

function readFlag(variable: Variable | undefined): boolean {
  if (variable === undefined) return false;
  const word = variable.value.toLowerCase();
  if (word !== "true" && word !== "false")
    variable.ignore("it is neither true nor false, and counts as false");
  return word === "true";
}

/**
 * Samplers by their names. The local sampler is a root's: what a parent says counts by the border's rules
 * alone, so `parentbased_x` is its root sampler x.
 */
function readSampler(lookup: Lookup): Sampling | undefined {
  const variable = lookup("OTEL_TRACES_SAMPLER");
  if (variable === undefined) return undefined;
  const word = variable.value.toLowerCase().replace(/^parentbased_/, "");
  const argument = lookup("OTEL_TRACES_SAMPLER_ARG");
  if (word === "always_on") return plainSampling({ type: "const", param: 1 });
  if (word === "always_off") return plainSampling({ type: "const", param: 0 });
  if (word === "traceidratio") return plainSampling({ type: "probabilistic", param: readRatio(argument) });
  if (word === "jaeger_remote") return readRemote(argument);
  return variable.ignore(
    "it is not always_on, always_off, traceidratio, jaeger_remote or parentbased_ with one of them",
  );
}

/** `endpoint=http://localhost:5778,pollingIntervalMs=5000,initialSamplingRate=0.25`; what is missing or wrong has its default. */
function readRemote(variable: Variable | undefined): Sampling {
  const { endpoint, pollingIntervalMs, initialSamplingRate, ...unknown } = readPairs(variable) ?? {};
  const url = variable && endpoint !== undefined ? readSamplingUrl(variable, endpoint) : undefined;
  const intervalMs = readWhole(pollingIntervalMs, POLL_INTERVAL_BOUNDS);
  const rate = initialSamplingRate === undefined ? undefined : Number(initialSamplingRate);
  const isRate = rate === undefined || (rate >= 0 && rate <= 1);
  if (
    Object.keys(unknown).length > 0 ||
    (intervalMs === undefined && pollingIntervalMs !== undefined) ||
    !isRate
  ) {
    variable?.ignore(
      "in part: known are endpoint, pollingIntervalMs from 100, and initialSamplingRate from 0 to 1",
    );
  }
  const words: SamplerWords = { type: "remote", param: isRate ? (rate ?? REMOTE_PARAM) : REMOTE_PARAM };
  const { remote, ...plain } = plainSampling(words);
  return {
    ...plain,
    remote: remote && {
      ...remote,
      url: url ?? remote.url,
      pollIntervalMs: intervalMs ?? remote.pollIntervalMs,
    },
  };
}

/** The path is `/sampling` unless there is one. Elsewhere the endpoint is Jaeger's for gRPC, which is not spoken here. */
function readSamplingUrl(variable: Variable, endpoint: string): string | undefined {
  const parsed = parseHttpUrl(endpoint);
  if ("refused" in parsed) return variable.ignore(`in part: its endpoint ${parsed.refused}`);
  const url = new URL(parsed.value);
  if (url.port === GRPC_PORT)
    return variable.ignore("in part: its endpoint is Jaeger's for gRPC; allowed: http, port 5778");
  if (url.pathname === "/") url.pathname = "/sampling";
  return url.href;
}

function readWhole(
  written: string | undefined,
  [least, most]: readonly [number, number],
): number | undefined {
  const number = written !== undefined && /^\d{1,9}$/.test(written) ? Number(written) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

const GRPC_PORT = "14250";
/** As `sampling.remote.poll_interval` has it. */
const POLL_INTERVAL_BOUNDS = [100, 86_400_000] as const;

/** The specification's default where the argument is missing or wrong. */
const RATIO = 1;

function readRatio(variable: Variable | undefined): number {
  if (variable === undefined) return RATIO;
  const isNumber = /^(\d+(\.\d*)?|\.\d+)(e-?\d+)?$/i.test(variable.value);
  const ratio = isNumber ? Number(variable.value) : Number.NaN;
  return ratio >= 0 && ratio <= 1 ? ratio : (variable.ignore("it is not a number from 0 to 1") ?? RATIO);
}

const PROPAGATORS: ReadonlyMap<string, FormatName | undefined> = new Map([
  ["tracecontext", "w3c"],
  ["b3", "b3"],
  ["b3multi", "b3multi"],
  ["jaeger", "jaeger"],
  ["baggage", undefined], // Known, and never let across (contract, section 3, rule 4).
]);

function readPropagators(variable: Variable | undefined): readonly FormatName[] | undefined {
  if (variable === undefined) return undefined;
  const words = variable.value.split(",").map((word) => word.trim().toLowerCase());
  if (words.includes("none")) return [];
  const known = words.filter((word) => PROPAGATORS.has(word));
  if (known.length < words.length) {
    variable.ignore("in part: known are tracecontext, baggage, b3, b3multi, jaeger and none");
  }
  if (known.length === 0) return undefined;
  return [...new Set(known.map((word) => PROPAGATORS.get(word)))].filter((format) => format !== undefined);
}

/**
 * `key=value,key=value`, percent-encoded: OpenTelemetry's form of resource attributes and headers. One fault
 * and all of it is ignored, as the specification asks.
 */
function readPairs(variable: Variable | undefined): Readonly<Record<string, string>> | undefined {
  if (variable === undefined) return undefined;
  const pairs: [string, string][] = [];
  for (const member of variable.value.split(",")) {
    if (member.trim() === "") continue;
    const [, key, value] = /^\s*([^\s=]+)\s*=(.*)$/s.exec(member) ?? [];
    const decodedKey = percentDecoded(key);
    const decodedValue = percentDecoded(value?.trim());
    if (decodedKey === undefined || decodedValue === undefined) {
      return variable.ignore("it is not key=value,key=value with percent-encoding");
    }
    pairs.push([decodedKey, decodedValue]);
  }
  return Object.fromEntries(pairs);
}

function percentDecoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined; // A lone % or bytes that are not UTF-8.
  }
}
