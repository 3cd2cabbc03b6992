/**
 * fedtrace with the config of a server that federates: five patterns, three formats, one OTLP exporter.
 *
 * @param {object} place
 * @param {number} place.listen @param {number} place.admin @param {number} place.upstream @param {number} place.sink ports
 * @param {number} place.param the share that is sampled; 0 and 1 go to the const sampler
 * @param {number} place.workers @param {{ certificate: string, key: string } | undefined} place.tls
 * @returns {string} the YAML
 */
export function fedtraceConfig({ listen, admin, upstream, sink, param, workers, tls }) {
  const sampler = param === 0 || param === 1 ? "const" : "probabilistic";
  return `server_name: hs2.test:8448
inbound:
  listen: 127.0.0.1:${listen}
  upstream: http://127.0.0.1:${upstream}
  authenticate: claimed
${tls === undefined ? "" : `  tls: { certificate: ${tls.certificate}, private_key: ${tls.key} }\n`}whitelist:
  - 'matrix\\.org'
  - '(.+\\.)?friends\\.example'
  - 'hs[0-9]+\\.test'
  - '(.+\\.)?university\\.example'
  - 'chat\\.(alpha|beta|gamma)\\.example'
propagation: { formats: [w3c, jaeger, b3] }
sampling: { type: ${sampler}, param: ${param} }
export:
  - otlp: { url: http://127.0.0.1:${sink}/fedtrace-${param}/v1/traces }
admin: { listen: 127.0.0.1:${admin} }
${workers === 1 ? "" : `workers: ${workers}\n`}`;
}
