/**
 * One pass over a request's marks: what it says about its sender and its trace, and which lines must go.
 *
 * Lines that `Connection` nominates go first and count as never sent (contract rule 9), so a sender can neither
 * hide a trace header from the scrubbing nor have a nominated one believed.
 */

import { type Cuts, FIELD, fieldValue, MARK_SIZE } from "../http1/fields.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { CONTEXT_FIELDS, type ContextField, type ContextLines } from "../propagation/extract.ts";
import { TAG } from "./field-tags.ts";
import { findNominated, withNominated } from "./nominated.ts";
import { rewriteFraming } from "./rewrite.ts";

export interface RequestFields {
  /** Lines to leave out, ascending. */
  readonly cuts: Cuts;
  /** How many of them are trace or baggage headers. */
  readonly removed: number;
  /** Context or forcing headers were among them. */
  readonly hasContext: boolean;
  readonly context: ContextLines;
  /** A header asks to be recorded whatever the sampler says, as Jaeger's debug id does; `0` asks for nothing. */
  readonly hasForcing: boolean;
  /** Of the first such line; undefined where there is none. */
  readonly debugPass: string | undefined;
  readonly authorization: readonly string[];
  readonly proxyAuthorization: readonly string[];
  readonly signature: readonly string[];
  readonly signatureInput: readonly string[];
  readonly userAgent: string | undefined;
  /** The protocol asked for, where the client asked for an upgrade that may be passed on. */
  readonly upgrade: string | undefined;
  /** The line that frames the body, with its CRLF, to be written in the place of one that was cut; most often "". */
  readonly framing: string;
}

export interface FieldRules {
  /** Inbound: X-Forwarded-* and Forwarded are cut, since they are the sidecar's to say (client.ts reads them). */
  readonly isForwardedCut: boolean;
  /** Outbound, where Host must be written anew (RFC 9112 section 3.2.2). */
  readonly isHostCut: boolean;
}

const NO_LINES: readonly string[] = [];
const NO_CONTEXT: ContextLines = new Map();

/** @param rules what the direction adds to the lines that go anyway */
export function readRequestFields(head: RequestHead, rules: FieldRules): RequestFields {
  const { marks } = head;
  const nominated = findNominated(head);
  const values: Values = { upgradeAllowed: isUpgradeAllowed(head) };
  const cuts: Cuts = [];
  let removed = 0;
  let hasContext = false;

  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    const tag = marks[index] ?? 0;
    const start = marks[index + 1] ?? 0;
    const isNominated = nominated !== undefined && nominated.has(start);
    const isTrace = tag >= TAG.TRACE;
    if (isTrace) removed++;
    if (isTrace && !isNominated) hasContext = noteTrace(values, head, index) || hasContext;
    if (isTrace || isNominated || isLineCut(head, index, rules, values)) {
      cuts.push(start, marks[index + 3] ?? start);
    }
  }
  return {
    cuts: withNominated(cuts, nominated),
    removed,
    hasContext,
    context: values.context ?? NO_CONTEXT,
    hasForcing: values.hasForcing ?? false,
    debugPass: values.debugPass,
    authorization: values.authorization ?? NO_LINES,
    proxyAuthorization: values.proxyAuthorization ?? NO_LINES,
    signature: values.signature ?? NO_LINES,
    signatureInput: values.signatureInput ?? NO_LINES,
    userAgent: values.userAgent,
    upgrade: values.upgrade,
    framing: values.framing ?? "",
  };
}

/** Reads a line that names a trace. @returns whether it continues one, or asks something of the tracer */
function noteTrace(values: Values, { text, marks }: RequestHead, index: number): boolean {
  const tag = marks[index] ?? 0;
  if (tag === TAG.BAGGAGE || tag === TAG.SERVER_TIMING) return false;
  if (tag === TAG.DEBUG_PASS) {
    values.debugPass ??= fieldValue(text, marks, index);
    return false;
  }
  if (tag === TAG.FORCING) values.hasForcing ||= fieldValue(text, marks, index) !== "0";
  if (tag >= TAG.CONTEXT_READ) noteContext(values, tag, fieldValue(text, marks, index));
  return true;
}

/** Whether a line that names no trace must go; notes what it says on the way. */
function isLineCut(head: RequestHead, index: number, rules: FieldRules, values: Values): boolean {
  const { text, marks } = head;
  switch (marks[index]) {
    case FIELD.CONNECTION:
    case FIELD.KEEP_ALIVE:
    case FIELD.HOP:
      return true;
    case FIELD.TE:
      return fieldValue(text, marks, index).toLowerCase() !== "trailers";
    case FIELD.UPGRADE: {
      const protocol = fieldValue(text, marks, index);
      const isPassed = values.upgradeAllowed && values.upgrade === undefined && isUpgradePassed(protocol);
      if (isPassed) values.upgrade = protocol;
      return !isPassed;
    }
    case FIELD.HOST:
      return rules.isHostCut;
    case FIELD.CONTENT_LENGTH:
    case FIELD.TRANSFER_ENCODING:
      values.framing = rewriteFraming(text, marks, index);
      return values.framing !== undefined;
    case TAG.FORWARDED:
      return rules.isForwardedCut;
    case TAG.PROXY_AUTHORIZATION:
      (values.proxyAuthorization ??= []).push(fieldValue(text, marks, index));
      return true;
    case TAG.AUTHORIZATION:
      (values.authorization ??= []).push(fieldValue(text, marks, index));
      return false;
    case TAG.SIGNATURE:
      (values.signature ??= []).push(fieldValue(text, marks, index));
      return false;
    case TAG.SIGNATURE_INPUT:
      (values.signatureInput ??= []).push(fieldValue(text, marks, index));
      return false;
    case TAG.USER_AGENT:
      values.userAgent ??= fieldValue(text, marks, index);
      return false;
    default:
      return false;
  }
}

/** Filled only by what is there: most requests have two of these. */
interface Values {
  context?: ReadLines;
  hasForcing?: boolean;
  debugPass?: string;
  authorization?: string[];
  proxyAuthorization?: string[];
  signature?: string[];
  signatureInput?: string[];
  userAgent?: string;
  readonly upgradeAllowed: boolean;
  upgrade?: string;
  framing?: string | undefined;
}

/** An upgrade has no body here: where it ended would be read by two parsers that speak different protocols. */
function isUpgradeAllowed(head: RequestHead): boolean {
  return head.connection.isUpgrade && !head.isHttp10 && head.bodyLength === 0;
}

function noteContext(values: Values, tag: number, value: string): void {
  (values.context ??= new ReadLines()).add(tag - TAG.CONTEXT_READ, value);
}

/** Lines by the index of their header in `CONTEXT_FIELDS`. A class because a Map of them costs most requests half a kilobyte. */
class ReadLines implements ContextLines {
  size = 0;
  readonly #lines: (string[] | undefined)[] = [];

  add(field: number, value: string): void {
    const lines = this.#lines[field];
    if (lines !== undefined) {
      lines.push(value);
      return;
    }
    while (this.#lines.length < field) this.#lines.push(undefined);
    this.#lines[field] = [value];
    this.size++;
  }

  get(field: ContextField): readonly string[] | undefined {
    return this.#lines[CONTEXT_FIELDS.indexOf(field)];
  }
}

/**
 * h2c is never passed on: behind a successful upgrade the sidecar would be blind, and requests could be smuggled
 * past every rule (https://bishopfox.com/blog/h2c-smuggling-request-via-http).
 */
function isUpgradePassed(protocol: string): boolean {
  return (
    /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)?$/.test(protocol) && !/^(?:h2c|h2|http|tls)\b/i.test(protocol)
  );
}
