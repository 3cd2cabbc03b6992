/**
 * fedtrace with the config of a server that federates: five patterns, three formats, one OTLP exporter.
 *
 * @param {{ listen: number, admin: number, upstream: number, sink: number, param: 0 | 1 }} options ports, and the
 *   parameter of the const sampler
 * @returns {string} the YAML
 */
export function fedtraceConfig({ listen, admin, upstream, sink, param }) {
  return `server_name: hs2.test:8448
inbound:
  listen: 127.0.0.1:${listen}
  upstream: http://127.0.0.1:${upstream}
  authenticate: claimed
whitelist:
  - 'matrix\\.org'
  - '(.+\\.)?friends\\.example'
  - 'hs[0-9]+\\.test'
  - '(.+\\.)?university\\.example'
  - 'chat\\.(alpha|beta|gamma)\\.example'
propagation: { formats: [w3c, jaeger, b3] }
sampling: { type: const, param: ${param} }
export:
  - otlp: { url: http://127.0.0.1:${sink}/fedtrace-${param}/v1/traces }
admin: { listen: 127.0.0.1:${admin} }
`;
}
