/**
 * A request's facts as span attributes: OpenTelemetry's HTTP conventions, stable set, and fedtrace's own.
 *
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (1.45) and section 4 of the contract. Header values
 * are never recorded but the user agent's; secrets in the URL are replaced (redact.ts). Every text is at most
 * 1,024 characters and is copied: a slice of a request's head would keep the whole head in memory for as long
 * as the span waits in a queue.
 */

import type { ErrorCode } from "../core/errors.ts";
import type { Attributes } from "./record.ts";
import { redactAuthority, redactQuery } from "./redact.ts";
import { knownMethod, OTHER_METHOD } from "./span-name.ts";

/** Longer texts are cut. A path of Matrix has at most some 600; back ends cut or refuse at a few thousand. */
const TEXT_MAX = 1024;

/** The conventions' bounds: a server's answer below 500 is the client's fault, not the server's. */
const SERVER_ERROR_FROM = 500;
const CLIENT_ERROR_FROM = 400;

/** What the border decided about the peer and its trace headers; the `fedtrace.*` attributes. */
export interface BorderFacts {
  /** The server name of the other side, where one is known. */
  readonly peerName: string | undefined;
  /** What was reached, not what was asked for. */
  readonly proof: "signature" | "mtls" | "network" | "claimed" | "none";
  readonly isWhitelisted: boolean;
  readonly context: "extracted" | "restarted" | "refused" | "absent";
  /** Lines of trace and baggage headers taken from what arrived. */
  readonly headersRemoved: number;
}

/** Who asked for the span to be recorded, and who decided it. */
export interface SamplingFacts {
  /** What a trusted sender asked; undefined where it asked for nothing. `debug` never counts. */
  readonly asked: "sampled" | "not_sampled" | "debug" | undefined;
  /** sampling/decision.ts; `tail_…` of one that was held back at first (store/tail-buffer.ts). */
  readonly decided: "local" | "forced" | "own" | "debug_pass" | "tail_error" | "tail_slow" | "tail_asked";
  /**
   * What took it, as Jaeger's clients tell it: of a trace that begins here, and that the local sampler decided about. Jaeger's adaptive
   * sampling counts by it (https://www.jaegertracing.io/docs/1.76/sampling/#adaptive-sampling).
   */
  readonly sampler: { readonly type: string; readonly param: number | boolean } | undefined;
}

export interface Endpoint {
  readonly address: string;
  /** Undefined on a Unix socket. */
  readonly port: number | undefined;
}

interface HttpFacts {
  /** As received. */
  readonly method: string;
  readonly scheme: "http" | "https";
  /** As received: latin1 text (a head's bytes), percent-encoding untouched. */
  readonly path: string;
  /** Without the "?"; undefined where there is none. */
  readonly query: string | undefined;
  /** "1.0" or "1.1". */
  readonly protocolVersion: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;
  /** This program's own refusal or failure, where there is one. */
  readonly error: ErrorCode | undefined;
  /** The other end of the socket; undefined where it was never connected. */
  readonly peer: Endpoint | undefined;
  /** Inbound: from Host, the name that the client used. Outbound: the target's name. */
  readonly server: Endpoint | undefined;
  readonly border: BorderFacts;
  readonly sampling: SamplingFacts;
  /** How often this request was sent, or was to be sent, before; 0 for the first attempt. */
  readonly resendCount: number;
}

export interface ServerFacts extends HttpFacts {
  readonly route: string | undefined;
  /** The first hop that is known: the socket's address, or what a trusted proxy in front said. */
  readonly clientAddress: string | undefined;
  readonly userAgent: string | undefined;
  /** Why the signature that came proves nothing, in a word (proof/prover.ts); undefined where it was not asked for, or proves the name. */
  readonly proofRefusal: string | undefined;
  /** As a client span has it. */
  readonly bodyContexts: number;
}

export interface ClientFacts extends HttpFacts {
  /** `[userinfo@]host[:port]` of the target, as it was asked for. */
  readonly authority: string;
  /** Of a CONNECT tunnel, whose inside is not looked at: bytes both ways. It has no URL. */
  readonly tunnel: { readonly sentBytes: number; readonly receivedBytes: number } | undefined;
  /** The trace id that the peer was given, where that is not the span's own. */
  readonly peerTraceId: string | undefined;
  /** Places in the body that carry a trace context of their own (proxy/body-contexts.ts). */
  readonly bodyContexts: number;
}

/**
 * The span's error (`SpanFields.error`, and `error.type`): the own code, else the status where the conventions
 * call it an error for that side, else undefined.
 */
export function errorType(
  side: "server" | "client",
  status: number | undefined,
  error: ErrorCode | undefined,
): string | undefined {
  if (error !== undefined) return error;
  const from = side === "server" ? SERVER_ERROR_FROM : CLIENT_ERROR_FROM;
  return status !== undefined && status >= from ? String(status) : undefined;
}

/** Attributes of the SERVER span of an inbound request. */
export function serverAttributes(facts: ServerFacts): Attributes {
  const { border, peer, server } = facts;
  const path = cutText(facts.path);
  const query = cutText(redactQuery(cutText(facts.query ?? "")));
  const userAgent = cutText(facts.userAgent ?? "");
  const peerName = cutText(border.peerName ?? "");
  const serverAddress = cutText(server?.address ?? "");
  const copy = copyOf(path + query + userAgent + peerName + serverAddress);
  const userAgentAt = path.length + query.length;
  const peerNameAt = userAgentAt + userAgent.length;
  const serverAddressAt = peerNameAt + peerName.length;

  const attributes: Attributes = {
    "http.request.method": knownMethod(facts.method),
    "url.scheme": facts.scheme,
    "url.path": copy.slice(0, path.length),
    "network.protocol.version": facts.protocolVersion,
    "fedtrace.direction": "inbound",
    "fedtrace.peer.proof": border.proof,
    "fedtrace.whitelisted": border.isWhitelisted,
    "fedtrace.context": border.context,
    "fedtrace.headers.removed": border.headersRemoved,
    "fedtrace.sampling.decided": facts.sampling.decided,
  };
  // What may be absent comes after, always in this order, so that few shapes of object arise.
  if (facts.status !== undefined) attributes["http.response.status_code"] = facts.status;
  if (facts.route !== undefined) attributes["http.route"] = facts.route;
  if (query !== "") attributes["url.query"] = copy.slice(path.length, userAgentAt);
  if (userAgent !== "") attributes["user_agent.original"] = copy.slice(userAgentAt, peerNameAt);
  if (peerName !== "") attributes["fedtrace.peer.name"] = copy.slice(peerNameAt, serverAddressAt);
  if (serverAddress !== "") attributes["server.address"] = copy.slice(serverAddressAt);
  if (server?.port !== undefined) attributes["server.port"] = server.port;
  if (facts.clientAddress !== undefined) attributes["client.address"] = cutText(facts.clientAddress);
  addPeer(attributes, peer);
  if (facts.resendCount > 0) attributes["http.request.resend_count"] = facts.resendCount;
  if (facts.bodyContexts > 0) attributes["fedtrace.body.contexts"] = facts.bodyContexts;
  if (facts.proofRefusal !== undefined) attributes["fedtrace.peer.proof_refused"] = facts.proofRefusal;
  addSampling(attributes, facts.sampling);
  addRare(attributes, facts.method, errorType("server", facts.status, facts.error));
  return attributes;
}

/** Attributes of the CLIENT span of one outbound attempt. */
export function clientAttributes(facts: ClientFacts): Attributes {
  const { border, peer, server } = facts;
  const query = redactQuery(cutText(facts.query ?? ""));
  const origin = `${facts.scheme}://${redactAuthority(cutText(facts.authority))}`;
  const url = cutText(`${origin}${cutText(facts.path)}${query === "" ? "" : "?"}${query}`);
  const peerName = cutText(border.peerName ?? "");
  const serverAddress = cutText(server?.address ?? "");
  const copy = copyOf(url + peerName + serverAddress);
  const serverAddressAt = url.length + peerName.length;

  const attributes: Attributes = {
    "http.request.method": knownMethod(facts.method),
    "network.protocol.version": facts.protocolVersion,
    "fedtrace.direction": "outbound",
    "fedtrace.peer.proof": border.proof,
    "fedtrace.whitelisted": border.isWhitelisted,
    "fedtrace.context": border.context,
    "fedtrace.headers.removed": border.headersRemoved,
    "fedtrace.sampling.decided": facts.sampling.decided,
  };
  if (facts.tunnel === undefined) {
    attributes["url.full"] = copy.slice(0, url.length);
  } else {
    attributes["fedtrace.tunnel.bytes_sent"] = facts.tunnel.sentBytes;
    attributes["fedtrace.tunnel.bytes_received"] = facts.tunnel.receivedBytes;
  }
  if (facts.status !== undefined) attributes["http.response.status_code"] = facts.status;
  if (peerName !== "") attributes["fedtrace.peer.name"] = copy.slice(url.length, serverAddressAt);
  if (serverAddress !== "") attributes["server.address"] = copy.slice(serverAddressAt);
  if (server?.port !== undefined) attributes["server.port"] = server.port;
  addPeer(attributes, peer);
  if (facts.resendCount > 0) attributes["http.request.resend_count"] = facts.resendCount;
  if (facts.bodyContexts > 0) attributes["fedtrace.body.contexts"] = facts.bodyContexts;
  if (facts.peerTraceId !== undefined) attributes["fedtrace.peer.trace_id"] = facts.peerTraceId;
  addSampling(attributes, facts.sampling);
  addRare(attributes, facts.method, errorType("client", facts.status, facts.error));
  return attributes;
}

function addPeer(attributes: Attributes, peer: Endpoint | undefined): void {
  if (peer === undefined) return;
  attributes["network.peer.address"] = peer.address;
  if (peer.port !== undefined) attributes["network.peer.port"] = peer.port;
}

function addSampling(attributes: Attributes, { asked, sampler }: SamplingFacts): void {
  if (asked !== undefined) attributes["fedtrace.sampling.asked"] = asked;
  if (sampler === undefined) return;
  attributes["sampler.type"] = sampler.type;
  attributes["sampler.param"] = sampler.param;
}

function addRare(attributes: Attributes, method: string, error: string | undefined): void {
  if (knownMethod(method) === OTHER_METHOD) {
    attributes["http.request.method_original"] = copyOf(cutText(method));
  }
  if (error !== undefined) attributes["error.type"] = error;
}

/** A text as an attribute may have it: its first 1,024 characters. */
export function cutText(text: string): string {
  return text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text;
}

/** Bytes of its own: one copy of all of a span's texts costs a third of one for each (measured: 0.2 µs). */
function copyOf(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("latin1");
}
