/**
 * Clients that hold on. Whoever sends and never reads, or begins and never goes on, makes a server keep for him what it would
 * have sent, and a place for what never comes.
 *
 * Source: CVE-2019-9517 ("Internal Data Buffering": answers asked for with the window shut, here in HTTP/1.1), CVE-2018-12122
 * (a head sent slowly, here a handshake); CWE-770.
 * Without the rule: one connection fills the memory, and some thousand silent ones are all that there may be.
 * Other bounds in time and number: test/http1/conformance/limits.test.ts, test/http1/listener-room.test.ts.
 */

import { readFileSync } from "node:fs";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess } from "../support/in-process.ts";
import { rawClient } from "../support/wire.ts";
import { type Attacked, startAttacked } from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ sampling: { type: "const", param: 0 } });
});
afterAll(() => attacked.stop());

describe("a client that sends on but never reads", () => {
  it("is not answered without end: 12,000 answers of 50 KB would wait", async () => {
    attacked.answerWith(`HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n${"x".repeat(50_000)}`);
    const known = attacked.upstream.received().length;
    const client = await rawClient(attacked.port.inbound);
    client.socket.pause();
    client.send("GET /greedy HTTP/1.1\r\nHost: own.test\r\n\r\n".repeat(12_000));
    const asked = (): number => attacked.upstream.received().slice(known).split("GET /greedy").length - 1;
    // It stops when the sockets' buffers are full: some megabytes, not 600.
    let last = -1;
    await expect.poll(() => last === (last = asked()), { interval: 200, timeout: 10_000 }).toBe(true);
    expect(asked()).toBeLessThan(1000);
    client.socket.destroy();
  });
});

describe("TLS handshakes", () => {
  it("that are never finished are closed, and keep nobody from stopping", async () => {
    const tls = { certificate: "test/fixtures/tls/server.pem", private_key: "test/fixtures/tls/server.key" };
    const secure = await startInProcess({
      inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${attacked.upstream.port}`, tls },
      limits: { head_timeout: "100ms", drain: "100ms" },
    });
    const silent = await rawClient(secure.port.inbound);
    await silent.closed();
    const half = await rawClient(secure.port.inbound);
    half.send("\x16\x03\x01\x02\x00\x01\x00");
    const aborted = connectTls({
      port: secure.port.inbound,
      ca: readFileSync("test/fixtures/tls/server.pem"),
      rejectUnauthorized: false,
    });
    await new Promise<void>((resolve) => {
      aborted.once("secureConnect", function (this: TLSSocket) {
        this.destroy();
        resolve();
      });
    });
    await secure.sidecar.stop();
    await half.closed();
  });
});
