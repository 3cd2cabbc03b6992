/**
 * What the loader sends and the upstream answers: two requests that Synapse 1.163.2 sent to another Synapse, and its
 * answers, as captured, byte for byte but for what the variants change.
 *
 * A federating server hears from many servers, so each request comes in `VARIANTS` forms: other origins (of 64), trace
 * ids, signatures and transactions of the same length. Nothing that a proxy keeps by value is always hit.
 * Source: the project's recorded federation traffic (GET key, PUT send); JSON answers of Synapse are chunked.
 */

import { createHash } from "node:crypto";

const VARIANTS = 256;
const ORIGINS = 64;
/** The name of the server behind the proxy. */
export const SERVER_NAME = "hs2.test:8448";

/** @returns {string} lower-case hex, the same for the same seed */
function digits(seed, length) {
  return createHash("sha512").update(seed).digest("hex").slice(0, length);
}

/** @returns {string} what an Ed25519 signature looks like: unpadded base64 of 64 bytes */
function signature(seed) {
  return createHash("sha512").update(seed).digest("base64").slice(0, 86);
}

/**
 * The trace id that the variant's `Uber-Trace-Id` carries: 16 digits, as the Jaeger client of Synapse makes them.
 *
 * The highest of its 56 random bits count through the variants, out of order (151 is odd, so each of 256 values comes once):
 * a sampler that goes by the id takes 10 % at 10 % and 1 % at 1 %, not what chance gave these 256.
 */
export function traceIdOf(variant) {
  const random = digits(`trace ${variant}`, 16);
  return random.slice(0, 2) + ((variant * 151) % VARIANTS).toString(16).padStart(2, "0") + random.slice(4);
}

function shared(variant) {
  const origin = `hs${10 + (variant % ORIGINS)}.friends.example:8448`;
  const uber = `${traceIdOf(variant)}:${digits(`span ${variant}`, 16)}:${digits(`parent ${variant}`, 16)}:1`;
  const xMatrix = `X-Matrix origin="${origin}",key="ed25519:a_gorw",sig="${signature(`${variant}`)}",destination="${SERVER_NAME}"`;
  return { uber, xMatrix };
}

function keyRequest(variant) {
  const { uber, xMatrix } = shared(variant);
  return (
    `GET /_matrix/key/v2/server HTTP/1.1\r\nUber-Trace-Id: ${uber}\r\nUser-Agent: Synapse/1.163.2\r\n` +
    `Authorization: ${xMatrix}\r\nHost: ${SERVER_NAME}\r\nConnection: keep-alive\r\n\r\n`
  );
}

const SEND_BODY =
  '{"edus":[{"content":{"org.matrix.opentracing_context":"{}","push":[{"last_active_ago":856,"presence":"offline",' +
  '"user_id":"@alice:hs1.test:8448"}]},"edu_type":"m.presence"}],"origin":"hs1.test:8448",' +
  '"origin_server_ts":1795355016594,"pdus":[]}';

function sendRequest(variant) {
  const { uber, xMatrix } = shared(variant);
  return (
    `PUT /_matrix/federation/v1/send/${1_795_355_008_288 + variant} HTTP/1.1\r\n` +
    `Content-Length: ${SEND_BODY.length}\r\nUber-Trace-Id: ${uber}\r\nUser-Agent: Synapse/1.163.2\r\n` +
    `Content-Type: application/json\r\nAuthorization: ${xMatrix}\r\nHost: ${SERVER_NAME}\r\n` +
    `Connection: keep-alive\r\n\r\n${SEND_BODY}`
  );
}

const KEY_BODY =
  '{"old_verify_keys":{},"server_name":"hs2.test:8448","signatures":{"hs2.test:8448":{"ed25519:a_TTAl":"AFXza8Tt7x7uRL' +
  'olWZ3yWOlWv2yOm+jE+wGoNU0iM8kjdV1vyNX4jr/ssApWAgl/q/X99FAta04nOwl1meuKBA"}},"valid_until_ts":1795441408411,' +
  '"verify_keys":{"ed25519:a_TTAl":{"key":"srQbvI0VHGrYSAid/xXpYJ15l2fxup+tlt0mbfMWBks"}}}';

/** The rungs of the benchmark. `requests` are whole requests, `answer` is the body that comes back. */
export const CAPTURED = {
  key: { label: "GET key", make: keyRequest, answer: KEY_BODY },
  send: { label: "PUT send", make: sendRequest, answer: '{"pdus":{}}' },
};

/** @returns {Buffer[]} all forms of a rung's request */
export function requestsOf(rung) {
  return Array.from({ length: VARIANTS }, (_, variant) =>
    Buffer.from(CAPTURED[rung].make(variant), "latin1"),
  );
}

const TRACE_FIELD = "Uber-Trace-Id: ";
/** Of the trace id's 16 digits, those at the end: a million traces for each form. */
const COUNTED_DIGITS = 5;

/**
 * The same, one after the other without end, each in a trace of its own: after a thousand requests of one trace fedtrace takes no
 * more of them into it, and the rest of a run would measure that.
 *
 * @returns {() => Buffer} good until it comes again, 256 requests later
 */
export function endlessRequestsOf(rung) {
  const forms = requestsOf(rung);
  const at = forms[0].indexOf(TRACE_FIELD) + TRACE_FIELD.length + traceIdOf(0).length - COUNTED_DIGITS;
  let count = 0;
  return () => {
    const form = forms[count % VARIANTS];
    const trace = Math.floor(count++ / VARIANTS) % 16 ** COUNTED_DIGITS;
    form.latin1Write(trace.toString(16).padStart(COUNTED_DIGITS, "0"), at);
    return form;
  };
}

/** A whole answer of the upstream: the head as Synapse sends it, one chunk, the last chunk. */
export function answerWith(body) {
  const length = Buffer.byteLength(body, "latin1").toString(16);
  return Buffer.from(
    "HTTP/1.1 200 OK\r\nServer: Synapse/1.163.2\r\nDate: Sun, 22 Nov 2026 13:43:35 GMT\r\n" +
      "Synapse-Trace-Id: a8af1a87332ae26d\r\nContent-Type: application/json\r\n" +
      "Cache-Control: no-cache, no-store, must-revalidate\r\nAccess-Control-Allow-Origin: *\r\n" +
      "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n" +
      "Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date\r\n" +
      "Access-Control-Expose-Headers: Synapse-Trace-Id, Server\r\n" +
      `Transfer-Encoding: chunked\r\n\r\n${length}\r\n${body}\r\n0\r\n\r\n`,
    "latin1",
  );
}
