/**
 * From a request's facts to its encoded span, in about a microsecond.
 *
 * Nearly all of a server span's bytes are the same in thousands of requests: keys, the method, the route, the status, what the
 * border decided. These are kept encoded, one template for each combination, and copied as a whole; ids, times and the few
 * texts that are each request's own are written around them. What does not fit (an error, a retry, a text beyond ASCII,
 * a method that is not known, an outbound span) takes the general way: a record, and otlp-span.ts. Both give the same span
 * (test/span/span-encoder.test.ts compares them), but for the order of attributes, which means nothing.
 */

import { cutText, type ServerFacts, serverAttributes } from "./conventions.ts";
import { createSpanPages, type EncodedSpan } from "./encoded-span.ts";
import {
  createSpanOutput,
  encodeKey,
  KIND_OFFSET,
  SPAN,
  spanFlags,
  writeAttributes,
  writeSpan,
  writeUnixMs,
} from "./otlp-span.ts";
import { SPAN_KIND_SERVER, type SpanOrigin, type SpanRecord, traceFlagsOf } from "./record.ts";
import { redactQuery } from "./redact.ts";
import { draftToRecord, type SpanDraft } from "./span-draft.ts";
import { methodNumber } from "./span-name.ts";

/** Attributes that are written for each span; all others are in its template. */
const OWN_KEYS = [
  "url.path",
  "url.query",
  "user_agent.original",
  "fedtrace.peer.name",
  "fedtrace.headers.removed",
  "server.address",
  "server.port",
  "client.address",
  "network.peer.address",
  "network.peer.port",
  "sampler.type",
  "sampler.param",
] as const;
type OwnKey = (typeof OWN_KEYS)[number];

/** Routes times combinations that are met in practice are some dozens; a peer can choose method, version and context. */
const TEMPLATES_PER_ROUTE_MAX = 64;
/** Routes are as many as the config and the tables of routes name, and none. */
const ROUTES_MAX = 1024;

/** What repeats: `head` is the name and kind, `attributes` all but `OWN_KEYS`. */
interface Template {
  readonly head: Uint8Array;
  readonly attributes: Uint8Array;
}

export interface SpanEncoder {
  encode(draft: SpanDraft): EncodedSpan;
  /** The general way, for a record that was read out of an encoded span and changed. It keeps its own origin. */
  encodeRecord(record: SpanRecord): EncodedSpan;
}

/** With pages of its own. @param origin shared by all its spans */
export function createSpanEncoder(origin: SpanOrigin): SpanEncoder {
  const output = createSpanOutput();
  const { writer } = output;
  const pages = createSpanPages();
  const routes = new Map<string, Map<number, Template>>();
  /** Encoded, by the sampler's own object: one for each thing that it can decide. */
  const samplers = new WeakMap<object, Uint8Array>();
  const keys = Object.fromEntries(OWN_KEYS.map((key) => [key, encodeKey(key)])) as Record<OwnKey, Uint8Array>;

  function templateFor(draft: SpanDraft, facts: ServerFacts): Template | undefined {
    const signature = signatureOf(facts);
    if (signature === undefined || draft.error !== undefined) return undefined;
    const route = facts.route ?? "";
    let templates = routes.get(route);
    if (templates === undefined) {
      if (routes.size >= ROUTES_MAX) routes.clear();
      routes.set(route, (templates = new Map()));
    }
    const known = templates.get(signature);
    if (known !== undefined) return known;
    if (templates.size >= TEMPLATES_PER_ROUTE_MAX) templates.clear();
    const made = createTemplate(draft, facts);
    templates.set(signature, made);
    return made;
  }

  function createTemplate({ name }: SpanDraft, facts: ServerFacts): Template {
    const own: ReadonlySet<string> = new Set(OWN_KEYS);
    const attributes = Object.entries(serverAttributes(facts)).filter(([key]) => !own.has(key));
    writer.reset();
    writer.text(SPAN.NAME, name);
    writer.varint(SPAN.KIND);
    writer.varint(SPAN_KIND_SERVER + KIND_OFFSET);
    const head = new Uint8Array(writer.finish());
    writer.reset();
    writeAttributes(output, SPAN.ATTRIBUTES, Object.fromEntries(attributes));
    return { head, attributes: new Uint8Array(writer.finish()) };
  }

  /** @returns false where a text has to go the general way; what was written is of no use then */
  function writeOwn(facts: ServerFacts): boolean {
    const { border, peer, server, clientAddress } = facts;
    const query = facts.query === undefined ? "" : cutText(redactQuery(cutText(facts.query)));
    let isAscii = writer.asciiAttribute(SPAN.ATTRIBUTES, keys["url.path"], cutText(facts.path));
    if (query !== "") isAscii &&= writer.asciiAttribute(SPAN.ATTRIBUTES, keys["url.query"], query);
    isAscii &&= writeText(keys["user_agent.original"], facts.userAgent);
    isAscii &&= writeText(keys["fedtrace.peer.name"], border.peerName);
    writer.integerAttribute(SPAN.ATTRIBUTES, keys["fedtrace.headers.removed"], border.headersRemoved);
    if (server !== undefined) {
      isAscii &&= writeText(keys["server.address"], server.address);
      if (server.port !== undefined) {
        writer.integerAttribute(SPAN.ATTRIBUTES, keys["server.port"], server.port);
      }
    }
    if (clientAddress !== undefined) {
      isAscii &&= writer.asciiAttribute(SPAN.ATTRIBUTES, keys["client.address"], cutText(clientAddress));
    }
    if (peer !== undefined) {
      isAscii &&= writer.asciiAttribute(SPAN.ATTRIBUTES, keys["network.peer.address"], peer.address);
      if (peer.port !== undefined) {
        writer.integerAttribute(SPAN.ATTRIBUTES, keys["network.peer.port"], peer.port);
      }
    }
    return isAscii;
  }

  function encodeSampler({ type, param }: NonNullable<ServerFacts["sampling"]["sampler"]>): Uint8Array {
    writer.reset();
    writeAttributes(output, SPAN.ATTRIBUTES, { "sampler.type": type, "sampler.param": param });
    return new Uint8Array(writer.finish());
  }

  /** Before anything is written: what is not known yet is encoded with the same writer. */
  function samplerBytes({ sampling: { sampler } }: ServerFacts): Uint8Array | undefined {
    if (sampler === undefined) return undefined;
    let bytes = samplers.get(sampler);
    if (bytes === undefined) samplers.set(sampler, (bytes = encodeSampler(sampler)));
    return bytes;
  }

  /** As conventions.ts has it: a text that is empty is no attribute. */
  function writeText(key: Uint8Array, text: string | undefined): boolean {
    return text === undefined || text === "" || writer.asciiAttribute(SPAN.ATTRIBUTES, key, cutText(text));
  }

  function writeFast(draft: SpanDraft, facts: ServerFacts): boolean {
    const template = templateFor(draft, facts);
    if (template === undefined) return false;
    const { context, parent, startUnixMs } = draft;
    const sampler = samplerBytes(facts);
    writer.reset();
    writer.hex(SPAN.TRACE_ID, context.traceId);
    writer.hex(SPAN.SPAN_ID, context.spanId);
    if (context.traceState !== "") writer.text(SPAN.TRACE_STATE, context.traceState);
    if (parent !== undefined) writer.hex(SPAN.PARENT_SPAN_ID, parent.spanId);
    writer.raw(template.head);
    writeUnixMs(writer, SPAN.START, startUnixMs);
    writeUnixMs(writer, SPAN.END, Math.max(startUnixMs, draft.endUnixMs));
    writer.raw(template.attributes);
    if (sampler !== undefined) writer.raw(sampler);
    if (!writeOwn(facts)) return false;
    writer.varint(SPAN.FLAGS);
    writer.fixed32(spanFlags(traceFlagsOf(context), parent !== undefined));
    return true;
  }

  function writeWhole(record: SpanRecord): void {
    writer.reset();
    writeSpan(output, record);
  }

  return {
    encode(draft) {
      const { server } = draft;
      if (server === undefined || !writeFast(draft, server)) writeWhole(draftToRecord(origin, draft));
      return pages.keep(origin, draft.context.traceId, writer);
    },
    encodeRecord(record) {
      writeWhole(record);
      return pages.keep(record.origin, record.traceId, writer);
    },
  };
}

const PROOFS: readonly string[] = [
  "none",
  "claimed",
  "network",
  "mtls",
  "signature",
] satisfies ServerFacts["border"]["proof"][];
const CONTEXTS: readonly string[] = [
  "absent",
  "extracted",
  "restarted",
  "refused",
] satisfies ServerFacts["border"]["context"][];

const ASKED: readonly unknown[] = [
  undefined,
  "sampled",
  "not_sampled",
  "debug",
] satisfies ServerFacts["sampling"]["asked"][];
const DECIDED: readonly string[] = [
  "local",
  "forced",
  "own",
  "debug_pass",
] satisfies ServerFacts["sampling"]["decided"][];

/** What a template depends on besides the route, as one number. @returns undefined for what has no template */
function signatureOf(facts: ServerFacts): number | undefined {
  const { status, border, sampling } = facts;
  const number = methodNumber(facts.method);
  const hasRare = facts.resendCount > 0 || facts.bodyContexts > 0 || facts.proofRefusal !== undefined;
  const decided = DECIDED.indexOf(sampling.decided);
  if (number === undefined || status === undefined || hasRare || decided === -1) return undefined;
  return (
    number |
    (facts.scheme === "https" ? 1 << 4 : 0) |
    (facts.protocolVersion === "1.1" ? 1 << 5 : 0) |
    (border.isWhitelisted ? 1 << 6 : 0) |
    (PROOFS.indexOf(border.proof) << 7) |
    (CONTEXTS.indexOf(border.context) << 10) |
    (status << 12) |
    (ASKED.indexOf(sampling.asked) << 22) |
    (decided << 24)
  );
}
