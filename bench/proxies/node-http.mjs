/**
 * The least that a proxy on Node's own HTTP does: `node bench/proxies/node-http.mjs LISTEN_PORT UPSTREAM_PORT CONNECTIONS`.
 * One request in, one request out on a kept connection, bodies piped. No header is touched, nothing is traced.
 */

import { Agent, createServer, request } from "node:http";

const [listenPort, upstreamPort, connections] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxFreeSockets: connections });

const server = createServer((incoming, answer) => {
  const { method, url: path, headers } = incoming;
  const outgoing = request(
    { agent, host: "127.0.0.1", port: upstreamPort, method, path, headers },
    (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    },
  );
  outgoing.on("error", () => answer.destroy());
  incoming.pipe(outgoing);
});
server.keepAliveTimeout = 0;
server.listen(listenPort, "127.0.0.1", () => process.stdout.write("ready\n"));
