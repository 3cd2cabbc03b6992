/**
 * Envoy as a reverse proxy with one worker thread; traced by its OpenTelemetry tracer, every request, OTLP over HTTP.
 *
 * Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/trace/v3/opentelemetry.proto. Its tracer sends after
 * every fifth span unless told otherwise; `spansPerExport` sets that, so that a batch can be as large as ours.
 * Not here: access logs, an admin listener.
 */

const TYPE = "type.googleapis.com/envoy";
const LOCALHOST = "127.0.0.1";

function cluster(name, port) {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: LOCALHOST, port_value: port } } } },
          ],
        },
      ],
    },
  };
}

function tracing(sink) {
  return {
    random_sampling: { value: 100 },
    provider: {
      name: "envoy.tracers.opentelemetry",
      typed_config: {
        "@type": `${TYPE}.config.trace.v3.OpenTelemetryConfig`,
        service_name: "envoy",
        http_service: {
          http_uri: {
            uri: `http://${LOCALHOST}:${sink.port}/${sink.path}/v1/traces`,
            cluster: "sink",
            timeout: "5s",
          },
        },
      },
    },
  };
}

function transport(tls) {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        alpn_protocols: ["http/1.1"],
        tls_params: { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" },
        tls_certificates: [
          { certificate_chain: { filename: tls.certificate }, private_key: { filename: tls.key } },
        ],
      },
    },
  };
}

/**
 * @param {{ listen: number, upstream: number, tls?: { certificate: string, key: string }, sink?: { port: number, path: string, spansPerExport: number } }} options
 *   ports; without `sink` nothing is traced
 * @returns {string} a bootstrap config as JSON
 */
export function envoyConfig({ listen, upstream, tls, sink }) {
  const connectionManager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "inbound",
    codec_type: "HTTP1",
    ...(sink && { tracing: tracing(sink) }),
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "upstream" } }] },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: connectionManager };
  return JSON.stringify({
    static_resources: {
      listeners: [
        {
          address: { socket_address: { address: LOCALHOST, port_value: listen } },
          filter_chains: [{ filters: [filter], ...(tls && { transport_socket: transport(tls) }) }],
        },
      ],
      clusters: [cluster("upstream", upstream), ...(sink ? [cluster("sink", sink.port)] : [])],
    },
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: sink ? { "tracing.opentelemetry.min_flush_spans": sink.spansPerExport } : {},
        },
      ],
    },
  });
}
