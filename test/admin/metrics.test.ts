/** `/metrics` of the admin listener: which format, how it is sent, and that it keeps nobody waiting. */

import { gunzipSync } from "node:zlib";
import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type TestSidecar, startInProcess } from "../support/in-process.ts";

let sidecar: TestSidecar | undefined;
afterEach(async () => {
  await sidecar?.sidecar.stop();
});

async function start(metrics: Readonly<Record<string, unknown>> = {}): Promise<TestSidecar> {
  sidecar = await startInProcess({
    inbound: { listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1" },
    admin: { listen: "127.0.0.1:0" },
    metrics,
  });
  return sidecar;
}

interface Scraped {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function scrape(port: number, headers: Readonly<Record<string, string>> = {}): Promise<Scraped> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: "127.0.0.1", path: "/metrics", headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}

describe("/metrics", () => {
  it.each([
    {
      why: "0.0.4 to who asks for nothing",
      accept: undefined,
      type: "text/plain; version=0.0.4; charset=utf-8",
      hasEnd: false,
    },
    {
      why: "OpenMetrics to who asks for it",
      accept: "application/openmetrics-text; version=1.0.0",
      type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
      hasEnd: true,
    },
  ])("is $why", async ({ accept, type, hasEnd }) => {
    const { port } = await start();
    const { status, headers, body } = await scrape(port.admin, accept === undefined ? {} : { accept });
    expect([status, headers["content-type"]]).toEqual([200, type]);
    expect(String(headers["vary"]).toLowerCase()).toMatch(/accept\b.*accept-encoding/);
    expect(body.toString().endsWith("\n# EOF\n")).toBe(hasEnd);
    expect(body.toString()).toContain("# TYPE fedtrace_connections gauge\n");
  });

  it("comes with gzip where it is taken, and says the same", async () => {
    const { port } = await start();
    const { headers, body } = await scrape(port.admin, { "accept-encoding": "gzip" });
    expect(headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(body).toString()).toContain("# TYPE fedtrace_connections gauge\n");
  });

  it("is not there where metrics are off", async () => {
    const { port } = await start({ enabled: false });
    expect((await scrape(port.admin)).status).toBe(404);
  });

  it("lets others go first while it is written", async () => {
    const { port, sidecar: own } = await start();
    const family = own.registry.metric("counter", "many", "", "Many.", ["at"], { seriesMax: Infinity });
    for (let at = 0; at < 100_000; at++) family.withLabels(String(at)).add(1);
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const { body } = await scrape(port.admin);
    isDone = true;
    expect(body.toString()).toContain('fedtrace_many_total{at="99999"} 1\n');
    expect(turns).toBeGreaterThan(20);
  });
});
