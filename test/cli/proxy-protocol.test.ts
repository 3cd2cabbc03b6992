/** `inbound.proxy_protocol` in the built program: alone, and with workers, where the primary hands connections over unread. */

import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectPeer } from "../http1/sockets.ts";
import { v2 } from "../http1/proxy-headers.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { readSpans } from "../support/otlp-file.ts";
import { inboundTo, startSidecar } from "../support/sidecar.ts";
import { recordingUpstream } from "../support/wire.ts";

const REQUEST = "GET /_matrix/key/v2/server HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n";

describe.each([{ workers: 1 }, { workers: 2 }])("with $workers of them", ({ workers }) => {
  it("the worker that has the connection reads its header", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const tracesPath = join(temporaryDirectory(), "traces.jsonl");
    const sidecar = await startSidecar({
      inbound: {
        ...inboundTo(upstream.port),
        trusted_proxies: ["127.0.0.1"],
        proxy_protocol: true,
        identify: ["address"],
        authenticate: "network",
        networks: { "friend.test": ["192.0.2.0/24"] },
      },
      whitelist: ["friend\\.test"],
      export: [{ file: { path: tracesPath } }],
      workers,
    });
    for (const header of ["PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n", v2().toString("latin1")]) {
      for (const cut of [0, 7, header.length]) {
        const peer = await connectPeer(sidecar.port.inbound);
        peer.send(header.slice(0, cut));
        peer.send(header.slice(cut) + REQUEST);
        await peer.until("\r\n\r\nok");
        peer.socket.end();
      }
    }
    const bare = await connectPeer(sidecar.port.inbound);
    bare.send(REQUEST);
    await bare.ended();
    expect(bare.received).toBe("");
    expect(await sidecar.stop()).toBe(0);
    const spans = readSpans(tracesPath).map(({ attributes }) => [
      attributes["client.address"],
      attributes["network.peer.address"],
      attributes["fedtrace.peer.proof"],
    ]);
    expect(spans).toEqual(Array.from({ length: 6 }, () => ["192.0.2.7", "127.0.0.1", "network"]));
    expect(upstream.received().match(/^x-forwarded-for: 192\.0\.2\.7\r$/gm)).toHaveLength(6);
  });
});
