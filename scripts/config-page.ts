/** docs/config.md from the schema: one section an option, in the order of the schema. */

import { aboutOf, defaultOf, type Option, type Shape, shapeOf } from "../src/config/schema-option.ts";

const INTRODUCTION = `# Config

<!-- Made from src/config/schema.ts by \`npm run docs\`; edit that. -->

One YAML 1.2 file, given with \`--config FILE\`. \`fedtrace check --config FILE\` reads it as \`run\` would and tells every
fault as \`FILE:LINE:COLUMN: key: what is wrong and what is allowed\`. For completion in an editor, put this on the first
line: \`# yaml-language-server: $schema=fedtrace.schema.json\`.

- Unknown and repeated keys are faults. A key without a value counts as left out. Custom tags and merge keys (\`<<\`) are
  not read; anchors and aliases are, within 100,000 values.
- **Durations** carry a unit: \`ms\`, \`s\`, \`m\`, \`h\`. **Sizes** too: \`B\`, \`KiB\`, \`MiB\`, \`GiB\`. Both are whole numbers.
- **Paths** count from the directory of the config file.
- \`\${NAME}\` in a value is replaced by the environment variable; if it isn't set, that is a fault. \`\${NAME:-default}\`
  takes the default when it isn't set or is empty. \`$\${\` is a literal \`\${\`; any other \`$\` stands for itself. It happens
  after the YAML is parsed, so a variable can't add keys, and what it holds is text; options that are numbers or
  \`true\`/\`false\` read it from the text. Keys are never replaced. Inside \`{ }\` and \`[ ]\` YAML wants it in quotes.
- **Reload**: \`live\` options follow a reload (SIGHUP, or the file changing); \`restart\` options count from the next start.
- Some options are known but refused with the reason, because what they ask for is not available
  yet; it stands beside them.

## Metrics and the environment

\`FEDTRACE_METRICS_ENABLED=true\` turns metrics on, whatever the file says; \`false\` turns them off where the file says nothing.

## OpenTelemetry's environment variables

The file wins over them; they win over the defaults. They mean what
[the specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) says; one that
can't be read is warned of and ignored.

- \`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\`: the resource. The service name is \`<server_name> fedtrace\` unless set.
- \`OTEL_EXPORTER_OTLP_ENDPOINT\`, \`_PROTOCOL\`, \`_HEADERS\`, \`_TIMEOUT\`, \`_COMPRESSION\`, \`_CERTIFICATE\`, and each with
  \`OTEL_EXPORTER_OTLP_TRACES_\`, which goes first. \`/v1/traces\` is appended to the first endpoint, not to that of traces, and
  to none where the protocol is \`grpc\`.
  Without \`export\` in the file, an endpoint makes one \`otlp\` exporter; with it, the other variables complete the items.
  \`OTEL_EXPORTER_OTLP_CERTIFICATE\` counts from the working directory.
- \`OTEL_TRACES_SAMPLER\`, \`OTEL_TRACES_SAMPLER_ARG\`: \`always_on\`, \`always_off\`, \`traceidratio\`, \`jaeger_remote\`, and
  \`parentbased_\` with one of them, which is the same here: what a parent says counts by the whitelist's rules alone.
- \`OTEL_PROPAGATORS\`: \`tracecontext\`, \`b3\`, \`b3multi\`, \`jaeger\`, \`none\`. \`baggage\` is known and never let across.
- \`OTEL_SDK_DISABLED\`: nothing is recorded or exported; what crosses the border stays the same.

## Options
`;

/** @param schema the whole file's */
export function configPage(schema: Option<unknown>): string {
  return INTRODUCTION + sectionText(schema, "");
}

function sectionText(schema: Option<unknown>, prefix: string): string {
  const shape = shapeOf(schema);
  if (shape.kind === "short") return sectionText(shape.section, prefix);
  if (shape.kind === "list") return sectionText(shape.item, `${prefix}[]`);
  if (shape.kind !== "section") return "";
  return Object.entries(shape.entries)
    .map(([key, option]) => optionText(prefix === "" ? key : `${prefix}.${key}`, option))
    .join("");
}

function optionText(key: string, option: Option<unknown>): string {
  const about = aboutOf(option);
  if (about === undefined)
    throw new Error(`${key} is not documented: an entry is required, optional or defaulted`);
  const facts = [
    `- Type: ${typeText(shapeOf(option))}`,
    `- Default: ${defaultText(option)}`,
    ...(about.example === undefined ? [] : [`- Example: \`${about.example}\``]),
    `- Reload: ${about.reload}`,
  ];
  return `\n### \`${key}\`\n\n${about.doc}\n\n${facts.join("\n")}\n${sectionText(option, key)}`;
}

function defaultText(option: Option<unknown>): string {
  const known = defaultOf(option);
  if (known === "required") return "none, it must be set";
  const words = aboutOf(option)?.byDefault;
  if (words !== undefined) return words;
  if (known === undefined) return "none, it may be left out";
  const { written } = known;
  if (shapeOf(option).kind === "section") return "the defaults below";
  if (Array.isArray(written)) return `\`[${written.join(", ")}]\``;
  return `\`${typeof written === "string" ? written : JSON.stringify(written)}\``;
}

function typeText(shape: Shape): string {
  switch (shape.kind) {
    case "value":
      return shape.allowed;
    case "list":
      return `list of at most ${shape.itemsMax}: ${typeText(shapeOf(shape.item))}`;
    case "map":
      return `mapping: ${typeText(shapeOf(shape.key))} → ${typeText(shapeOf(shape.item))}`;
    case "section":
      return shape.choice.oneOf?.length ? `mapping with one of ${shape.choice.oneOf.join(", ")}` : "mapping";
    case "short":
      return typeText(shapeOf(shape.short));
  }
}
