/**
 * What `init` asks on a terminal: one question a choice, each with its meaning, a default in brackets and the config's own
 * rules for the answer. A wrong answer is told and asked again.
 *
 * Not asked: what has a default that fits (limits, log, admin).
 */

import { resolve } from "node:path";
import type { Parsed } from "../config/fault.ts";
import type { SamplerWords } from "../config/schema-sampling.ts";
import { lintPattern } from "../peer/pattern-lint.ts";
import { checkPattern, type Pattern } from "../peer/pattern.ts";
import {
  DEFAULT_DRAFT,
  type Draft,
  type ExportLine,
  OUTBOUND_LISTEN,
  type WhitelistLine,
} from "./init-draft.ts";
import { docOf, faultOf } from "./init-rules.ts";

/** Somebody at a terminal. */
export interface Dialogue {
  tell(line: string): void;
  /** One line, without its end; undefined: there will be no more. */
  ask(prompt: string): Promise<string | undefined>;
}

/** The config's own bound (schema-border.ts); nobody types that many. */
const ENTRIES_MAX = 1000;

/** @returns undefined where the answers end before the questions do */
export async function askForDraft(dialogue: Dialogue): Promise<Draft | undefined> {
  try {
    return await askAll(dialogue);
  } catch (error) {
    if (error instanceof AnswersEnded) return undefined;
    throw error;
  }
}

/** Thrown through the questions, which all end with the first that gets no answer. */
class AnswersEnded extends Error {}

async function askAll(dialogue: Dialogue): Promise<Draft> {
  const text = (key: string, byDefault: string): Promise<string> =>
    askUntil(dialogue, { about: docOf(key), name: key, byDefault }, (answer) =>
      judged(answer, faultOf(documentOf(key, answer), key)),
    );
  const { serverName, listen, upstream } = DEFAULT_DRAFT;
  return {
    ...DEFAULT_DRAFT,
    serverName: await text("server_name", serverName),
    listen: await text("inbound.listen", listen),
    upstream: await text("inbound.upstream", upstream),
    tls: await askTls(dialogue),
    outboundListen: await askOutbound(dialogue, text),
    whitelist: await askWhitelist(dialogue),
    sampling: await askSampling(dialogue),
    exports: await askExports(dialogue),
    usageEndpoint: await askUsageReports(dialogue),
  };
}

interface Question {
  /** Whole sentences, told once; empty where the question is about what was just said. */
  readonly about: string;
  readonly name: string;
  /** What Enter stands for. */
  readonly byDefault: string;
}

async function askUntil<T>(
  dialogue: Dialogue,
  { about, name, byDefault }: Question,
  parse: (answer: string) => Parsed<T> | Promise<Parsed<T>>,
): Promise<T> {
  if (about !== "") for (const line of ["", about]) dialogue.tell(line);
  for (;;) {
    const answer = await dialogue.ask(`${name} [${byDefault}]: `);
    if (answer === undefined) throw new AnswersEnded();
    const parsed = await parse(answer.trim() === "" ? byDefault : answer.trim());
    if ("value" in parsed) return parsed.value;
    dialogue.tell(`  That ${parsed.refused}.`);
  }
}

function judged<T>(value: T, fault: string | undefined): Parsed<T> {
  return fault === undefined ? { value } : { refused: fault };
}

/** `inbound.listen` and its value as the config would hold them. */
function documentOf(key: string, value: unknown): unknown {
  return key.split(".").reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
}

const NONE = "none";

async function askTls(dialogue: Dialogue): Promise<Draft["tls"]> {
  const certificate = await askUntil(
    dialogue,
    {
      about: `${docOf("inbound.tls")} A path counts from this directory. ${docOf("inbound.tls.certificate")}`,
      name: "inbound.tls.certificate",
      byDefault: NONE,
    },
    (answer): Parsed<string | undefined> => {
      if (answer === NONE) return { value: undefined };
      const path = resolve(answer);
      return judged(path, faultOf({ inbound: { tls: { certificate: path } } }, "inbound.tls.certificate"));
    },
  );
  if (certificate === undefined) return undefined;
  return askUntil(
    dialogue,
    { about: docOf("inbound.tls.private_key"), name: "inbound.tls.private_key", byDefault: "privkey.pem" },
    (answer) => {
      const privateKey = resolve(answer);
      const document = { inbound: { tls: { certificate, private_key: privateKey } } };
      return judged({ certificate, privateKey }, faultOf(document, "inbound.tls.private_key"));
    },
  );
}

function askYes(dialogue: Dialogue, about: string, name: string): Promise<boolean> {
  return askUntil(dialogue, { about, name, byDefault: "no" }, (answer) => {
    const word = answer.toLowerCase();
    if (word === "y" || word === "yes") return { value: true };
    return word === "n" || word === "no" ? { value: false } : { refused: "is neither yes nor no" };
  });
}

async function askOutbound(
  dialogue: Dialogue,
  text: (key: string, byDefault: string) => Promise<string>,
): Promise<string | undefined> {
  const about =
    "A way out: a forward proxy for the requests of the own server, so that they get spans, and trace context where the whitelist lets it out. It takes matrix-federation:// (Synapse), https:// and http:// targets, and CONNECT.";
  if (!(await askYes(dialogue, about, "outbound"))) return undefined;
  const listen = await text("outbound.listen", OUTBOUND_LISTEN);
  if (!/^(?:localhost|127\.[\d.]+|\[::1\]):/.test(listen)) {
    dialogue.tell("  Danger: that is not a loopback address. Set outbound.shared_secret before it runs.");
  }
  return listen;
}

async function askWhitelist(dialogue: Dialogue): Promise<readonly WhitelistLine[]> {
  dialogue.tell("");
  dialogue.tell(docOf("whitelist"));
  dialogue.tell(
    "One entry a line: a regular expression such as matrix\\.org, or glob:*.example.net; Enter ends the list.",
  );
  const lines: WhitelistLine[] = [];
  while (lines.length < ENTRIES_MAX) {
    const answer = await dialogue.ask(`whitelist, entry ${lines.length + 1} [no more]: `);
    if (answer === undefined) throw new AnswersEnded();
    if (answer.trim() === "") break;
    const line = await askEntry(dialogue, answer.trim());
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

/** @returns undefined where it can't be used or, being doubtful, isn't wanted after all */
async function askEntry(dialogue: Dialogue, answer: string): Promise<WhitelistLine | undefined> {
  const glob = /^glob:\s*(.*)$/s.exec(answer)?.[1];
  const pattern: Pattern =
    glob === undefined ? { kind: "regex", text: answer } : { kind: "glob", text: glob };
  const refused = checkPattern(pattern);
  if (refused !== undefined) {
    dialogue.tell(`  Not usable: ${refused}.`);
    return undefined;
  }
  const doubts = await lintPattern(pattern);
  if (doubts.length === 0) return { pattern, doubts };
  for (const doubt of doubts) dialogue.tell(`  Careful: it ${doubt}.`);
  return (await askYes(dialogue, "", "  keep it as it is")) ? { pattern, doubts } : undefined;
}

function askSampling(dialogue: Dialogue): Promise<SamplerWords> {
  const about = `${docOf("sampling")} A fraction from 0 (none) to 1 (all), or so many traces a second, such as 5/s. Each recorded trace costs memory here and room in every back end.`;
  return askUntil(
    dialogue,
    { about, name: "sampling", byDefault: "0.01" },
    (answer): Parsed<SamplerWords> => {
      const [, number = "", perSecond] = /^(\d+(?:\.\d+)?)(\/s)?$/.exec(answer) ?? [];
      if (number === "") return { refused: "is neither a fraction such as 0.01 nor a rate such as 5/s" };
      const param = Number(number);
      const type =
        perSecond !== undefined ? "ratelimiting" : param === 0 || param === 1 ? "const" : "probabilistic";
      const sampling = { type, param } as const;
      const document = { sampling };
      return judged(sampling, faultOf(document, "sampling.param") ?? faultOf(document, "sampling"));
    },
  );
}

async function askExports(dialogue: Dialogue): Promise<readonly ExportLine[]> {
  const about = `${docOf("export")} The built-in page shows the latest traces in any case. page: nothing else. otlp: a Jaeger of today, Tempo, any collector. jaeger: a Jaeger agent of old, over UDP.`;
  const kind = await askUntil(
    dialogue,
    { about, name: "spans go to (page, otlp, jaeger)", byDefault: "page" },
    (answer) => {
      const word = (["page", "otlp", "jaeger"] as const).find((known) => known === answer.toLowerCase());
      if (word === undefined) return { refused: "is none of page, otlp, jaeger" };
      return judged(
        word,
        word === "jaeger"
          ? faultOf({ export: [{ jaeger: { agent: "127.0.0.1:6831" } }] }, "export[0].jaeger")
          : undefined,
      );
    },
  );
  if (kind === "page") return [];
  if (kind === "otlp") {
    const question = {
      about:
        "The whole URL; nothing is appended. Danger: traces say who talks to whom; off this machine use https.",
      name: "export otlp.url",
      byDefault: "http://127.0.0.1:4318/v1/traces",
    };
    return askUntil(dialogue, question, (url) =>
      judged([{ kind, url }], faultOf({ export: [{ otlp: { url } }] }, "export[0].otlp.url")),
    );
  }
  const question = {
    about: "The agent's host and UDP port. Danger: UDP is neither encrypted nor kept when nobody listens.",
    name: "export jaeger.agent",
    byDefault: "127.0.0.1:6831",
  };
  return askUntil(dialogue, question, (agent) =>
    judged([{ kind, agent }], faultOf({ export: [{ jaeger: { agent } }] }, "export[0].jaeger.agent")),
  );
}

/** Off unless somebody says yes, and says where to: nobody is asked to report to the makers of this. */
async function askUsageReports(dialogue: Dialogue): Promise<string | undefined> {
  const about =
    "Usage reports: every four hours some 1.5 kB of counts, such as requests a minute and active peers, without names, paths and addresses, to an endpoint of your choice. docs/telemetry.md says what is in them, `fedtrace report` prints one.";
  if (!(await askYes(dialogue, about, "usage_report"))) return undefined;
  const question = { about: docOf("usage_report.endpoint"), name: "usage_report.endpoint", byDefault: NONE };
  return askUntil(dialogue, question, (endpoint): Parsed<string | undefined> => {
    if (endpoint === NONE) return { value: undefined };
    const document = { usage_report: { enabled: true, endpoint } };
    return judged(endpoint, faultOf(document, "usage_report.endpoint"));
  });
}
