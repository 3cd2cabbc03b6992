/** `run`: what it says as it starts, and how it ends. */

import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ADMIN, inboundTo, OUTBOUND, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { OK_RESPONSE, rawClient, type RecordingUpstream, recordingUpstream } from "../support/wire.ts";

const REQUEST = "GET /slow HTTP/1.1\r\nHost: own.test\r\n\r\n";

async function statusOf(sidecar: SpawnedSidecar, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${sidecar.port.admin}${path}`);
  await response.arrayBuffer();
  return response.status;
}

/** "open", or the system's word for why not. */
function tryConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve("open"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    socket.once("close", () => void socket.destroy());
    onTestFinished(() => void socket.destroy());
  });
}

async function expectStop(sidecar: SpawnedSidecar, name: NodeJS.Signals): Promise<void> {
  sidecar.signal(name);
  expect(await sidecar.exited).toBe(0);
  expect(sidecar.log()).toContainEqual(expect.objectContaining({ msg: "stopping", signal: name }));
  expect(sidecar.log().at(-1)).toMatchObject({ level: "info", msg: "stopped" });
}

/** An upstream that leaves its answers to the test. */
async function silentUpstream(): Promise<{
  upstream: RecordingUpstream;
  asked: Promise<(text: string) => void>;
}> {
  let onAsked: (answer: (text: string) => void) => void = () => undefined;
  const asked = new Promise<(text: string) => void>((resolve) => {
    onAsked = resolve;
  });
  const upstream = await recordingUpstream((_head, socket) => {
    onAsked((text) => void socket.write(text, "latin1"));
    return undefined;
  });
  onTestFinished(() => upstream.stop());
  return { upstream, asked };
}

it("says one line for each listener once it accepts, then ready; is live and ready; exits 0 on SIGINT", async () => {
  const sidecar = await startSidecar({ inbound: inboundTo(1), outbound: OUTBOUND, admin: ADMIN });
  const { port, stdout } = sidecar;
  expect(stdout.slice(0, 3).toSorted()).toEqual([
    `admin listening on 127.0.0.1:${port.admin}`,
    `inbound listening on 127.0.0.1:${port.inbound}`,
    `outbound listening on 127.0.0.1:${port.outbound}`,
  ]);
  expect(stdout.slice(3)).toEqual(["ready"]);
  for (const listener of Object.values(port)) expect(await tryConnect(listener)).toBe("open");
  expect(await statusOf(sidecar, "/health/live")).toBe(200);
  expect(await statusOf(sidecar, "/health/ready")).toBe(200);
  await expectStop(sidecar, "SIGINT");
});

it("listens on one side only, where the other is left out; exits 0 on SIGTERM", async () => {
  const sidecar = await startSidecar({ outbound: OUTBOUND });
  expect(sidecar.stdout).toEqual([`outbound listening on 127.0.0.1:${sidecar.port.outbound}`, "ready"]);
  await expectStop(sidecar, "SIGTERM");
});

describe("the drain", () => {
  it("is not ready, takes no new connection, and finishes the open request", async () => {
    const { upstream, asked } = await silentUpstream();
    const sidecar = await startSidecar({
      inbound: inboundTo(upstream.port),
      outbound: OUTBOUND,
      admin: ADMIN,
    });
    const open = await rawClient(sidecar.port.inbound);
    open.send(REQUEST);
    const answer = await asked;

    sidecar.signal("SIGTERM");
    await sidecar.untilLog((log) => log.some(({ msg }) => msg === "stopping"));
    expect(await statusOf(sidecar, "/health/ready")).toBe(503);
    expect(await statusOf(sidecar, "/health/live")).toBe(200);
    expect(await tryConnect(sidecar.port.inbound)).toBe("ECONNREFUSED");
    expect(await tryConnect(sidecar.port.outbound)).toBe("ECONNREFUSED");

    answer(OK_RESPONSE);
    const { received, isReset } = await open.closed();
    expect(received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok");
    expect(isReset).toBe(false);
    expect(await sidecar.exited).toBe(0);
  });

  it("closes a connection that waits for its next request at once", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const sidecar = await startSidecar({ inbound: inboundTo(upstream.port), limits: { drain: "1h" } });
    const idle = await rawClient(sidecar.port.inbound);
    idle.send("GET / HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await idle.until((received) => received.endsWith("ok"));
    const never = await rawClient(sidecar.port.inbound);

    expect(await sidecar.stop()).toBe(0);
    expect((await idle.closed()).isReset).toBe(false);
    expect((await never.closed()).received).toBe("");
  });

  it("cuts what is still open after limits.drain, upgraded connections too, and exits 0 all the same", async () => {
    const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    const upstream = await recordingUpstream((head) => (head.includes("/slow") ? undefined : switching));
    onTestFinished(() => upstream.stop());
    const sidecar = await startSidecar({ inbound: inboundTo(upstream.port), limits: { drain: "50ms" } });
    const open = await rawClient(sidecar.port.inbound);
    open.send(REQUEST);
    const tunnel = await rawClient(sidecar.port.inbound);
    tunnel.send("GET / HTTP/1.1\r\nHost: own.test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
    await tunnel.until((received) => received.includes("\r\n\r\n"));
    await expect.poll(() => upstream.received()).toContain("/slow");
    expect(await sidecar.stop()).toBe(0);
    expect((await open.closed()).received).toContain("FEDTRACE_DRAINING");
    expect((await tunnel.closed()).received).toMatch(/^HTTP\/1\.1 101 /);
  });
});
