/**
 * The client of every proxy: keep-alive connections, each with one request open at a time.
 *
 * Run by bench/run.mjs as a process of its own with an IPC channel; one message in, one out:
 *   `{ open: port, connections, tls? }` → `{}` · `{ run: rung, requests }` → `{ wallMs }` · `{ close: true }` → `{}`
 *   `{ pace: rung, perSecond, seconds }` → load/pace.mjs · `{ shake: port, tls, times, isResumed }` → load/handshakes.mjs
 * An answer that is not a whole 200 ends the run with `{ error }`: a number from failed requests is no number.
 */

import { connect } from "node:net";
import { connect as connectOverTls } from "node:tls";
import { CAPTURED, endlessRequestsOf } from "./captured.mjs";
import { shakeHands } from "./handshakes.mjs";
import { runAtPace } from "./pace.mjs";

/** Opened at once: fewer than the shortest queue of connections that a listener here has. */
const OPENED_AT_ONCE = 100;

const LAST_CHUNK = "\r\n0\r\n\r\n";
const requests = Object.fromEntries(Object.keys(CAPTURED).map((rung) => [rung, endlessRequestsOf(rung)]));

/** Whether `text` is one whole answer. @throws on anything but a 200 */
function isWhole(text) {
  if (text.length > 12 && !text.startsWith("HTTP/1.1 200")) throw new Error(`answered ${text.slice(0, 40)}`);
  if (text.endsWith(LAST_CHUNK)) return true;
  const headEnd = text.indexOf("\r\n\r\n");
  const length = headEnd === -1 ? undefined : /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))?.[1];
  return length !== undefined && text.length === headEnd + 4 + Number(length);
}

function openConnection(port, tls) {
  return new Promise((resolve, reject) => {
    const place = { port, host: "127.0.0.1", noDelay: true };
    const socket =
      tls === undefined ? connect(place) : connectOverTls({ ...place, ca: tls.ca, servername: tls.name });
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
    socket.on(tls === undefined ? "connect" : "secureConnect", () => resolve(connection));
  });
}

async function openAll({ open: port, connections: count, tls }) {
  const opened = [];
  while (opened.length < count) {
    const batch = Math.min(OPENED_AT_ONCE, count - opened.length);
    opened.push(...(await Promise.all(Array.from({ length: batch }, () => openConnection(port, tls)))));
  }
  return opened;
}

function run(connections, rung, count) {
  const nextRequest = requests[rung];
  const startMs = performance.now();
  let started = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const next = ({ socket }) => {
      if (started < count) {
        started++;
        socket.write(nextRequest());
      }
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
    connections = await openAll(message);
    return {};
  }
  if (message.run !== undefined) return await run(connections, message.run, message.requests);
  if (message.pace !== undefined) return await runAtPace(connections, requests[message.pace], message);
  if (message.shake !== undefined) return await shakeHands(message);
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
