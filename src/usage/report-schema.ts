/**
 * A usage report: the whole of what may leave a server about itself, and what a collector takes from a sidecar.
 *
 * The flat keys are those of Synapse's reports, with its meaning
 * (https://element-hq.github.io/synapse/latest/usage/administration/monitoring/reporting_homeserver_usage_statistics.html), where a sidecar can
 * know them; `node_version` stands in the place of `python_version`, and peers in the place of users. The groups are aggregates alone, as
 * Electric's telemetry has them (https://electric-sql.com/docs/reference/telemetry). fedtrace-report.schema.json is made of this
 * (scripts/generated-files.ts). Never in it: names of peers, users and rooms, paths, addresses.
 */

import * as v from "valibot";
import { UNSHOWN } from "../core/text.ts";

/** JSON's numbers are exact up to here. */
const NUMBER_MAX = 2 ** 53;
const TEXT_MAX = 255;

function counted(doc: string) {
  return v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(NUMBER_MAX), v.description(doc));
}

function measured() {
  return v.pipe(v.number(), v.minValue(0), v.maxValue(NUMBER_MAX));
}

function words(doc: string, lengthMax = TEXT_MAX) {
  return v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(lengthMax),
    v.check((value) => !UNSHOWN.test(value), "has a character that can't be seen"),
    v.description(doc),
  );
}

function series(doc: string) {
  return v.pipe(
    v.nullable(
      v.strictObject({
        min: measured(),
        max: measured(),
        mean: measured(),
        median: measured(),
        mode: measured(),
      }),
    ),
    v.description(`${doc} null where there was none.`),
  );
}

export const reportSchema = v.strictObject({
  homeserver: words("The server's name; in an anonymous report the instance id, which is random."),
  server_context: v.pipe(
    v.nullable(v.pipe(v.string(), v.maxLength(TEXT_MAX))),
    v.description("What the operator wrote for `usage_report.server_context`."),
  ),
  timestamp: counted("When it was made, in Unix seconds."),
  uptime_seconds: counted("Since the sidecar was started."),
  memory_rss: counted("Resident memory of all of its processes, kB."),
  cpu_average: counted("Processor time since the last report, per cent of one core, rounded down."),
  node_version: words("Of the runtime, such as 20.20.2.", 64),
  log_level: v.pipe(v.picklist(["DEBUG", "INFO", "WARNING", "ERROR"]), v.description("In Synapse's words.")),
  cache_factor: v.pipe(
    measured(),
    v.description("Spans that the built-in store may hold, as a multiple of its default."),
  ),
  event_cache_size: counted("Spans that the built-in store may hold."),
  daily_active_peers: counted(
    "Servers that this one exchanged a successful request with in the last 24 hours.",
  ),
  monthly_active_peers: counted("The same, of the last 30 days."),
  daily_requests_in: counted("Requests of peers in the last 24 hours."),
  daily_requests_out: counted("Requests to peers."),
  daily_transactions: counted("Matrix transactions that were delivered, in either direction."),
  daily_pdus: counted("Persistent events (PDUs) in them, where their bodies could be looked at."),
  daily_edus: counted("Ephemeral events (EDUs) in them, likewise."),
  daily_sampled_traces: counted("Traces that were recorded."),
  r30_peers_all: counted(
    "Servers met in the last 60 days on two days that lie more than 30 apart, as R30v2 counts users.",
  ),
  environment: v.strictObject({
    os: words("As Node names it, such as linux.", 32),
    arch: words("As Node names it, such as x64.", 32),
    version: words("Of fedtrace.", 64),
    install_id: words("Of this installation; a UUID made by chance, kept in the state file.", 64),
    instance_id: words("Of this server in it; a UUID made by chance, kept in the state file.", 64),
  }),
  resources: v.strictObject({
    run_queue: series("How late the event loop was, a mean of each minute, milliseconds."),
    memory: series("Resident memory, once a minute, kB."),
    cpu: series("Processor time of each minute, per cent of one core."),
  }),
  usage: v.strictObject({
    requests: series("Requests a minute, both directions."),
    bytes: series("Bytes of bodies a minute, both directions."),
    spans: series("Spans recorded a minute."),
    latency: series("Of each request, milliseconds. Median and mode are within 1 % here and above."),
  }),
});

export type UsageReport = v.InferOutput<typeof reportSchema>;

type Entry = v.GenericSchema;

/**
 * Where a report parts from the schema, for who receives reports of many versions: keys may be missing, null, or new, but those that are
 * known must be what they are.
 *
 * @returns the first place, such as `usage.latency.min`; undefined: none
 */
export function findReportFault(document: unknown): string | undefined {
  const { issues } = v.safeParse(LENIENT, document);
  return issues?.[0].path?.map(({ key }) => String(key)).join(".");
}

function lenient(schema: Entry): Entry {
  const inner = "wrapped" in schema ? (schema.wrapped as Entry) : schema;
  if (inner.type !== "strict_object") return schema;
  const { entries } = inner as v.StrictObjectSchema<Readonly<Record<string, Entry>>, undefined>;
  return v.looseObject(
    Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, v.nullish(lenient(entry))])),
  );
}

const LENIENT = lenient(reportSchema);
