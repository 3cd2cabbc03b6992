/**
 * File → environment → default, in one pure function; and the Config that comes of it.
 * Defaults that no variable can change stand in the schema.
 */

import type { EnvironmentSettings, OtlpSettings } from "./otel-environment.ts";
import type { FormatName } from "./schema-border.ts";
import { plainSampling, type Sampling } from "./schema-sampling.ts";
import type { ConfigFile } from "./schema.ts";

/** As OpenTelemetry, Synapse and Envoy have it: what isn't told otherwise is recorded. */
const SAMPLING: Sampling = plainSampling({ type: "const", param: 1 });
/** What Matrix servers, meshes and everything newer speak. */
const FORMATS: readonly FormatName[] = ["w3c", "jaeger", "b3"];
/** OpenTelemetry's defaults of an OTLP exporter. */
const OTLP = { protocol: "http/protobuf", headers: {}, timeoutMs: 10_000, compression: "none" } as const;

/** Where spans go besides the built-in store. */
type ExportConfig =
  | {
      readonly kind: "otlp";
      readonly url: string;
      readonly protocol: "http/protobuf" | "grpc";
      /** Names in lower case. Values may be secrets. */
      readonly headers: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
      readonly compression: "none" | "gzip";
      /** PEM of the roots for an https URL; undefined: the system's. */
      readonly certificateFile: string | undefined;
    }
  | Exclude<FileExport, { readonly kind: "otlp" } | undefined>;

type FileExport = NonNullable<ConfigFile["exports"]>[number];

/** Everything, checked; durations in milliseconds, sizes in bytes, file names absolute. Frozen to the bottom. */
export type Config = DeepReadonly<
  Omit<ConfigFile, "propagation" | "sampling" | "exports" | "metrics" | "usageReport"> & {
    propagation: { formats: FormatName[]; remove: string[]; outboundIds: "shared" | "per_peer" };
    sampling: Sampling;
    exports: ExportConfig[];
    metrics: Omit<ConfigFile["metrics"], "isEnabled"> & { isEnabled: boolean };
    usageReport: Omit<ConfigFile["usageReport"], "stateFile"> & {
      /** Undefined only where no file was read. */
      stateFile: string | undefined;
      /** The variable, as it is set, that turned reports off which the file turns on. */
      offBy: string | undefined;
    };
    /** OpenTelemetry's resource. */
    resource: { serviceName: string; /** Without `service.name`. */ attributes: Record<string, string> };
    /** OTEL_SDK_DISABLED: no span is recorded or exported; the rules of the border hold all the same. */
    isSdkDisabled: boolean;
    /** SSL_CERT_FILE: PEM of the roots to trust in the place of the system's. */
    systemRootsFile: string | undefined;
  }
>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/**
 * @param environment what readOtelEnvironment made of the process's variables
 * @param places where files are that no key names: SSL_CERT_FILE, and the directory for what is written; what
 *   FEDTRACE_METRICS_ENABLED says, undefined where nothing; and which variable turns usage reports off
 */
export function mergeConfig(
  file: ConfigFile,
  environment: EnvironmentSettings,
  places: {
    readonly systemRootsFile?: string | undefined;
    readonly stateDirectory?: string | undefined;
    readonly isMetricsEnabled?: boolean | undefined;
    readonly usage?: { readonly stateName: string; readonly offBy: string | undefined };
  } = {},
): Config {
  const { systemRootsFile, stateDirectory, isMetricsEnabled, usage } = places;
  const { usageReport } = file;
  return deepFrozen({
    ...file,
    propagation: {
      formats: file.propagation.formats ?? environment.formats ?? FORMATS,
      remove: file.propagation.remove,
      outboundIds: file.propagation.outboundIds,
    },
    sampling: withCacheFile(file.sampling ?? environment.sampling ?? SAMPLING, stateDirectory),
    exports: mergeExports(file.exports, environment.otlp),
    metrics: {
      ...file.metrics,
      // Either one turns them on: a container's variable is what its operator can reach.
      isEnabled: isMetricsEnabled === true || (file.metrics.isEnabled ?? isMetricsEnabled ?? true),
    },
    usageReport: {
      ...usageReport,
      // Nothing in a file can beat the variables.
      isEnabled: usageReport.isEnabled && usage?.offBy === undefined,
      offBy: usageReport.isEnabled ? usage?.offBy : undefined,
      stateFile: usageReport.stateFile ?? (stateDirectory && usage && `${stateDirectory}/${usage.stateName}`),
    },
    resource: {
      serviceName: environment.serviceName ?? `${file.serverName} fedtrace`,
      attributes: environment.attributes,
    },
    isSdkDisabled: environment.isSdkDisabled,
    systemRootsFile: systemRootsFile === "" ? undefined : systemRootsFile,
  });
}

function withCacheFile(sampling: Sampling, directory: string | undefined): Sampling {
  const { remote } = sampling;
  if (remote?.url === undefined || directory === undefined) return sampling;
  return { ...sampling, remote: { ...remote, cacheFile: remote.cacheFile ?? `${directory}/${CACHE_FILE}` } };
}

const CACHE_FILE = "fedtrace-sampling.json";

/** A list in the file, even an empty one, is the whole list; the environment only completes its items. */
function mergeExports(items: ConfigFile["exports"], environment: OtlpSettings): readonly ExportConfig[] {
  const { url, ...settings } = environment;
  if (items === undefined) return url === undefined ? [] : [completeOtlp({ url }, settings)];
  return items.flatMap((item) => {
    if (item === undefined) return [];
    return item.kind === "otlp" ? [completeOtlp(item, settings)] : [item];
  });
}

type OtlpItem = { readonly url: string } & Partial<
  Omit<Extract<FileExport, { kind: "otlp" }>, "kind" | "url">
>;

function completeOtlp(item: OtlpItem, environment: Omit<OtlpSettings, "url">): ExportConfig {
  return {
    kind: "otlp",
    url: item.url,
    protocol: item.protocol ?? environment.protocol ?? OTLP.protocol,
    headers: item.headers ?? environment.headers ?? OTLP.headers,
    timeoutMs: item.timeoutMs ?? environment.timeoutMs ?? OTLP.timeoutMs,
    compression: item.compression ?? environment.compression ?? OTLP.compression,
    certificateFile: item.certificateFile ?? environment.certificateFile,
  };
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFrozen(child);
  return Object.freeze(value);
}
