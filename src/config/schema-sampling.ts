/** The options of `sampling`: the sampler, its exceptions, where a strategy comes from, and what is kept all the same. */

import { defaulted, list, optional, required, section } from "./schema-option.ts";
import {
  decimal,
  duration,
  filePath,
  flag,
  httpUrl,
  integer,
  oneOf,
  secret,
  size,
  text,
} from "./schema-values.ts";

/** Far above what one process can record. */
const TRACES_PER_SECOND_MAX = 1_000_000;
/** As many operations as Jaeger's clients keep apart. */
const OPERATIONS_MAX = 2000;
const PEERS_MAX = 1000;
/** Against guessing: who has a pass can try secrets on it without asking anybody. */
const DEBUG_PASS_SECRET_MIN = 16;

/** Names and meaning of Jaeger's samplers: https://www.jaegertracing.io/docs/1.76/sampling/ */
export interface SamplerWords {
  readonly type: "const" | "probabilistic" | "ratelimiting" | "remote";
  /** const: 0 or 1; probabilistic: a fraction; ratelimiting: traces a second, > 0; remote: the fraction until it answers. */
  readonly param: number;
}

/** A sampler that asks nobody. */
type LocalSampler = SamplerWords & { readonly type: Exclude<SamplerWords["type"], "remote"> };

export interface Sampling extends SamplerWords {
  /** Patterns of span names, in their order. */
  readonly operations: readonly { readonly operation: string; readonly sampler: LocalSampler }[];
  readonly peers: readonly (PeerPattern & { readonly sampler: LocalSampler })[];
  /** Traces a second of each operation; 0: none is guaranteed. */
  readonly lowerBound: number;
  /** New traces a second of the whole sidecar. */
  readonly maxPerSecond: number | undefined;
  /** Undefined unless the type is remote. */
  readonly remote: Remote | undefined;
  readonly tail: Tail | undefined;
  readonly debugPassSecret: string | undefined;
}

interface PeerPattern {
  readonly kind: "regex" | "glob";
  readonly text: string;
}

interface Remote {
  /** Where the strategy comes from; one of the two is there. */
  readonly url: string | undefined;
  readonly file: string | undefined;
  readonly pollIntervalMs: number;
  readonly maxProbability: number;
  readonly maxPerSecond: number;
  /** Undefined: beside the config, or in the system's place for such files (load.ts). */
  readonly cacheFile: string | undefined;
}

interface Tail {
  readonly errors: boolean;
  readonly slowerThanMs: number | undefined;
  readonly holdMs: number;
  readonly spansMax: number;
  readonly bytesMax: number;
  /** Traces. */
  readonly maxPerSecond: number;
}

/** What `sampling` says where a file says nothing but a sampler, or the environment does. */
export function plainSampling(words: SamplerWords): Sampling {
  return {
    ...words,
    operations: [],
    peers: [],
    lowerBound: 0,
    maxPerSecond: undefined,
    remote: words.type === "remote" ? REMOTE : undefined,
    tail: undefined,
    debugPassSecret: undefined,
  };
}

const LOCAL_TYPES = ["const", "probabilistic", "ratelimiting"] as const;
const PARAM_DOC =
  "For `const` 1 (all) or 0 (none); for `probabilistic` a fraction from 0 to 1; for `ratelimiting` traces a second, above 0, where 0.5 is one in two seconds.";
const PARAM_ALLOWED = {
  const: "0 or 1",
  probabilistic: "a param from 0 to 1",
  ratelimiting: `a param above 0, to ${TRACES_PER_SECOND_MAX}`,
  remote: "a param from 0 to 1",
} as const;
/** Of Jaeger's clients, until their strategy is there. */
export const REMOTE_PARAM = 0.001;

type Refuse = (key: string | undefined, message: string) => void;

const param = optional(decimal(0, TRACES_PER_SECOND_MAX), {
  reload: "live",
  doc: PARAM_DOC,
  byDefault: "1 for `const`; needed by `probabilistic` and `ratelimiting`",
  example: "0.5",
});

function checkParam(
  { type, param: written }: { readonly type: SamplerWords["type"]; readonly param?: number | undefined },
  refuse: Refuse,
): number {
  const value = written ?? (type === "const" ? 1 : type === "remote" ? REMOTE_PARAM : undefined);
  if (value === undefined) {
    refuse(undefined, `is ${type} without a param; allowed: ${PARAM_ALLOWED[type]}`);
    return 0;
  }
  const isRight =
    type === "const" ? value === 0 || value === 1 : type === "ratelimiting" ? value > 0 : value <= 1;
  if (!isRight) refuse("param", `is out of bounds for ${type}; allowed: ${PARAM_ALLOWED[type]}`);
  return value;
}

const method = text("a method such as PUT, or `*`", (written) =>
  /^(?:[!#$%&'+.^_`|~0-9A-Za-z-]+|\*)$/.test(written) ? { value: written } : { refused: "is not a method" },
);
const template = text("a route template that begins with `/` or `*`", (written) =>
  /^[/*]/.test(written) ? { value: written } : { refused: "is not a route template" },
);

const spanName = text("a span's name, with `*` for any characters", (value) => ({ value }));

const operation = section(
  {
    operation: optional(spanName, {
      reload: "live",
      doc: "The whole name of its spans, as the trace page and Jaeger show it, in the place of `method` and `template`; `*` stands for any characters.",
      example: "'GET /_matrix/key/*'",
    }),
    method: optional(method, {
      reload: "live",
      doc: "The method that it counts for; `*` is every one.",
      byDefault: "every method",
      example: "PUT",
    }),
    template: optional(template, {
      reload: "live",
      doc: "The route template that spans are named by, as in `routes` and on the trace page; `*` stands for any characters.",
      byDefault: "every route, and requests that have none",
      example: "'/_matrix/federation/v1/send/{txnId}'",
    }),
    type: required(oneOf(LOCAL_TYPES), {
      reload: "live",
      doc: "As `sampling.type`.",
      example: "probabilistic",
    }),
    param,
  },
  (file, refuse) => {
    if (file.operation !== undefined && (file.method !== undefined || file.template !== undefined)) {
      refuse("operation", "is given beside method or template; allowed: the whole name, or its parts");
    }
    return {
      operation: file.operation ?? operationOf(file),
      sampler: { type: file.type, param: checkParam(file, refuse) },
    };
  },
  { anyOf: ["operation", "method", "template"] },
);

/** Span names are `{method} {template}`, or the method alone where no route is known. */
function operationOf(file: {
  readonly method?: string | undefined;
  readonly template?: string | undefined;
}): string {
  if (file.template === undefined) return `${file.method ?? ""}*`;
  return `${file.method ?? "*"} ${file.template}`;
}

const pattern = text("a pattern of server names, as in whitelist", (value) => ({ value }));

const peer = section(
  {
    regex: optional(pattern, {
      reload: "live",
      doc: "A regular expression that the peer's whole name matches, as in `whitelist`.",
      example: "'(.+\\.)?friends\\.example'",
    }),
    glob: optional(pattern, { reload: "live", doc: "The same as a glob.", example: "'*.example.net'" }),
    type: required(oneOf(LOCAL_TYPES), { reload: "live", doc: "As `sampling.type`.", example: "const" }),
    param,
  },
  (file, refuse) => ({
    kind: file.glob === undefined ? ("regex" as const) : ("glob" as const),
    text: file.glob ?? file.regex ?? "",
    sampler: { type: file.type, param: checkParam(file, refuse) },
  }),
  { oneOf: ["regex", "glob"] },
);

const SAMPLING_URL = "http://127.0.0.1:5778/sampling";
const POLL_INTERVAL = "60s";
const POLL_INTERVAL_MS = 60_000;
const REMOTE_MAX_PER_SECOND = 100;

const REMOTE: Remote = {
  url: SAMPLING_URL,
  file: undefined,
  pollIntervalMs: POLL_INTERVAL_MS,
  maxProbability: 1,
  maxPerSecond: REMOTE_MAX_PER_SECOND,
  cacheFile: undefined,
};

const remote = section(
  {
    url: optional(httpUrl(), {
      reload: "live",
      doc: "Jaeger's sampling endpoint, whole; `service` is added to its query.",
      byDefault: `\`${SAMPLING_URL}\``,
      example: SAMPLING_URL,
    }),
    file: optional(filePath(), {
      reload: "live",
      doc: "A strategy file in Jaeger's format, in the place of an endpoint. It is read again when it changes; a bad one changes nothing.",
      example: "strategies.json",
    }),
    poll_interval: defaulted(duration("100ms", "24h"), POLL_INTERVAL, {
      reload: "live",
      doc: "How often the endpoint is asked, give or take a tenth.",
    }),
    max_probability: defaulted(decimal(0, 1), 1, {
      reload: "live",
      doc: "The most that a strategy may set a probability to.",
      example: "0.1",
    }),
    max_per_second: defaulted(decimal(0, TRACES_PER_SECOND_MAX), REMOTE_MAX_PER_SECOND, {
      reload: "live",
      doc: "The most traces a second that a strategy may set a rate limit, or the lower bound of an operation, to. `max_probability` does not bound these.",
    }),
    cache_file: optional(filePath(), {
      reload: "live",
      doc: "Where the last good strategy of an endpoint is kept, so that a start without the endpoint has it. It is written by this program.",
      byDefault: "`fedtrace-sampling.json` in `$STATE_DIRECTORY`, which systemd sets, else beside the config",
      example: "/var/lib/fedtrace/sampling.json",
    }),
  },
  (file, refuse): Remote => {
    if (file.url !== undefined && file.file !== undefined) {
      refuse("file", "is given beside url; allowed: one of the two");
    }
    return {
      url: file.file === undefined ? (file.url ?? SAMPLING_URL) : undefined,
      file: file.file,
      pollIntervalMs: file.poll_interval,
      maxProbability: file.max_probability,
      maxPerSecond: file.max_per_second,
      cacheFile: file.cache_file,
    };
  },
);

const tail = section(
  {
    errors: defaulted(flag(), true, {
      reload: "restart",
      doc: "Requests that ended in an error (a server's 5xx, or no answer, also because the client went away; on the way out 4xx too) are recorded, whatever the sampler said.",
    }),
    slower_than: optional(duration("1ms", "1h"), {
      reload: "restart",
      doc: "So are those that took longer than this.",
      byDefault: "no limit",
      example: "2s",
    }),
    hold: defaulted(duration("100ms", "5m"), "10s", {
      reload: "restart",
      doc: "How long the spans of unsampled requests are held, so that a trace which fails later still has those that came before.",
    }),
    spans: defaulted(integer(1, 1_000_000), 10_000, {
      reload: "restart",
      doc: "Spans that are held at once.",
    }),
    size: defaulted(size("64KiB", "1GiB"), "8MiB", {
      reload: "restart",
      doc: "Memory that they may take, about.",
    }),
    max_per_second: defaulted(decimal(0.01, 10_000), 10, {
      reload: "restart",
      doc: "Traces a second that are let out for an error or for being slow, each with all of its spans: when everything fails, some of it is enough. Strangers get half of it at most.",
    }),
  },
  (file, refuse): Tail => {
    if (!file.errors && file.slower_than === undefined) {
      refuse(
        "errors",
        "is false without slower_than, so nothing would be kept; allowed: true, or a slower_than",
      );
    }
    return {
      errors: file.errors,
      slowerThanMs: file.slower_than,
      holdMs: file.hold,
      spansMax: file.spans,
      bytesMax: file.size,
      maxPerSecond: file.max_per_second,
    };
  },
);

/** The whole section. */
export const sampling = section(
  {
    type: required(oneOf([...LOCAL_TYPES, "remote"]), {
      reload: "live",
      doc: "`const`: all or none. `probabilistic`: a fraction, by trace id, so that all servers agree. `ratelimiting`: so many a second. `remote`: what Jaeger, or a strategy file, says.",
      example: "probabilistic",
    }),
    param: optional(decimal(0, TRACES_PER_SECOND_MAX), {
      reload: "live",
      doc: `${PARAM_DOC} For \`remote\` the fraction until there is a strategy.`,
      byDefault: "1 for `const`, 0.001 for `remote`; needed by `probabilistic` and `ratelimiting`",
      example: "0.01",
    }),
    operations: defaulted(list(operation, OPERATIONS_MAX), [], {
      reload: "live",
      doc: "Samplers of single operations; the first that matches counts. With `remote` they go before what the strategy says.",
      example:
        "[{ method: PUT, template: '/_matrix/federation/v1/send/{txnId}', type: probabilistic, param: 0.5 }]",
    }),
    peers: defaulted(list(peer, PEERS_MAX), [], {
      reload: "live",
      doc: "Samplers of single peers, which go before those of operations; the first that matches counts. Inbound a peer must be whitelisted and proven.",
      example: "[{ glob: '*.example.net', type: const, param: 1 }]",
    }),
    lower_bound: defaulted(decimal(0, 1000), 0, {
      reload: "live",
      doc: "Traces a second that each operation gets at least, though its sampler says less, so that rare ones are seen at all; 0.1 is one in ten seconds. `max_per_second` and exporters that fall behind go before it; samplers of `peers` have none.",
      example: "0.1",
    }),
    max_per_second: optional(decimal(0.01, TRACES_PER_SECOND_MAX), {
      reload: "live",
      doc: "New traces a second of the whole sidecar, whoever asks for them; half of it at least is for the own server and whitelisted peers. Debug passes and `tail` go beyond it. A trace that is kept is kept for a minute, with all of its requests.",
      byDefault: "no bound",
      example: "100",
    }),
    remote: optional(remote, { reload: "live", doc: "Where the strategy comes from, for type `remote`." }),
    tail: optional(tail, {
      reload: "restart",
      doc: "What is recorded although the sampler did not take it, once it is known how it ended. Each unsampled request costs about as much then as a sampled one.",
    }),
    debug_pass_secret: optional(secret(DEBUG_PASS_SECRET_MIN), {
      reload: "live",
      doc: "What debug passes are signed with: `fedtrace debug-pass` gives a whitelisted peer's operator a token, and requests of that peer that carry it in `fedtrace-debug-pass` are traced whatever the sampler says, as many traces as the token says until it expires. `openssl rand -hex 32` makes one; another one makes all passes void. **Danger:** whoever has it can give passes. Take it from the environment rather than write it here.",
      byDefault: "none: no pass is given or taken",
      example: "${FEDTRACE_DEBUG_PASS_SECRET}",
    }),
  },
  (file, refuse): Sampling => {
    const { type, remote: source } = file;
    if (source !== undefined && type !== "remote") {
      refuse("remote", `is given for type ${type}; allowed: leave it out, or type: remote`);
    }
    return {
      type,
      param: checkParam(file, refuse),
      operations: file.operations,
      peers: file.peers,
      lowerBound: file.lower_bound,
      maxPerSecond: file.max_per_second,
      remote: type === "remote" ? (source ?? REMOTE) : undefined,
      tail: file.tail,
      debugPassSecret: file.debug_pass_secret,
    };
  },
);
