/**
 * A report's way in, step by step: who sends it and how often, what it says it is, its body, what it says, and the disk.
 * Only then it is acknowledged. Whatever is refused has a word that is counted, and an answer that says what is allowed.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type AdminAnswer, jsonAnswer } from "../admin/answer.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { type BodyLimits, type BodyRefusal, readBody } from "./body.ts";
import { type Client, sourceOf } from "./client.ts";
import type { CollectMetrics } from "./collect-metrics.ts";
import { errorAnswer, laterAnswer } from "./error-answer.ts";
import { readReport, type Refusal, type Report } from "./report.ts";
import type { TokenBuckets } from "./token-buckets.ts";
import type { WriteQueue } from "./write-queue.ts";

export interface ReceiveTools {
  readonly clock: Clock;
  /** A throttled one: what strangers cause is told here. */
  readonly log: Log;
  readonly metrics: CollectMetrics;
  readonly queue: WriteQueue;
  readonly addresses: TokenBuckets;
  readonly instances: TokenBuckets;
  readonly body: BodyLimits;
}

/** @returns undefined where nobody waits for an answer any more */
export type Receive = (
  request: IncomingMessage,
  response: ServerResponse,
  client: Client,
) => Promise<AdminAnswer | undefined>;

const METHODS = "PUT, POST";
const JSON_TYPE = /^application\/json *(?:;|$)/i;
/** After which a sender may try again; Synapse's next report is hours away. */
const BUSY_SECONDS = 5;
const AWAY_SECONDS = 30;
/** What is not read to its end leaves a connection that can't be used again. */
const CLOSE = { connection: "close" };

export function createReceive(tools: ReceiveTools): Receive {
  const { clock, log, metrics, queue, addresses, instances, body: limits } = tools;

  function refused(word: string, answer: AdminAnswer): AdminAnswer {
    metrics.refused(word);
    return answer;
  }

  return async (request, response, client) => {
    const atDoor = refuseAtDoor(request);
    if (atDoor !== undefined) return refused(...atDoor);
    // Who comes from this machine may be anybody on it; its address says nothing.
    const wait = client.isDirect ? 0 : addresses.take(sourceOf(client.address));
    if (wait > 0)
      return refused("address-rate", laterAnswer("RATE_LIMITED", "too many reports from this address", wait));
    const body = await readBody(request, response, limits);
    if (typeof body === "string") {
      metrics.refused(`body-${body}`);
      return bodyAnswer(body, limits);
    }
    const read = readReport(body, { unixMs: clock.unixMs(), userAgent: request.headers["user-agent"] });
    if ("refused" in read) return refused(read.refused.word, refusalAnswer(read.refused));
    const { value: report } = read;
    const instanceWait = instances.take(report.instance);
    if (instanceWait > 0) {
      const sentence = "too many reports of this homeserver";
      return refused("instance-rate", laterAnswer("RATE_LIMITED", sentence, instanceWait));
    }
    return store(report);
  };

  async function store(report: Report): Promise<AdminAnswer> {
    let outcome: Awaited<ReturnType<WriteQueue["add"]>>;
    try {
      outcome = await queue.add(report);
    } catch (error) {
      metrics.writeFailed();
      log.error("report not stored", { reason: error instanceof Error ? error.message : String(error) });
      const sentence = "the storage fails; nothing was stored, send it again";
      return refused("storage", laterAnswer("STORAGE_AWAY", sentence, AWAY_SECONDS));
    }
    if (outcome === "busy") {
      const sentence = "as many reports as may be are waiting to be stored; send it again";
      return refused("busy", laterAnswer("COLLECTOR_BUSY", sentence, BUSY_SECONDS));
    }
    if (outcome === "full") {
      log.warn("report of a new server refused", { reason: "as many servers as may be are known" });
      const sentence = "as many servers as may be are known here; reports of a new one are not taken";
      return refused("full", errorAnswer("COLLECTOR_FULL", sentence));
    }
    metrics.received(report.kind, outcome);
    return jsonAnswer(200, {});
  }
}

/** What can be told before a byte of the body is read. */
function refuseAtDoor({ method, headers }: IncomingMessage): [word: string, answer: AdminAnswer] | undefined {
  if (method !== "PUT" && method !== "POST") {
    const sentence = `a report is sent with one of the methods ${METHODS}`;
    return ["method", errorAnswer("METHOD_REFUSED", sentence, { allow: METHODS })];
  }
  // A web page of any site can have its readers' browsers send other types, but not this one.
  if (!JSON_TYPE.test(headers["content-type"] ?? "")) {
    const sentence = "a report is JSON: Content-Type has to be application/json";
    return ["type", errorAnswer("REPORT_TYPE_UNKNOWN", sentence, CLOSE)];
  }
  if (!/^(?:identity)?$/i.test(headers["content-encoding"] ?? "")) {
    const sentence = "a report is sent as it is: without a Content-Encoding";
    return ["encoding", errorAnswer("REPORT_TYPE_UNKNOWN", sentence, CLOSE)];
  }
  return undefined;
}

function bodyAnswer(refusal: BodyRefusal, { bytesMax, withinMs }: BodyLimits): AdminAnswer | undefined {
  if (refusal === "aborted") return undefined;
  if (refusal === "size")
    return errorAnswer("REPORT_TOO_LARGE", `a report has at most ${bytesMax} bytes`, CLOSE);
  return errorAnswer("BODY_TIMEOUT", `a report's body has to be here within ${withinMs / 1000} s`, CLOSE);
}

function refusalAnswer({ code, sentence }: Refusal): AdminAnswer {
  return errorAnswer(code, sentence);
}
