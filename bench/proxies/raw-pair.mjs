/**
 * The floor: what any proxy on Node's sockets costs that forwards at all. One upstream socket for each client's, bytes copied
 * as they come, nothing parsed, pooled or traced. `node bench/proxies/raw-pair.mjs LISTEN_PORT UPSTREAM_PORT`
 */

import { connect, createServer } from "node:net";

const [listenPort, upstreamPort] = process.argv.slice(2).map(Number);

function copy(from, to) {
  from.on("data", (bytes) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const upstream = connect({ port: upstreamPort, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  copy(client, upstream);
  copy(upstream, client);
});
server.listen({ port: listenPort, host: "127.0.0.1", backlog: 4096 });
