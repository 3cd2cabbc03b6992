/**
 * Loaded before the sidecar by `node --import`: whoever connects to $MEMORY_PROBE is told what V8 still holds after everything
 * that can be collected was, as one line of JSON. The program itself stays as users run it.
 *
 * Twice, with a turn of the event loop between: what a first collection finalises lets go of more (sockets, TLS contexts).
 * Not here: the resident memory, which the system tells from outside (/proc).
 */

import { createServer } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
setFlagsFromString("--no-expose-gc");

const server = createServer(async (socket) => {
  socket.on("error", () => undefined);
  for (let round = 0; round < 2; round++) {
    collect();
    await turn();
  }
  socket.end(`${JSON.stringify(process.memoryUsage())}\n`);
});
server.listen(process.env.MEMORY_PROBE);
server.unref();
