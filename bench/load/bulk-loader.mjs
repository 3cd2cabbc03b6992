/**
 * The client where bodies are large: each connection sends or takes one body at a time; what comes is counted, not kept.
 *
 * Run by bench/stage.mjs as a process of its own with an IPC channel; one message in, one out:
 *   `{ open: port, connections }` → `{}` · `{ get | put: size, requests }` → `{ wallMs }` · `{ close: true }` → `{}`
 * Sockets are read into one buffer for all (`onread`), bodies are sent from one: what the loader costs must not hide what the
 * proxy does. Anything but whole 200s ends the run with `{ error }`.
 */

import { connect } from "node:net";
import { bulkBytes, bulkPath } from "./bulk.mjs";
import { SERVER_NAME } from "./captured.mjs";

const READ_BUFFER = Buffer.allocUnsafe(256 * 1024);
const bodies = new Map();

function bodyOf(size) {
  if (!bodies.has(size)) bodies.set(size, bulkBytes(size));
  return bodies.get(size);
}

/** Takes an answer's bytes. @returns {boolean} whether it is whole */
function take(connection, bytes) {
  if (connection.missing > 0) {
    connection.missing -= bytes.length;
    return connection.missing === 0;
  }
  connection.held += bytes.latin1Slice(0, Math.min(bytes.length, 4096));
  const end = connection.held.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const head = connection.held.slice(0, end + 2);
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(`answered ${head.slice(0, 40)}`);
  const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]);
  if (!(length >= 0)) throw new Error("answered without Content-Length");
  const before = connection.before;
  connection.missing = length - (before + bytes.length - end - 4);
  return connection.missing === 0;
}

function openConnection(port) {
  return new Promise((resolve, reject) => {
    const connection = { held: "", before: 0, missing: 0, onAnswer: undefined, onFault: reject };
    const callback = (length, buffer) => {
      try {
        const isWhole = take(connection, buffer.subarray(0, length));
        connection.before += length;
        if (!isWhole) return true;
        connection.held = "";
        connection.before = 0;
        connection.onAnswer();
      } catch (error) {
        connection.onFault(error);
      }
      return true;
    };
    const onread = { buffer: READ_BUFFER, callback };
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
    connection.socket = socket;
    socket.on("error", (error) => connection.onFault(error));
    socket.on("close", () => connection.onFault(new Error("the proxy closed a connection")));
    socket.on("connect", () => resolve(connection));
  });
}

function run(connections, { get, put, requests }) {
  const size = get ?? put;
  const head = `${get === undefined ? "PUT" : "GET"} ${bulkPath(size)} HTTP/1.1\r\nHost: ${SERVER_NAME}\r\n`;
  const write =
    get === undefined
      ? (socket) => {
          socket.cork();
          socket.write(`${head}Content-Length: ${size}\r\n\r\n`);
          socket.write(bodyOf(size));
          socket.uncork();
        }
      : (socket) => socket.write(`${head}\r\n`);
  if (put !== undefined) bodyOf(size); // Made before the clock starts.
  const startMs = performance.now();
  let started = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const next = ({ socket }) => {
      if (started++ < requests) write(socket);
    };
    for (const connection of connections) {
      connection.onFault = reject;
      connection.onAnswer = () => {
        if (++done === requests) resolve({ wallMs: performance.now() - startMs });
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
  if (message.requests !== undefined) return await run(connections, message);
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
