/**
 * Threads of forged-names.test.ts, so that neither the forger nor the server behind stands in the way of who measures: `workerData.role` is
 * "server" (counts whose traces arrive) or "forger" (sends at a steady rate over kept connections).
 */

import { createServer } from "node:http";
import { connect } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const URI = "/_matrix/federation/v1/send/1";
const BODY = JSON.stringify({ edus: [], origin: "x", pdus: [{ depth: 1 }] });
/** Sixty-four bytes that nobody signed. */
const SIGNATURE = "A".repeat(86);
const TICK_MS = 10;

if (workerData.role === "server") startServer(workerData);
else parentPort.on("message", (order) => void flood(order).then(() => parentPort.postMessage("done")));

function startServer({ foreign, honest }) {
  const seen = { foreign: 0, honest: 0, total: 0 };
  const server = createServer((request, response) => {
    const { traceparent = "", b3 = "", "uber-trace-id": jaeger = "" } = request.headers;
    const context = `${traceparent} ${b3} ${jaeger}`;
    seen.total++;
    if (context.includes(foreign)) seen.foreign++;
    if (context.includes(honest)) seen.honest++;
    request.resume();
    response.setHeader("Content-Length", "2").end("ok");
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage({ port: server.address().port }));
  parentPort.on("message", () => parentPort.postMessage({ ...seen }));
}

/** @param order numbers `from` to `to`; `friend`: every tenth is in its name; `isNamed`: false for requests that name nobody */
async function flood({ port, from, to, rate, connections, friend, own, foreign, isNamed }) {
  const each = Math.ceil((to - from) / connections);
  const beganMs = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async (_, caller) => {
      const call = createCaller(port);
      for (let index = 0; index < each && from + caller * each + index < to; index++) {
        const dueMs = beganMs + (index * 1000 * connections) / rate - performance.now();
        if (dueMs > TICK_MS) await new Promise((due) => setTimeout(due, dueMs));
        const number = from + caller * each + index;
        const name = number % 10 === 0 ? friend : `server-${number}.forged.test:8448`;
        const line = `Authorization: X-Matrix origin="${name}",key="ed25519:test",sig="${SIGNATURE}",destination="${own}"\r\n`;
        const body = number % 4 === 0 ? BODY : "";
        await call(
          `${body === "" ? "GET" : "PUT"} ${URI} HTTP/1.1\r\nHost: ${own}\r\n${isNamed ? line : ""}` +
            `traceparent: 00-${foreign}${String(number).padStart(16, "0")}-00f067aa0ba902b7-01\r\n` +
            `x-b3-flags: 1\r\njaeger-debug-id: forged\r\n${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
        );
      }
      call.end();
    }),
  );
}

/** Sends one request after the other on a kept connection. */
function createCaller(port) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }).setEncoding("latin1");
  let received = "";
  let answered;
  socket.on("data", (chunk) => {
    received += chunk;
    if (!received.endsWith("\r\n\r\nok")) return;
    received = "";
    answered();
  });
  const call = (request) =>
    new Promise((done) => {
      answered = done;
      socket.write(request);
    });
  call.end = () => socket.destroy();
  return call;
}
