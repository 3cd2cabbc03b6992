/** Upgraded connections: whichever side dies or falls silent, both are freed and one span says how it ended. */

import { describe, expect, it } from "vitest";
import type { RawPeer } from "../../http1/sockets.ts";
import {
  expectAftermath,
  openStage,
  outcomeOf,
  pour,
  type Script,
  type Side,
  type Stage,
  untilSteady,
  FAST,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const ASKED = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

const accept: Script = async (peer) => {
  await peer.until("\r\n\r\n");
  peer.send(`${SWITCHED}hello`);
};

interface Tunnel {
  readonly stage: Stage;
  readonly client: RawPeer;
  readonly upstream: RawPeer;
}

async function openTunnel(side: Side, limits = {}): Promise<Tunnel> {
  const stage = await openStage(side, { script: accept, limits });
  const client = await stage.client();
  client.send(stage.head("GET", ASKED));
  await client.until("hello");
  client.send("hi");
  const [upstream] = stage.upstreams;
  if (upstream === undefined) throw new Error("no upstream connection");
  upstream.socket.once("end", () => upstream.socket.end());
  await upstream.until("hi");
  return { stage, client, upstream };
}

describe.each(SIDES)("%s: an upgraded connection", (side) => {
  it.each([
    { why: "the client ends it", end: ({ client }: Tunnel) => void client.socket.end(), error: undefined },
    {
      why: "the upstream ends it",
      end: ({ upstream }: Tunnel) => void upstream.socket.end(),
      error: undefined,
    },
    {
      why: "the client closes at once",
      end: ({ client }: Tunnel) => void client.socket.destroy(),
      error: undefined,
    },
    {
      why: "the client resets it",
      end: ({ client }: Tunnel) => void client.socket.resetAndDestroy(),
      error: "CLIENT_ABORTED",
    },
    {
      why: "the upstream resets it",
      end: ({ upstream }: Tunnel) => void upstream.socket.resetAndDestroy(),
      error: "UPSTREAM_CLOSED",
    },
  ])("$why", async ({ end, error }) => {
    const tunnel = await openTunnel(side);
    end(tunnel);
    await tunnel.client.closed();
    await tunnel.upstream.closed();
    await expectAftermath(tunnel.stage, { errors: [error], status: 101 });
  });

  it("is closed when neither side sends a byte within limits.idle", async () => {
    const { stage, client, upstream } = await openTunnel(side, { idle: "100ms" });
    await client.closed();
    await upstream.closed();
    await expectAftermath(stage, { errors: ["TUNNEL_IDLE"], status: 101 });
  });

  it.each([
    { why: "the client", reader: ({ client }: Tunnel) => client, writer: ({ upstream }: Tunnel) => upstream },
    {
      why: "the upstream",
      reader: ({ upstream }: Tunnel) => upstream,
      writer: ({ client }: Tunnel) => client,
    },
  ])("is freed when $why reads nothing and the other goes away", async ({ reader, writer }) => {
    const tunnel = await openTunnel(side, { idle: "300ms" });
    reader(tunnel).socket.pause();
    const poured = pour(writer(tunnel), 100_000_000);
    await untilSteady(() => poured.taken);
    writer(tunnel).socket.resetAndDestroy();
    await expect.poll(() => tunnel.stage.metric("fedtrace_connections"), FAST).toBe(0);
    await expect.poll(() => tunnel.stage.metric("fedtrace_upstream_connections"), FAST).toBe(0);
    expect(await tunnel.stage.sidecar.spansOf(1)).toHaveLength(1);
  });

  it("that the client does not wait for ends as any request", async () => {
    const stage = await openStage(side, { script: () => undefined });
    const client = await stage.client();
    client.send(stage.head("GET", ASKED));
    await expect.poll(() => stage.upstreams[0]?.received, FAST).toMatch(/\r\n\r\n$/);
    client.socket.resetAndDestroy();
    await expectAftermath(stage, { errors: ["CLIENT_ABORTED"] });
  });

  it("that the upstream refuses is any answer", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.send(stage.head("GET", ASKED));
    await client.until("ok");
    client.socket.end();
    await client.closed();
    expect(outcomeOf(client)).toBe("200 whole");
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 1 });
  });
});
