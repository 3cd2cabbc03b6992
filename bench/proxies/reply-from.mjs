/**
 * Fastify 5 with @fastify/reply-from 12 on undici, bodies streamed:
 * `node bench/proxies/reply-from.mjs LISTEN_PORT UPSTREAM_PORT CONNECTIONS`. No tracing, no logging.
 *
 * Source: https://github.com/fastify/fastify-reply-from. Its own defaults but for the number of connections; bodies are taken as
 * streams, as @fastify/http-proxy does, or they would be parsed and written anew.
 * Installed by `npm run bench -- --install` into .cache/bench-node.
 */

import { importInstalled } from "./installed.mjs";

const [{ default: fastify }, { default: replyFrom }] = await Promise.all(
  ["fastify", "@fastify/reply-from"].map(importInstalled),
);
const [listenPort, upstreamPort, connections] = process.argv.slice(2).map(Number);

const app = fastify({ keepAliveTimeout: 3_600_000 });
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_request, body, done) => done(null, body));
app.register(replyFrom, {
  base: `http://127.0.0.1:${upstreamPort}`,
  undici: { connections, pipelining: 1, keepAliveTimeout: 60_000 },
  disableRequestLogging: true,
});
app.all("/*", (_request, reply) => reply.from());
await app.listen({ port: listenPort, host: "127.0.0.1", backlog: 4096 });
