/**
 * The config that `init` prints: every choice with what it means and what its danger is, which is what the schema says
 * of it, so that the file, docs/config.md and the editor never tell three stories.
 *
 * What is switched off stands as a comment that becomes right by taking its `# ` away.
 * Not here: limits, log, routes and workers, whose defaults fit; docs/config.md has them.
 */

import { escapeUnprintable, formatQuoted } from "../config/key-path.ts";
import { type Draft, OUTBOUND_LISTEN, type Section, type WhitelistLine } from "./init-draft.ts";
import { docOf } from "./init-rules.ts";

/** Width of a comment with its indent. */
const WIDTH = 110;

/**
 * @param schemaPath of fedtrace.schema.json, absolute or a URL; editors read it from the first line
 * @returns YAML that `check` accepts if the draft's texts are right
 */
export function formatConfig(draft: Draft, schemaPath: string): string {
  const lines = [
    `# yaml-language-server: $schema=${schemaPath}`,
    "",
    ...comment(
      "fedtrace stands between this server and its peers. Trace context crosses only to and from the hosts on the whitelist; baggage never does.",
    ),
    ...comment(
      "After each change: fedtrace check --config FILE. A running sidecar takes the change over by itself.",
    ),
    ...comment("What begins with # and a key is off; without the # it is on. Every option: docs/config.md."),
    "",
    ...about("server_name", "", draft.remarks.server_name),
    `server_name: ${scalar(draft.serverName)}`,
    "",
    ...inboundLines(draft),
    "",
    ...outboundLines(draft),
    "",
    ...whitelistLines(draft),
    "",
    ...about("sampling", "", draft.remarks.sampling),
    ...comment(docOf("sampling.type")),
    ...comment(docOf("sampling.param")),
    ...comment(
      "Danger: each recorded trace costs memory here and room in every back end; 1 is right for a first look, 0.01 for a busy server.",
    ),
    samplingLine(draft),
    "",
    ...exportLines(draft),
    "",
    ...about("admin.listen"),
    "admin: { listen: 127.0.0.1:9470 }",
    "",
    ...about("usage_report"),
    ...comment(docOf("usage_report.enabled")),
    usageReportLine(draft),
  ];
  return lines.join("\n");
}

function samplingLine({ sampling: { type, param }, samplingUrl }: Draft): string {
  const remote = samplingUrl === undefined ? "" : `, remote: { url: '${samplingUrl.replaceAll("'", "''")}' }`;
  return `sampling: { type: ${type}, param: ${param}${remote} }`;
}

function inboundLines({ listen, upstream, tls, remarks }: Draft): readonly string[] {
  const paths = tls ?? { certificate: "fullchain.pem", privateKey: "privkey.pem" };
  const off = tls === undefined || tls.isOff === true ? "# " : "";
  return [
    ...about("inbound", "", remarks.inbound),
    "inbound:",
    ...about("inbound.listen", "  "),
    `  listen: ${scalar(listen)}`,
    ...about("inbound.upstream", "  "),
    `  upstream: ${scalar(upstream)}`,
    ...about("inbound.tls", "  "),
    `  ${off}tls:`,
    `  ${off}  certificate: ${scalar(paths.certificate)}`,
    `  ${off}  private_key: ${scalar(paths.privateKey)}`,
    ...about("inbound.authenticate", "  "),
    "  authenticate: signature",
  ];
}

function outboundLines({ outboundListen, remarks }: Draft): readonly string[] {
  const off = outboundListen === undefined ? "# " : "";
  return [
    ...about("outbound", "", remarks.outbound),
    `${off}outbound:`,
    ...about("outbound.listen", `${off}  `),
    `${off}  listen: ${scalar(outboundListen ?? OUTBOUND_LISTEN)}`,
    ...about("outbound.shared_secret", `${off}  `),
    `${off}  # shared_secret: \${FEDTRACE_SECRET}`,
    ...about("outbound.allow_networks", `${off}  `),
    `${off}  allow_networks: []`,
  ];
}

function whitelistLines({ whitelist, remarks }: Draft): readonly string[] {
  const examples = [
    "  # - 'matrix\\.friends\\.example' # this server",
    "  # - glob: '*.example.net' # every server below example.net",
    "  # - regex: '(.+\\.)?trusted\\.example' # trusted.example, every server below it, and their \"sampled\" counts",
    "  #   sampling: trust",
    "  #   forced_per_second: 1",
  ];
  return [
    ...about("whitelist", "", remarks.whitelist),
    ...comment("`sampling` of an entry. " + SAMPLING_DOC),
    ...comment(
      "Danger: an entry that is wider than it reads lets a stranger's ids into your traces, and yours out to him. `fedtrace check` warns of such entries, `fedtrace decide` tries a name.",
    ),
    "whitelist:",
    ...(whitelist.length === 0 ? examples : whitelist.flatMap(entryLines)),
  ];
}

const SAMPLING_DOC =
  '`accept`, the default: the ids are taken and the local sampler decides. `trust`: a "sampled" of the peer counts too, up to `forced_per_second` new traces a second.';

function entryLines({ pattern, doubts, refused }: WhitelistLine): readonly string[] {
  const entry = `- ${pattern.kind === "glob" ? "glob: " : ""}${quoted(pattern.text)}`;
  if (refused !== undefined) return [...comment(`Not usable: ${refused}.`, "  "), `  # ${entry}`];
  return [...doubts.flatMap((doubt) => comment(`Careful: it ${doubt}.`, "  ")), `  ${entry}`];
}

function exportLines({ exports, remarks }: Draft): readonly string[] {
  const off = exports.length === 0;
  const examples = [
    "  # - otlp: { url: http://127.0.0.1:4318/v1/traces }",
    "  # - file: { path: traces.jsonl }",
  ];
  return [
    ...about("export", "", remarks.export),
    ...comment(
      "Danger: traces say who talks to whom and when. Whoever can read them there knows it; off this machine use https.",
    ),
    "export:",
    ...(off ? examples : []),
    ...exports.map((item) =>
      item.kind === "otlp"
        ? `  - otlp: { url: ${quoted(item.url)} }`
        : `  - jaeger: { agent: ${quoted(item.agent)} }`,
    ),
  ];
}

function usageReportLine({ usageEndpoint }: Draft): string {
  if (usageEndpoint === undefined) return "usage_report: { enabled: false }";
  return `usage_report: { enabled: true, endpoint: ${quoted(usageEndpoint)} }`;
}

/** The documentation of an option, then what is to be said about this choice of it. */
function about(key: Section | Dotted, indent = "", remarks: readonly string[] = []): readonly string[] {
  return [docOf(key), ...remarks].flatMap((sentence) => comment(sentence, indent));
}

type Dotted = `${string}.${string}` | "usage_report";

/** Wrapped into comment lines. What begins with two spaces is one line, whatever its length. */
function comment(text: string, indent = ""): readonly string[] {
  const printable = escapeUnprintable(text);
  if (printable.startsWith("  ")) return [`${indent}# ${printable}`];
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of printable.split(" ").filter((part) => part !== "")) {
    if (line.length + 1 + word.length > WIDTH && line.length > indent.length + 1) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** Plain where no YAML reader could take it for anything but text: an authority with a port, a URL, a path. */
const PLAIN = /^(?:[\w.-]*[A-Za-z.][\w.-]*:\d+|(?:https?:\/\/|unix:\/|\/)[\w./:-]*[\w/]|[a-z]+\.pem)$/;

function scalar(text: string): string {
  return PLAIN.test(text) ? text : quoted(text);
}

/** In single quotes, where only they have a meaning; a config would replace `${…}`, so `${` is doubled. */
function quoted(text: string): string {
  const literal = text.replaceAll("${", () => "$${");
  return escapeUnprintable(literal) === literal
    ? `'${literal.replaceAll("'", "''")}'`
    : formatQuoted(literal);
}
