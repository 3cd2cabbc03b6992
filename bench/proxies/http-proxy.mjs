/**
 * http-proxy 1.18, Node's best known proxy, as its users set it up for kept connections:
 * `node bench/proxies/http-proxy.mjs LISTEN_PORT UPSTREAM_PORT CONNECTIONS`. No tracing, no added headers.
 */

import { Agent } from "node:http";
import httpProxy from "http-proxy";

const [listenPort, upstreamPort, connections] = process.argv.slice(2).map(Number);

const proxy = httpProxy.createProxyServer({
  target: { host: "127.0.0.1", port: upstreamPort },
  agent: new Agent({ keepAlive: true, maxFreeSockets: connections }),
});
proxy.on("error", (_error, _request, answer) => answer.destroy());
proxy.listen(listenPort, "127.0.0.1");
