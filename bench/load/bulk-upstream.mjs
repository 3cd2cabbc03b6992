/**
 * The server behind every proxy where bodies are large: `GET /…/N` is answered by N bytes out of one buffer, `PUT /…/N` by a
 * short answer once N bytes came.
 *
 * Run by bench/stage.mjs as a process of its own with an IPC channel: says `{ port }`, ends when the channel closes.
 * With `x-bench-echo` the answer to a PUT is the SHA-256 of what came: the correctness check reads it; a timed run only counts.
 * Not here: chunked requests. Every proxy here keeps `Content-Length`, which the check shows.
 */

import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { BULK_SIZES, bulkBytes } from "./bulk.mjs";

const BODY = bulkBytes(Math.max(...Object.keys(BULK_SIZES).map(Number)));
const BODIES = Object.fromEntries(
  Object.keys(BULK_SIZES).map((size) => [size, BODY.subarray(0, Number(size))]),
);

function headOf(size) {
  return `HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: ${size}\r\n\r\n`;
}

function answerGet(socket, path) {
  const size = path.slice(path.lastIndexOf("/") + 1);
  socket.cork();
  socket.write(headOf(size));
  socket.write(BODIES[size]);
  socket.uncork();
}

/** One connection's reader: heads as text, bodies as a number of bytes that are still to come. */
function createReader(socket) {
  let held = "";
  let missing = 0;
  let digest;
  const finishPut = () => {
    const text = digest === undefined ? "{}" : digest.digest("hex");
    digest = undefined;
    socket.write(headOf(text.length) + text);
  };
  const readBody = (bytes) => {
    const taken = bytes.subarray(0, missing);
    missing -= taken.length;
    digest?.update(taken);
    if (missing === 0) finishPut();
    return bytes.subarray(taken.length);
  };
  const readHead = (bytes) => {
    held += bytes.latin1Slice();
    const end = held.indexOf("\r\n\r\n");
    if (end === -1) return bytes.subarray(bytes.length);
    const head = held.slice(0, end + 2);
    const rest = bytes.subarray(bytes.length - (held.length - end - 4));
    held = "";
    const [method, path] = head.split(" ", 2);
    if (method === "GET") answerGet(socket, path);
    else {
      missing = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]);
      if (/\r\nexpect: *100-continue\r\n/i.test(head)) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      if (/\r\nx-bench-echo:/i.test(head)) digest = createHash("sha256");
    }
    return rest;
  };
  return (bytes) => {
    for (let rest = bytes; rest.length > 0;) rest = missing > 0 ? readBody(rest) : readHead(rest);
  };
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", createReader(socket));
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit());
