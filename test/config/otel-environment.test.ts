/**
 * OpenTelemetry's variables, and who wins: file → environment → default.
 * Method: one row a rule of
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/; a row that is ignored says
 * which variable is warned of. Precedence is read off mergeConfig.
 */

import { describe, expect, it } from "vitest";
import { mergeConfig } from "../../src/config/merge.ts";
import { readOtelEnvironment } from "../../src/config/otel-environment.ts";
import { checkSchema } from "../../src/config/schema.ts";

const BASE = { server_name: "hs1.example", outbound: { listen: "127.0.0.1:0" } };
const ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

function merged(file: Record<string, unknown>, environment: Record<string, string>) {
  const checked = checkSchema({ ...BASE, ...file });
  if (!("file" in checked)) throw new Error(JSON.stringify(checked.findings));
  return mergeConfig(checked.file, readOtelEnvironment(environment));
}

describe("what is read", () => {
  it.each([
    {
      why: "the path is appended",
      environment: { [ENDPOINT]: "http://c:4318" },
      read: { otlp: { url: "http://c:4318/v1/traces" } },
    },
    {
      why: "to a path too",
      environment: { [ENDPOINT]: "http://c/my/" },
      read: { otlp: { url: "http://c/my/v1/traces" } },
    },
    {
      why: "not to that of traces",
      environment: { [TRACES_ENDPOINT]: "http://c:4318" },
      read: { otlp: { url: "http://c:4318" } },
    },
    {
      why: "traces go first",
      environment: { [ENDPOINT]: "http://a", [TRACES_ENDPOINT]: "http://b/t" },
      read: { otlp: { url: "http://b/t" } },
    },
    {
      why: "empty is unset",
      environment: { [ENDPOINT]: "http://a", [TRACES_ENDPOINT]: "" },
      read: { otlp: { url: "http://a/v1/traces" } },
    },
    {
      why: "headers are decoded",
      environment: { OTEL_EXPORTER_OTLP_HEADERS: "Api-Key=a%20b, x = y" },
      read: { otlp: { headers: { "api-key": "a b", x: "y" } } },
    },
    {
      why: "milliseconds",
      environment: { OTEL_EXPORTER_OTLP_TIMEOUT: "600000" },
      read: { otlp: { timeoutMs: 600_000 } },
    },
    {
      why: "any letter case",
      environment: { OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "GZIP" },
      read: { otlp: { compression: "gzip" } },
    },
    {
      why: "a protocol",
      environment: { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" },
      read: { otlp: { protocol: "http/protobuf" } },
    },
    {
      why: "grpc, whose URL is taken as it is",
      environment: { OTEL_EXPORTER_OTLP_PROTOCOL: "GRPC", [ENDPOINT]: "http://c:4317" },
      read: { otlp: { protocol: "grpc", url: "http://c:4317" } },
    },
    {
      why: "the protocol of traces goes first",
      environment: {
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
        [ENDPOINT]: "http://c:4318",
      },
      read: { otlp: { protocol: "http/protobuf", url: "http://c:4318/v1/traces" } },
    },
    {
      why: "a certificate",
      environment: { OTEL_EXPORTER_OTLP_CERTIFICATE: "/a.pem" },
      read: { otlp: { certificateFile: "/a.pem" } },
    },
    {
      why: "always_off",
      environment: { OTEL_TRACES_SAMPLER: "always_off" },
      read: { sampling: { type: "const", param: 0 } },
    },
    {
      why: "a parent-based one",
      environment: { OTEL_TRACES_SAMPLER: "parentbased_always_on" },
      read: { sampling: { type: "const", param: 1 } },
    },
    {
      why: "a ratio",
      environment: { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
      read: { sampling: { type: "probabilistic", param: 0.25 } },
    },
    {
      why: "a ratio without argument",
      environment: { OTEL_TRACES_SAMPLER: "traceidratio" },
      read: { sampling: { type: "probabilistic", param: 1 } },
    },
    {
      why: "Jaeger's remote sampler",
      environment: { OTEL_TRACES_SAMPLER: "parentbased_jaeger_remote" },
      read: { sampling: { type: "remote", param: 0.001, remote: { url: "http://127.0.0.1:5778/sampling" } } },
    },
    {
      why: "Jaeger's remote sampler with all of its argument",
      environment: {
        OTEL_TRACES_SAMPLER: "jaeger_remote",
        OTEL_TRACES_SAMPLER_ARG:
          "endpoint=http://jaeger:5778,pollingIntervalMs=5000,initialSamplingRate=0.25",
      },
      read: {
        sampling: {
          type: "remote",
          param: 0.25,
          remote: { url: "http://jaeger:5778/sampling", pollIntervalMs: 5000 },
        },
      },
    },
    {
      why: "a path is kept",
      environment: {
        OTEL_TRACES_SAMPLER: "jaeger_remote",
        OTEL_TRACES_SAMPLER_ARG: "endpoint=http://jaeger:14268/api/sampling",
      },
      read: { sampling: { remote: { url: "http://jaeger:14268/api/sampling" } } },
    },
    {
      why: "propagators",
      environment: { OTEL_PROPAGATORS: "tracecontext,baggage, b3multi,jaeger,jaeger" },
      read: { formats: ["w3c", "b3multi", "jaeger"] },
    },
    { why: "no propagator", environment: { OTEL_PROPAGATORS: "none" }, read: { formats: [] } },
    { why: "baggage alone", environment: { OTEL_PROPAGATORS: "baggage" }, read: { formats: [] } },
    { why: "disabled", environment: { OTEL_SDK_DISABLED: "True" }, read: { isSdkDisabled: true } },
    {
      why: "a name among the attributes",
      environment: { OTEL_RESOURCE_ATTRIBUTES: "service.name=a,k=%C3%BC" },
      read: { serviceName: "a", attributes: { k: "ü" } },
    },
    {
      why: "the name's own variable first",
      environment: { OTEL_RESOURCE_ATTRIBUTES: "service.name=a", OTEL_SERVICE_NAME: "b" },
      read: { serviceName: "b", attributes: {} },
    },
  ])("$why", ({ environment, read }) => {
    const settings = readOtelEnvironment(environment);
    expect(settings).toMatchObject(read);
    expect(settings.warnings).toEqual([]);
  });
});

describe("what is warned of and ignored", () => {
  it.each([
    { variable: ENDPOINT, value: "collector:4318" },
    { variable: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "http/json" },
    { variable: "OTEL_EXPORTER_OTLP_HEADERS", value: "a=b,c" },
    { variable: "OTEL_EXPORTER_OTLP_HEADERS", value: "a=%0d%0ab" },
    { variable: "OTEL_EXPORTER_OTLP_TIMEOUT", value: "0" },
    { variable: "OTEL_EXPORTER_OTLP_TIMEOUT", value: "600001" },
    { variable: "OTEL_EXPORTER_OTLP_TIMEOUT", value: "10s" },
    { variable: "OTEL_EXPORTER_OTLP_COMPRESSION", value: "zstd" },
    { variable: "OTEL_TRACES_SAMPLER", value: "sometimes" },
    { variable: "OTEL_PROPAGATORS", value: "xray" },
    { variable: "OTEL_SDK_DISABLED", value: "1" },
    { variable: "OTEL_RESOURCE_ATTRIBUTES", value: "k=v,broken" },
    { variable: "OTEL_RESOURCE_ATTRIBUTES", value: "k=%zz" },
  ])("$variable=$value", ({ variable, value }) => {
    const { warnings, ...settings } = readOtelEnvironment({ [variable]: value });
    const { warnings: none, ...unset } = readOtelEnvironment({});
    expect(settings).toEqual(unset);
    expect([warnings.map((warning) => warning.variable), none]).toEqual([[variable], []]);
  });

  it("never repeats a value: it may be a secret", () => {
    const { warnings } = readOtelEnvironment({ OTEL_EXPORTER_OTLP_HEADERS: "key=hunter2,hunter2" });
    expect(JSON.stringify(warnings)).not.toContain("hunter2");
  });

  it.each(["1.01", "-0.1", "half", ""])("a ratio of %s is 1", (argument) => {
    const { sampling } = readOtelEnvironment({
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: argument,
    });
    expect(sampling).toMatchObject({ type: "probabilistic", param: 1 });
  });

  it.each([
    { why: "gRPC's port", argument: "endpoint=http://jaeger:14250" },
    { why: "no URL", argument: "endpoint=jaeger:5778" },
    { why: "an interval that is none", argument: "pollingIntervalMs=soon" },
    { why: "one that is too short", argument: "pollingIntervalMs=1" },
    { why: "a rate above 1", argument: "initialSamplingRate=2" },
    { why: "another key", argument: "nonsense=1" },
    { why: "no pairs", argument: "0.5" },
  ])("takes the default of what is wrong with Jaeger's remote sampler: $why", ({ argument }) => {
    const { sampling, warnings } = readOtelEnvironment({
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG: argument,
    });
    expect(sampling).toEqual(readOtelEnvironment({ OTEL_TRACES_SAMPLER: "jaeger_remote" }).sampling);
    expect(warnings.map(({ variable }) => variable)).toEqual(["OTEL_TRACES_SAMPLER_ARG"]);
  });

  it("keeps the known ones of several propagators", () => {
    const { formats, warnings } = readOtelEnvironment({ OTEL_PROPAGATORS: "xray,b3" });
    expect([formats, warnings.length]).toEqual([["b3"], 1]);
  });
});

it("chooses Thrift's encoding by the agent's port, unless it is told", () => {
  const jaeger = (agent: string, protocol?: string) =>
    merged({ export: [{ jaeger: { agent, ...(protocol && { protocol }) } }] }, {}).exports;
  expect(jaeger("a:6831")).toMatchObject([{ protocol: "compact" }]);
  expect(jaeger("a:6832")).toMatchObject([{ protocol: "binary" }]);
  expect(jaeger("a:9999")).toMatchObject([{ protocol: "binary" }]);
  expect(jaeger("a:6831", "binary")).toMatchObject([{ protocol: "binary" }]);
  expect(jaeger("a:9999", "compact")).toMatchObject([{ protocol: "compact" }]);
});

describe("who wins", () => {
  const set = {
    [ENDPOINT]: "http://env:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "key=env",
    OTEL_EXPORTER_OTLP_TIMEOUT: "1000",
    OTEL_TRACES_SAMPLER: "always_off",
    OTEL_PROPAGATORS: "jaeger",
  };

  it("takes the default where nothing is said", () => {
    expect(merged({}, {})).toMatchObject({
      sampling: { type: "const", param: 1 },
      propagation: { formats: ["w3c", "jaeger", "b3"] },
      exports: [],
      resource: { serviceName: "hs1.example fedtrace", attributes: {} },
      isSdkDisabled: false,
    });
  });

  it("takes the environment over the default", () => {
    expect(merged({}, set)).toMatchObject({
      sampling: { type: "const", param: 0 },
      propagation: { formats: ["jaeger"] },
      exports: [
        {
          kind: "otlp",
          url: "http://env:4318/v1/traces",
          headers: { key: "env" },
          timeoutMs: 1000,
          compression: "none",
        },
      ],
    });
  });

  it("takes the file over the environment", () => {
    const file = {
      sampling: { type: "probabilistic", param: 0.5 },
      propagation: { formats: ["b3"] },
      export: [{ otlp: { url: "http://file/t", headers: {}, timeout: "2s" } }],
    };
    const config = merged(file, set);
    expect(config).toMatchObject({
      sampling: { type: "probabilistic", param: 0.5 },
      propagation: { formats: ["b3"] },
      exports: [{ url: "http://file/t", headers: {}, timeoutMs: 2000 }],
    });
    // toMatchObject takes {} for any mapping.
    expect(config.exports).toEqual([expect.objectContaining({ headers: {} })]);
  });

  it("completes a file's exporter from the environment", () => {
    expect(merged({ export: [{ otlp: { url: "http://file/t" } }] }, set).exports).toEqual([
      {
        kind: "otlp",
        url: "http://file/t",
        protocol: "http/protobuf",
        headers: { key: "env" },
        timeoutMs: 1000,
        compression: "none",
        certificateFile: undefined,
      },
    ]);
  });

  it.each([
    { why: "the environment's protocol", item: {}, protocol: "grpc" },
    { why: "the file's own", item: { protocol: "http/protobuf" }, protocol: "http/protobuf" },
  ])("sends by $why", ({ item, protocol }) => {
    const file = { export: [{ otlp: { url: "http://file:4317", ...item } }] };
    expect(merged(file, { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }).exports).toMatchObject([{ protocol }]);
  });

  it("takes an empty list of the file for none", () => {
    expect(merged({ export: [] }, set).exports).toEqual([]);
    expect(merged({ propagation: { formats: [] } }, set).propagation.formats).toEqual([]);
  });
});
