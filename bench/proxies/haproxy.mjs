/**
 * haproxy as a reverse proxy with one thread, connections kept on both sides and shared by all clients, no log.
 *
 * Source: https://docs.haproxy.org/2.6/configuration.html (http-reuse, option http-keep-alive, nbthread).
 */

/** @param {{ listen: number, upstream: number, tls?: { both: string } }} place @returns {string} haproxy.cfg */
export function haproxyConfig({ listen, upstream, tls }) {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 3600s
  timeout server 300s
  timeout http-keep-alive 3600s
frontend in
  bind 127.0.0.1:${listen}${tls === undefined ? "" : ` ssl crt ${tls.both} alpn http/1.1`}
  default_backend out
backend out
  server server 127.0.0.1:${upstream} pool-purge-delay 3600s
`;
}
