/**
 * httpxy 0.5, the maintained heir of http-proxy, with an agent that keeps its connections:
 * `node bench/proxies/httpxy.mjs LISTEN_PORT UPSTREAM_PORT CONNECTIONS`. No tracing, no added headers.
 *
 * Source: https://github.com/unjs/httpxy. Installed by `npm run bench -- --install` into .cache/bench-node.
 */

import { Agent, createServer } from "node:http";
import { importInstalled } from "./installed.mjs";

const { createProxyServer } = await importInstalled("httpxy");
const [listenPort, upstreamPort, connections] = process.argv.slice(2).map(Number);

const proxy = createProxyServer({
  target: { host: "127.0.0.1", port: upstreamPort },
  agent: new Agent({ keepAlive: true, maxFreeSockets: connections }),
});
const server = createServer((request, answer) => {
  proxy.web(request, answer).catch(() => answer.destroy());
});
server.keepAliveTimeout = 0;
server.listen({ port: listenPort, host: "127.0.0.1", backlog: 4096 });
