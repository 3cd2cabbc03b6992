/**
 * Caddy as a reverse proxy; traced by its `tracing` directive, every request, OTLP over HTTP.
 *
 * Source: https://caddyserver.com/docs/caddyfile/directives/tracing; the exporter is set by the environment of
 * OpenTelemetry. Not here: access logs, TLS, the admin listener.
 */

/** @param {{ listen: number, upstream: number, isTraced: boolean }} options @returns {string} a Caddyfile */
export function caddyConfig({ listen, upstream, isTraced }) {
  return `{
	admin off
	persist_config off
	auto_https off
	log {
		level ERROR
	}
}
http://:${listen} {
	bind 127.0.0.1
${isTraced ? "\ttracing {\n\t\tspan fedtrace-bench\n\t}\n" : ""}\treverse_proxy 127.0.0.1:${upstream}
}
`;
}

/** @param {string} home a folder it may write to @param {string | undefined} sink where spans go */
export function caddyEnvironment(home, sink) {
  return {
    GOMAXPROCS: "1",
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    ...(sink && {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_TRACES_SAMPLER: "always_on",
    }),
  };
}
