/**
 * The client of every proxy: keep-alive connections, each with one request open at a time.
 *
 * Run by bench/run.mjs as a process of its own with an IPC channel; one message in, one out:
 *   `{ open: port, connections }` → `{}` · `{ run: rung, requests }` → `{ wallMs }` · `{ close: true }` → `{}`
 * An answer that is not a whole 200 ends the run with `{ error }`: a number from failed requests is no number.
 */

import { connect } from "node:net";
import { CAPTURED, requestsOf } from "./captured.mjs";

const LAST_CHUNK = "\r\n0\r\n\r\n";
const requests = Object.fromEntries(Object.keys(CAPTURED).map((rung) => [rung, requestsOf(rung)]));

/** Whether `text` is one whole answer. @throws on anything but a 200 */
function isWhole(text) {
  if (text.length > 12 && !text.startsWith("HTTP/1.1 200")) throw new Error(`answered ${text.slice(0, 40)}`);
  if (text.endsWith(LAST_CHUNK)) return true;
  const headEnd = text.indexOf("\r\n\r\n");
  const length = headEnd === -1 ? undefined : /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))?.[1];
  return length !== undefined && text.length === headEnd + 4 + Number(length);
}

function openConnection(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const connection = { socket, onAnswer: undefined, onFault: reject };
    let held = "";
    socket.on("data", (bytes) => {
      held += bytes.latin1Slice();
      try {
        if (!isWhole(held)) return;
      } catch (error) {
        connection.onFault(error);
        return;
      }
      held = "";
      connection.onAnswer();
    });
    socket.on("error", (error) => connection.onFault(error));
    socket.on("close", () => connection.onFault(new Error("the proxy closed a connection")));
    socket.on("connect", () => resolve(connection));
  });
}

function run(connections, rung, count) {
  const forms = requests[rung];
  const startMs = performance.now();
  let started = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const next = ({ socket }) => {
      if (started < count) socket.write(forms[started++ % forms.length]);
    };
    for (const connection of connections) {
      connection.onFault = reject;
      connection.onAnswer = () => {
        if (++done === count) resolve({ wallMs: performance.now() - startMs });
        else next(connection);
      };
      next(connection);
    }
  });
}

let connections = [];

async function obey(message) {
  if (message.open !== undefined) {
    connections = await Promise.all(
      Array.from({ length: message.connections }, () => openConnection(message.open)),
    );
    return {};
  }
  if (message.run !== undefined) return await run(connections, message.run, message.requests);
  for (const connection of connections) {
    connection.onFault = () => undefined;
    connection.socket.destroy();
  }
  connections = [];
  return {};
}

process.on("message", (message) => {
  obey(message).then(
    (answer) => process.send(answer),
    (error) => process.send({ error: error.message }),
  );
});
process.on("disconnect", () => process.exit());
process.send({});
