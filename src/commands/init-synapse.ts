/**
 * `init --from-synapse homeserver.yaml`: what of a Synapse config can be taken over, and what not and why.
 *
 * Whatever stands in the file, this gives a draft or faults with their line and column. Secrets are never repeated.
 * Sources: https://element-hq.github.io/synapse/latest/opentracing.html, the configuration manual beside it, and
 * jaeger_client/config.py of jaeger-client 4.8 for what Synapse hands on to it.
 * Not here: other files of the same Synapse (conf.d, workers); put them together first.
 */

import { resolve } from "node:path";
import { type Fault, type Finding, locateFindings } from "../config/fault.ts";
import { readConfigText } from "../config/files.ts";
import { formatKeyPath, isMapping, type KeyPath, type Mapping } from "../config/key-path.ts";
import type { SamplerWords } from "../config/schema-sampling.ts";
import { readYaml, type YamlDocument } from "../config/yaml.ts";
import {
  DEFAULT_DRAFT,
  type Draft,
  type ExportLine,
  OUTBOUND_LISTEN,
  type Section,
  type WhitelistLine,
} from "./init-draft.ts";
import { createTakeOver } from "./init-python-pattern.ts";
import { faultOf } from "./init-rules.ts";
import { type AddNote, isOn, placeInFront } from "./init-synapse-listener.ts";

/** The config's own bound for the whitelist (schema-border.ts). */
const ENTRIES_MAX = 1000;

export type SynapseRead =
  | { readonly faults: readonly Fault[] }
  | { readonly draft: Draft; /** In the order of the file. */ readonly notes: readonly Fault[] };

/** @param path as the operator wrote it; faults and notes repeat it */
export async function readSynapse(path: string): Promise<SynapseRead> {
  const text = readConfigText(path);
  if ("refused" in text) {
    return { faults: [{ file: path, line: 1, column: 1, key: "(file)", message: text.refused }] };
  }
  // Synapse knows no ${…}: what looks like one stands for itself. PyYAML knows merge keys.
  const yaml = readYaml(text.value, (scalar) => ({ value: scalar }), { hasMergeKeys: true });
  if ("syntaxFaults" in yaml) {
    return { faults: yaml.syntaxFaults.map((fault) => ({ file: path, key: "(file)", ...fault })) };
  }
  const findings = [...yaml.findings, ...nameFaults(yaml.value)];
  if (findings.length > 0 || !isMapping(yaml.value)) {
    return { faults: locateFindings(findings, path, yaml.locate) };
  }
  return readDocument(yaml.value, path, yaml.locate);
}

/** Without its name nothing can be made for a server. */
function nameFaults(document: unknown): Finding[] {
  if (!isMapping(document)) return [{ path: [], message: "is not a mapping, as a homeserver.yaml is" }];
  if (document["server_name"] === undefined) {
    const message =
      "has no server_name; Debian's packages keep it in conf.d/server_name.yaml: put the files together first";
    return [{ path: [], message }];
  }
  const message = faultOf({ server_name: document["server_name"] }, "server_name");
  return message === undefined ? [] : [{ path: ["server_name"], message }];
}

async function readDocument(
  document: Mapping,
  path: string,
  locate: YamlDocument["locate"],
): Promise<SynapseRead> {
  const notes: Finding[] = [];
  const remarks: Partial<Record<Section, string[]>> = {};
  const noteIn =
    (section: Section): AddNote =>
    (where, message) => {
      notes.push({ path: where, message });
      const { line } = locate(where, false);
      (remarks[section] ??= []).push(
        `From line ${line} of homeserver.yaml: ${formatKeyPath(where)} ${message}.`,
      );
    };

  const tracing = tracingOf(document, noteIn("whitelist"));
  tellOutbound(document, noteIn("outbound"), (remarks.outbound ??= []));
  const draft: Draft = {
    ...DEFAULT_DRAFT,
    serverName: String(document["server_name"]).toLowerCase(),
    ...placeInFront(document, resolve(path), noteIn("inbound")),
    whitelist: await whitelistOf(tracing, noteIn("whitelist"), (where, message) => {
      notes.push({ path: where, message });
    }),
    ...samplingOf(tracing, noteIn("sampling")),
    exports: exportsOf(tracing, noteIn("export")),
    remarks,
  };
  return { draft, notes: locateFindings(notes, path, locate) };
}

interface Tracing {
  /** `opentracing`, empty where there is none. */
  readonly section: Mapping;
  readonly isEnabled: boolean;
  /** `jaeger_config`; undefined where Synapse's own default counts. */
  readonly client: Mapping | undefined;
}

const CLIENT: KeyPath = ["opentracing", "jaeger_config"];

function tracingOf({ opentracing }: Mapping, note: AddNote): Tracing {
  if (opentracing !== undefined && !isMapping(opentracing)) {
    note(["opentracing"], "is not a mapping, so nothing was taken over from it");
  }
  const section = isMapping(opentracing) ? opentracing : {};
  const isEnabled = isOn(section["enabled"]);
  if (isMapping(opentracing) && !isEnabled) {
    note(["opentracing"], "is not enabled: what stands there is taken over, and counts from now on");
  }
  if (section["force_tracing_for_users"] !== undefined) {
    note(
      ["opentracing", "force_tracing_for_users"],
      "is not taken over: a sidecar sees servers, not users. It goes on in Synapse, and what Synapse samples the sidecar records too",
    );
  }
  const client = section["jaeger_config"];
  return { section, isEnabled, client: isMapping(client) ? client : undefined };
}

/** @param tell for what the file says beside the entry */
async function whitelistOf(
  { section }: Tracing,
  note: AddNote,
  tell: AddNote,
): Promise<readonly WhitelistLine[]> {
  const path: KeyPath = ["opentracing", "homeserver_whitelist"];
  const written = section["homeserver_whitelist"];
  if (written === undefined) return [];
  if (!Array.isArray(written)) {
    note(path, "is not a list, which Synapse refuses too; nothing was taken over");
    return [];
  }
  const lines: WhitelistLine[] = [];
  const takeOver = createTakeOver();
  for (const [index, entry] of written.entries() as Iterable<[number, unknown]>) {
    if (index >= ENTRIES_MAX) {
      note(
        [...path, index],
        `and what follows is not taken over: ${ENTRIES_MAX} entries are allowed; join some with |`,
      );
      break;
    }
    if (typeof entry !== "string") {
      note([...path, index], "is not text, and not taken over");
      continue;
    }
    const line = await takeOver(entry);
    const { refused } = line;
    if (refused !== undefined) tell([...path, index], `is not usable, and stands as a comment: ${refused}`);
    for (const doubt of line.doubts) tell([...path, index], doubt);
    lines.push(line);
  }
  if (lines.length > 0) {
    note(
      path,
      "is anchored at the start only in Synapse, where matrix.org admits matrix.org.evil.example too. Here an entry matches the whole name, letter case aside, with or without the port; where more may follow, write .* at its end",
    );
  }
  return lines;
}

/** What Jaeger's client samples until its agent answers. */
const CLIENT_START = 0.001;

function samplingOf(
  { section, client, isEnabled }: Tracing,
  note: AddNote,
): Pick<Draft, "sampling" | "samplingUrl"> {
  const path: KeyPath = [...CLIENT, "sampler"];
  if (client === undefined) {
    // Synapse's default with tracing on: everything.
    const isAll = isEnabled && section["jaeger_config"] === undefined;
    return { sampling: isAll ? { type: "const", param: 1 } : DEFAULT_DRAFT.sampling };
  }
  const sampler = isMapping(client["sampler"]) ? client["sampler"] : {};
  const { type: written = "remote", param } = sampler;
  const type = written === "rate_limiting" ? "ratelimiting" : written;
  const known = (["const", "probabilistic", "ratelimiting", "remote"] as const).find((name) => name === type);
  const number = known && numberOf(known, param);
  const sampling = known && { type: known, ...(number === undefined ? {} : { param: number }) };
  const fault =
    sampling === undefined
      ? "is not a sampler of Jaeger's Python client"
      : (faultOf({ sampling }, "sampling.type") ??
        faultOf({ sampling }, "sampling.param") ??
        faultOf({ sampling }, "sampling"));
  if (fault === undefined && known !== undefined) {
    const words = { type: known, param: number ?? CLIENT_START };
    return known === "remote" ? { sampling: words, ...remoteUrl(client, note) } : { sampling: words };
  }
  const { type: byDefault, param: fraction } = DEFAULT_DRAFT.sampling;
  note(
    "sampler" in client ? path : CLIENT,
    `is not taken over, since as sampling it ${fault ?? ""}; ${byDefault} ${fraction} stands in its place`,
  );
  return { sampling: DEFAULT_DRAFT.sampling };
}

/** Where Jaeger's client asks its agent for a strategy. */
function remoteUrl(client: Mapping, note: AddNote): Pick<Draft, "samplingUrl"> {
  const agent = isMapping(client["local_agent"]) ? client["local_agent"] : {};
  const { reporting_host: host = "localhost", sampling_port: port = 5778 } = agent;
  const samplingUrl = isText(host) && isText(port) ? `http://${host}:${port}/sampling` : "";
  const fault = faultOf(
    { sampling: { type: "remote", remote: { url: samplingUrl } } },
    "sampling.remote.url",
  );
  if (fault === undefined) return { samplingUrl };
  note(
    [...CLIENT, "local_agent"],
    `gives no address to ask for a sampling strategy: sampling.remote.url ${fault}`,
  );
  return {};
}

/** As the client reads it: a number, or text that is one; `const` also takes a boolean. */
function numberOf(type: SamplerWords["type"], param: unknown): number | undefined {
  const isNumber = typeof param === "number" || (typeof param === "string" && /^\s*[\d.]+\s*$/.test(param));
  const number = isNumber ? Number(param) : undefined;
  return type === "const" ? Number(isOn(param) || number === 1) : number;
}

/** As YAML may write a host, or a port. */
function isText(part: unknown): part is string | number {
  return typeof part === "string" || typeof part === "number";
}

/** Keys of `jaeger_config` that mean something for the border, and what becomes of them here. */
const CLIENT_KEYS: Readonly<Record<string, string>> = {
  trace_id_header:
    "names a header of Synapse's own: the sidecar reads and writes the standard ones, so take it out",
  baggage_header_prefix: "is not taken over: baggage never crosses the border",
  debug_id_header: "is not taken over: no debug id counts at the border",
  propagation: "is not taken over: propagation.formats reads w3c, jaeger and b3, and writes all three",
  service_name: "is not taken over: OTEL_SERVICE_NAME names the sidecar's service",
};

/** Jaeger's client knows 22 keys. */
const KEYS_TOLD_MAX = 50;

function exportsOf({ client = {}, isEnabled }: Tracing, note: AddNote): readonly ExportLine[] {
  const keys = Object.keys(client).filter((key) => key !== "sampler" && key !== "local_agent");
  for (const key of keys.slice(0, KEYS_TOLD_MAX)) {
    const message = Object.hasOwn(CLIENT_KEYS, key) ? CLIENT_KEYS[key] : undefined;
    note(
      [...CLIENT, key],
      message ?? "is not taken over: it is about Synapse's own client and goes on there",
    );
  }
  if (keys.length > KEYS_TOLD_MAX) {
    note(CLIENT, `has ${keys.length - KEYS_TOLD_MAX} more keys, which are not taken over`);
  }
  const path = [...CLIENT, "local_agent"];
  const agent = isMapping(client["local_agent"]) ? client["local_agent"] : undefined;
  if (agent === undefined && !isEnabled) return [];
  const { reporting_host: host = "localhost", reporting_port: port = 6831 } = agent ?? {};
  const address = isText(host) && isText(port) ? `${host}:${port}` : "";
  const where = agent === undefined ? (client === undefined ? [] : CLIENT) : path;
  const fault = faultOf({ export: [{ jaeger: { agent: address } }] }, "export[0].jaeger.agent");
  if (fault === undefined) return [{ kind: "jaeger", agent: address }];
  note(where, `reports to a Jaeger agent, which is not taken over: export.jaeger ${fault}`);
  return [];
}

/** How Synapse's own requests come by the sidecar. */
function tellOutbound(document: Mapping, note: AddNote, remarks: string[]): void {
  const key = "outbound_federation_restricted_to";
  if (document[key] !== undefined) {
    note(
      [key],
      "names the workers that federate for this Synapse. The sidecar takes their place: name it there and in instance_map instead",
    );
  }
  const [host, port] = OUTBOUND_LISTEN.split(":");
  remarks.push(
    "For what Synapse itself sends, take the # away below, and give homeserver.yaml three lines:",
    `  worker_replication_secret: … ${document["worker_replication_secret"] === undefined ? "# the same as shared_secret below" : "# is there already: the same as shared_secret below"}`,
    `  instance_map: { fedtrace: { host: ${host}, port: ${port} } }`,
    "  outbound_federation_restricted_to: [fedtrace]",
  );
}
