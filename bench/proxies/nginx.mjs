/**
 * nginx as a reverse proxy in one process, connections kept on both sides, no access log.
 *
 * `isBuffered` is nginx's default: whole bodies are read before they are passed on, large ones through files. Off, it streams,
 * as every other contestant does.
 * Source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive (HTTP/1.1 and an empty `Connection`), and
 * …/ngx_http_core_module.html#keepalive_requests: its limit of 1,000 requests a connection is lifted, which would only count
 * reconnects.
 */

/** @param {{ listen: number, upstream: number, folder: string, connections: number, tls?: object, isBuffered: boolean }} place */
export function nginxConfig({ listen, upstream, folder, connections, tls, isBuffered }) {
  const encrypted = tls && `ssl_certificate ${tls.certificate};\n    ssl_certificate_key ${tls.key};`;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
${temporary}
  access_log off;
  client_max_body_size 0;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:bench:4m;
  upstream server {
    server 127.0.0.1:${upstream};
    keepalive ${connections};
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }
  server {
    listen 127.0.0.1:${listen}${tls === undefined ? "" : " ssl"} backlog=4096;
    ${encrypted ?? ""}
    location / {
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering ${isBuffered ? "on" : "off"};
      proxy_request_buffering ${isBuffered ? "on" : "off"};
    }
  }
}
`;
}
