/**
 * deploy/collector/Caddyfile in a real Caddy: who comes through to the collector, and as whom. Not here: certificates, which need a
 * name and an authority that can reach it; the site is a plain one by its address in COLLECT_HOST.
 *
 * Caddy is CADDY_BIN, else Debian's, else .cache/caddy/usr/bin/caddy, where .ci/run unpacks Debian's package.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { poll } from "../support/poll.ts";
import { freePorts } from "./free-ports.ts";

const PUSH_PATH = "/report-usage-stats/push";
const DEADLINE_MS = 20_000;

function findCaddy(): string {
  const named = process.env["CADDY_BIN"] ?? "";
  const places = named === "" ? ["/usr/bin/caddy", resolve(".cache/caddy/usr/bin/caddy")] : [resolve(named)];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    throw new Error(`no caddy at ${places.join(" or ")}: install Debian's package caddy, or set CADDY_BIN`);
  }
  return found;
}

interface Arrived {
  readonly what: string;
  readonly forwardedFor: string | undefined;
  readonly bytes: number;
}

/** Stands for the collector; says what arrives. */
async function startCollector(): Promise<{ readonly port: number; readonly arrived: readonly Arrived[] }> {
  const arrived: Arrived[] = [];
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("error", () => undefined);
    request.on("end", () => {
      const forwardedFor = request.headers["x-forwarded-for"];
      arrived.push({
        what: `${request.method} ${request.url}`,
        forwardedFor: Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor,
        bytes,
      });
      response.end("{}");
    });
  });
  await new Promise<void>((fulfil) => void server.listen(0, "127.0.0.1", fulfil));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, arrived };
}

/** @param readers of whom the Caddyfile lets to the page; undefined: as it has it @returns the site's origin */
async function startCaddy(upstreamPort: number, readers: string | undefined): Promise<string> {
  const [port] = await freePorts(1);
  const origin = `http://127.0.0.1:${port}`;
  const home = mkdtempSync(join(tmpdir(), "fedtrace-caddy-"));
  const child = spawn(findCaddy(), ["run", "--config", "deploy/collector/Caddyfile"], {
    env: {
      HOME: home,
      XDG_DATA_HOME: home,
      XDG_CONFIG_HOME: home,
      CADDY_ADMIN: "off",
      COLLECT_HOST: origin,
      COLLECT_UPSTREAM: `127.0.0.1:${upstreamPort}`,
      ...(readers === undefined ? {} : { COLLECT_READERS: readers }),
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const ended = new Promise((fulfil) => void child.once("close", fulfil));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(home, { recursive: true });
  });
  const isUp = await poll(
    async () => ((await fetch(`${origin}/none`).catch(() => undefined)) === undefined ? undefined : true),
    DEADLINE_MS,
  );
  expect(isUp, said).toBe(true);
  return origin;
}

it("lets everybody report, and to nothing else who is no reader", async () => {
  const { port, arrived } = await startCollector();
  const origin = await startCaddy(port, "192.0.2.0/24 2001:db8::/32");
  const send = async (method: string, path: string): Promise<number> => {
    const body = method === "PUT" || method === "POST" ? "{}" : null;
    const headers = { "x-forwarded-for": "203.0.113.9" };
    return (await fetch(origin + path, { method, body, headers, redirect: "manual" })).status;
  };
  const before = arrived.length;
  expect([await send("PUT", PUSH_PATH), await send("POST", PUSH_PATH)]).toEqual([200, 200]);
  const refused = [
    ["GET", PUSH_PATH],
    ["DELETE", PUSH_PATH],
    ["PUT", `${PUSH_PATH}/`],
    ["PUT", "/"],
    ["GET", "/"],
    ["GET", "/api/summary?days=90"],
    ["GET", "/api/reports.csv"],
    ["GET", "/metrics"],
    ["GET", "/health/ready"],
    ["GET", `${PUSH_PATH}/..%2f..%2fapi/summary`],
  ] as const;
  for (const [method, path] of refused) expect(await send(method, path), `${method} ${path}`).toBe(404);
  // What a client says of where it comes from is not passed on.
  expect(arrived.slice(before)).toEqual([
    { what: `PUT ${PUSH_PATH}`, forwardedFor: "127.0.0.1", bytes: 2 },
    { what: `POST ${PUSH_PATH}`, forwardedFor: "127.0.0.1", bytes: 2 },
  ]);
});

it("lets readers of private networks to the page, marked as coming through a proxy, so that the token is asked for", async () => {
  const { port, arrived } = await startCollector();
  const origin = await startCaddy(port, undefined);
  expect((await fetch(`${origin}/api/summary?days=30`)).status).toBe(200);
  expect(arrived.at(-1)).toEqual({ what: "GET /api/summary?days=30", forwardedFor: "127.0.0.1", bytes: 0 });
});

it("takes no report of more than a megabyte", async () => {
  const { port, arrived } = await startCollector();
  const origin = await startCaddy(port, undefined);
  const send = (bytes: number): Promise<number> =>
    fetch(origin + PUSH_PATH, { method: "PUT", body: "x".repeat(bytes) }).then(({ status }) => status);
  expect(await send(1_000_000)).toBe(200);
  expect(await send(1_000_001)).not.toBe(200);
  expect(Math.max(...arrived.map(({ bytes }) => bytes))).toBe(1_000_000);
});
