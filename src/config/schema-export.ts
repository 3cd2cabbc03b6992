/** The options of `export`: where spans go. Defaults come after the environment (merge.ts). */

import { duration, endpoint, filePath, headerName, headerValue, httpUrl, oneOf } from "./schema-values.ts";
import { exportName, moduleName, moduleOptions } from "./schema-module.ts";
import { defaulted, list, map, optional, orShort, required, section } from "./schema-option.ts";

/** Exporters; each has a queue and a connection of its own. */
const EXPORTERS_MAX = 16;
/** Headers of one exporter. */
const EXPORT_HEADERS_MAX = 32;
const otlp = section(
  {
    url: required(httpUrl(), {
      reload: "restart",
      doc: "Where traces are sent, the whole URL: nothing is appended. Over `grpc` its path isn't used, and its scheme says whether it is TLS.",
      example: "http://127.0.0.1:4318/v1/traces",
    }),
    protocol: optional(oneOf(["http/protobuf", "grpc"]), {
      reload: "restart",
      doc: "How: protobuf over HTTP, port 4318 of most collectors, or over gRPC, port 4317. A batch over 4 MiB, which is what gRPC receivers take, goes in several calls.",
      byDefault: "`OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, else `http/protobuf`",
    }),
    headers: optional(map(headerName(), headerValue(), EXPORT_HEADERS_MAX), {
      reload: "restart",
      doc: "Sent with each post; over `grpc` as metadata. **Danger:** left out, the headers of the environment are sent to this URL too, with the secrets in them; `{}` sends none.",
      byDefault: "`OTEL_EXPORTER_OTLP_TRACES_HEADERS`, else none",
      example: "{ x-api-key: '${API_KEY}' }",
    }),
    timeout: optional(duration("1ms", "10m"), {
      reload: "restart",
      doc: "How long one post or call may take.",
      byDefault: "`OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, else `10s`",
    }),
    compression: optional(oneOf(["none", "gzip"]), {
      reload: "restart",
      doc: "Of what is sent. Gzip costs more CPU than the spans themselves; it pays over slow links only.",
      byDefault: "`OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, else `none`",
    }),
    certificate: optional(filePath(), {
      reload: "restart",
      doc: "PEM file with the certificate authorities that an https URL is verified with, in place of the system's.",
      byDefault: "`OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE`, else the system's roots",
    }),
  },
  (file) => ({
    kind: "otlp" as const,
    url: file.url,
    protocol: file.protocol,
    headers: file.headers,
    timeoutMs: file.timeout,
    compression: file.compression,
    certificateFile: file.certificate,
  }),
);

/** The agent's port that takes compact thrift; 6832 takes binary (https://www.jaegertracing.io/docs/1.76/deployment/). */
const COMPACT_PORT = 6831;

const jaeger = section(
  {
    agent: optional(endpoint(), {
      reload: "restart",
      doc: "UDP address of a Jaeger agent, or of a Jaeger that listens as one did. **Danger:** nothing answers over UDP: sent to the wrong port, or faster than they are read, spans vanish without an error.",
      example: "127.0.0.1:6832",
    }),
    protocol: optional(oneOf(["compact", "binary"]), {
      reload: "restart",
      doc: "Thrift's encoding, for `agent`. Jaeger takes `compact` on port 6831 and `binary`, which the npm packages speak, on 6832.",
      byDefault: "`compact` for port 6831, `binary` for any other",
    }),
    collector: optional(httpUrl(), {
      reload: "restart",
      doc: "URL of a Jaeger collector, whole: binary thrift is posted there, and an answer says whether it was taken.",
      example: "http://127.0.0.1:14268/api/traces",
    }),
  },
  ({ agent, protocol, collector }, refuse) => {
    if (agent !== undefined) {
      const byPort = agent.port === COMPACT_PORT ? ("compact" as const) : ("binary" as const);
      return { kind: "jaeger" as const, agent, protocol: protocol ?? byPort };
    }
    if (protocol !== undefined) {
      refuse("protocol", "counts for agent; a collector is posted binary thrift; allowed: leave it out");
    }
    return { kind: "jaeger" as const, collector: collector ?? "" }; // One of the two is there: oneOf has seen to it.
  },
  { oneOf: ["agent", "collector"] },
);

const file = section(
  {
    path: required(filePath(), {
      reload: "restart",
      doc: "Appended to, one OTLP JSON document a line. It grows without bound: rotate it.",
      example: "traces.jsonl",
    }),
  },
  ({ path }) => ({ kind: "file" as const, path }),
);

const foreign = orShort(
  moduleName((path) => ({ kind: "module" as const, path, exporter: undefined, options: {} })),
  section(
    {
      name: required(
        moduleName((path) => path),
        {
          reload: "restart",
          doc: "A package, looked for from the config file's directory and then from the program's, or a path that starts with `./`, `../` or `/`.",
          example: "'@opentelemetry/exporter-zipkin'",
        },
      ),
      exporter: optional(exportName, {
        reload: "restart",
        doc: "The name of the class among what the module exports.",
        byDefault: "the only class with the methods `export` and `shutdown`",
        example: "ZipkinExporter",
      }),
      options: defaulted(
        moduleOptions(),
        {},
        {
          reload: "restart",
          doc: "Given to the class's constructor. Its own keys, as its documentation has them; what `${NAME}` puts in is text.",
          example: "{ url: 'http://127.0.0.1:9411/api/v2/spans' }",
        },
      ),
    },
    (file) => ({ kind: "module" as const, path: file.name, exporter: file.exporter, options: file.options }),
  ),
);

/** Where spans go besides the built-in store. */
export const exports = list(
  section(
    {
      otlp: optional(otlp, {
        reload: "restart",
        doc: "OpenTelemetry's protocol: Jaeger, Tempo, any collector.",
      }),
      jaeger: optional(jaeger, {
        reload: "restart",
        doc: "Jaeger's own protocols, for servers without OTLP.",
      }),
      file: optional(file, { reload: "restart", doc: "A file of OTLP JSON lines." }),
      module: optional(foreign, {
        reload: "restart",
        doc: "Any OpenTelemetry `SpanExporter` by the name of its module, or a mapping with the keys below. It is loaded at the start, and by `check`. **Danger:** its code runs beside the sidecar in a thread of its own: what it throws or hangs in can't stop traffic, but it has all rights of the process.",
        example: "'@opentelemetry/exporter-zipkin'",
      }),
    },
    (entry) => entry.otlp ?? entry.jaeger ?? entry.file ?? entry.module,
    { oneOf: ["otlp", "jaeger", "file", "module"] },
  ),
  EXPORTERS_MAX,
);
