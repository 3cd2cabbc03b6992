/**
 * nginx and haproxy as reverse proxies, as Debian packages them, each in a directory and on a port of its own.
 *
 * They are set up as their manuals and Synapse's (https://element-hq.github.io/synapse/latest/reverse_proxy.html) advise:
 * HTTP/1.1 and reused connections to the upstream, the client's Host. `NGINX_BIN` and `HAPROXY_BIN` name other programs.
 */

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "../support/poll.ts";

export interface RealProxy {
  readonly port: number;
  /** As it names itself. */
  readonly version: string;
  stop(): Promise<void>;
}

export interface Recipe {
  readonly variable: "NGINX_BIN" | "HAPROXY_BIN";
  readonly places: readonly string[];
  /** What the program prints its version for, and where it stands in that. */
  readonly askVersion: readonly string[];
  readonly version: RegExp;
  configure(directory: string, port: number, upstreamPort: number): string;
  run(directory: string, config: string): readonly string[];
}

export const NGINX: Recipe = {
  variable: "NGINX_BIN",
  places: ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"],
  askVersion: ["-v"],
  version: /nginx\/([0-9.]+)/,
  configure: (directory, port, upstreamPort) => `
    daemon off; master_process off; worker_processes 1;
    pid ${directory}/pid; error_log stderr crit;
    events { worker_connections 256; }
    http {
      access_log off; client_max_body_size 0;
      client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
      fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
      upstream own { server 127.0.0.1:${upstreamPort}; keepalive 16; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://own; proxy_http_version 1.1;
          proxy_set_header Connection ""; proxy_set_header Host $http_host;
        }
      }
    }`,
  run: (directory, config) => ["-p", directory, "-c", config],
};

export const HAPROXY: Recipe = {
  variable: "HAPROXY_BIN",
  places: ["/usr/sbin/haproxy", "/usr/bin/haproxy", "/usr/local/sbin/haproxy"],
  askVersion: ["-v"],
  version: /[Vv]ersion ([0-9.]+)/,
  configure: (_directory, port, upstreamPort) => `
global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend own
backend own
  server own 127.0.0.1:${upstreamPort}
`,
  run: (_directory, config) => ["-db", "-f", config],
};

const DEADLINE_MS = 10_000;
/** A port that was free may be taken when the proxy comes to it. */
const STARTS_MAX = 3;

/** @throws with advice when the program is missing, and with what it said when it does not start */
export async function startRealProxy(recipe: Recipe, upstreamPort: number): Promise<RealProxy> {
  const named = process.env[recipe.variable];
  const program = named ?? recipe.places.find((place) => existsSync(place));
  if (program === undefined || !existsSync(program)) {
    const name = recipe.variable.replace("_BIN", "").toLowerCase();
    throw new Error(
      `no ${named ?? recipe.places.join(", ")}: apt-get install ${name}, or set ${recipe.variable}`,
    );
  }
  // nginx prints it on its standard error.
  const said = execFileSync("/bin/sh", ["-c", '"$0" "$@" 2>&1', program, ...recipe.askVersion], {
    encoding: "utf8",
  });
  const version = recipe.version.exec(said)?.[1] ?? "unknown";
  let output = "";
  for (let start = 1; start <= STARTS_MAX; start++) {
    const attempt = await startOnce(program, recipe, upstreamPort);
    if ("stop" in attempt) return { ...attempt, version };
    ({ output } = attempt);
  }
  throw new Error(`${program} did not accept connections, having said:\n${output.slice(-4000)}`);
}

async function startOnce(
  program: string,
  recipe: Recipe,
  upstreamPort: number,
): Promise<Omit<RealProxy, "version"> | { readonly output: string }> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-conformance-"));
  const config = join(directory, "config");
  writeFileSync(config, recipe.configure(directory, port, upstreamPort));
  const child = spawn(program, recipe.run(directory, config), { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (said: string) => {
      output = (output + said).slice(-10_000);
    });
  }
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      resolve();
    };
    child.once("error", end); // It can't be executed.
    child.once("close", end);
  });
  async function stop(): Promise<void> {
    child.kill("SIGKILL"); // It has nothing to lose.
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
  const accepts = await poll(
    async () => (isOver ? false : (await isAccepting(port)) ? true : undefined),
    DEADLINE_MS,
  );
  if (accepts === true) return { port, stop };
  await stop();
  return { output };
}

function isAccepting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const tell = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", tell(true));
    socket.once("error", tell(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}
