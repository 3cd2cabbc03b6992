/**
 * The collector of every traced proxy: answers OTLP/HTTP posts with 200 and keeps the bytes.
 *
 * Run by bench/run.mjs as a process of its own with an IPC channel: says `{ port }`; `{ count: true }` → the spans since
 * the last question, by the first segment of the path: `{ fedtrace: 512, … }`. Only then is anything decoded.
 * Source: https://github.com/open-telemetry/opentelemetry-proto (trace_service.proto, trace.proto): resource_spans = 1,
 * ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2.
 */

import { createServer } from "node:http";

const SPANS_PATH = [1, 2, 2];
const WIRE_LENGTH = 2;
const WIRE_VARINT = 0;
const FIXED_BYTES = { 1: 8, 5: 4 };

/** How often the fields of `path`, one in the other, stand in a message. @throws RangeError where it is no protobuf */
function countFields(bytes, path) {
  const [wanted, ...inner] = path;
  let at = 0;
  let count = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag & 7;
    if (wire === WIRE_VARINT) varint();
    else if (wire !== WIRE_LENGTH) at += FIXED_BYTES[wire];
    else {
      const length = varint();
      if (tag >>> 3 === wanted)
        count += inner.length === 0 ? 1 : countFields(bytes.subarray(at, at + length), inner);
      at += length;
    }
  }
  return count;
}

let received = [];

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (bytes) => chunks.push(bytes));
  request.on("end", () => {
    received.push({ from: request.url.split("/")[1], chunks });
    response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": 0 });
    response.end();
  });
});
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));

process.on("message", () => {
  const counts = {};
  for (const { from, chunks } of received) {
    counts[from] = (counts[from] ?? 0) + countFields(Buffer.concat(chunks), SPANS_PATH);
  }
  received = [];
  process.send(counts);
});
process.on("disconnect", () => process.exit());
