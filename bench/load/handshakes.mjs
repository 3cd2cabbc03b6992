/**
 * New TLS connections, one after the other on a few lanes: handshake, one captured request, its answer, end.
 *
 * With resumption each lane shows the session of its connection before; without, none. Whether the server took it is counted
 * and must be all or nothing: a number for something else is no number. TLS 1.3 in both.
 */

import { connect } from "node:tls";
import { requestsOf } from "./captured.mjs";

const LANES = 4;
const REQUESTS = requestsOf("key");

/** @returns {Promise<{ isReused: boolean, session?: Buffer }>} once the answer came */
function shakeOnce({ shake: port, tls }, session, request) {
  return new Promise((resolve, reject) => {
    const place = { port, host: "127.0.0.1", noDelay: true, ca: tls.ca, servername: tls.name };
    const socket = connect({ ...place, minVersion: "TLSv1.3", session });
    let held = "";
    let next;
    socket.on("session", (ticket) => (next = ticket));
    socket.on("secureConnect", () => socket.write(request));
    socket.on("data", (bytes) => {
      held += bytes.latin1Slice();
      if (!held.startsWith("HTTP/1.1 200")) reject(new Error(`answered ${held.slice(0, 40)}`));
      if (!held.endsWith("\r\n0\r\n\r\n")) return;
      const isReused = socket.isSessionReused();
      socket.destroy();
      resolve({ isReused, session: next });
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed in a handshake")));
  });
}

/**
 * @param {{ shake: number, tls: object, times: number, isResumed: boolean }} message `shake` is the port
 * @returns {Promise<{ wallMs: number, reused: number }>} @throws where some but not all sessions were taken
 */
export async function shakeHands(message) {
  const { times, isResumed } = message;
  let started = 0;
  let reused = 0;
  const lane = async (first) => {
    let session = first;
    while (started < times) {
      const request = REQUESTS[started++ % REQUESTS.length];
      const shaken = await shakeOnce(message, isResumed ? session : undefined, request);
      session = shaken.session ?? session;
      if (shaken.isReused) reused++;
    }
  };
  // What a lane starts with is not counted.
  const firsts = await Promise.all(
    Array.from({ length: LANES }, () => shakeOnce(message, undefined, REQUESTS[0])),
  );
  const startMs = performance.now();
  await Promise.all(firsts.map(({ session }) => lane(session)));
  const wallMs = performance.now() - startMs;
  const expected = isResumed ? times : 0;
  if (reused !== expected) throw new Error(`${reused} of ${times} sessions were resumed`);
  return { wallMs, reused };
}
