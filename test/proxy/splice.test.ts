/** Two joined sockets, of which one is closed: what becomes of the other. Faults of whole tunnels are in faults/tunnel.test.ts. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { spliceSockets } from "../../src/proxy/splice.ts";

/** A connection whose far end reads nothing. */
async function connectToStalled(): Promise<Socket> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    server.close();
    socket.destroy();
    far.destroy();
  });
  return socket;
}

/** More than both sockets' buffers hold. */
const UNREAD = Buffer.alloc(32 * 1024 ** 2);

it.each([
  { idleMs: 60_000, expected: 2000, why: "a short time, though the tunnel may be silent for long" },
  { idleMs: 1000, expected: 1000, why: "never longer than the tunnel may be silent" },
])("gives a side that takes nothing $why", async ({ idleMs, expected }) => {
  const client = await connectToStalled();
  const upstream = await connectToStalled();
  spliceSockets(
    { socket: client, ahead: UNREAD },
    { socket: upstream, ahead: undefined },
    idleMs,
    () => undefined,
  );
  expect(upstream.timeout).toBe(idleMs);
  client.destroy();
  await once(client, "close");
  expect([upstream.destroyed, upstream.timeout]).toEqual([false, expected]);
});
