/**
 * The server behind every proxy: answers what `captured.mjs` says, with as little work as node:net allows.
 *
 * Run by bench/run.mjs as a process of its own with an IPC channel: says `{ port }`, ends when the channel closes.
 * A request with `x-bench-echo` is answered by what arrived here, head and body: the correctness check reads it.
 * Not here: HTTP in general. It takes what the proxies under test send, which the check has shown to be well formed.
 */

import { createServer } from "node:net";
import { answerWith, CAPTURED } from "./captured.mjs";

const ANSWERS = { GET: answerWith(CAPTURED.key.answer), PUT: answerWith(CAPTURED.send.answer) };
const LAST_CHUNK = "0\r\n\r\n";

/** Where the message that starts at 0 ends, or -1 while it is not complete. */
function messageEnd(text) {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  if (headEnd === 3) return -1;
  if (text.startsWith("GET")) return headEnd;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))?.[1];
  if (length !== undefined) return text.length < headEnd + Number(length) ? -1 : headEnd + Number(length);
  const last = text.indexOf(LAST_CHUNK, headEnd);
  return last === -1 ? -1 : last + LAST_CHUNK.length;
}

function answer(text) {
  if (/\r\nx-bench-echo:/i.test(text)) return answerWith(text);
  return text.startsWith("GET") ? ANSWERS.GET : ANSWERS.PUT;
}

const server = createServer({ noDelay: true }, (socket) => {
  let held = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    held += bytes.latin1Slice();
    for (let end = messageEnd(held); end !== -1; end = messageEnd(held)) {
      socket.write(answer(held.slice(0, end)));
      held = held.slice(end);
      if (held === "") break;
    }
  });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit());
