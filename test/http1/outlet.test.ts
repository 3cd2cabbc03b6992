/** Outlet: a head waits for its body's first bytes, nothing is lost or reordered, every byte value survives. */

import { createServer, connect, type Socket } from "node:net";
import { once } from "node:events";
import { expect, it } from "vitest";
import { Outlet } from "../../src/http1/outlet.ts";

/** A connected pair; what is written to the first is read from the second. */
async function withPair(use: (near: Socket, far: Socket) => Promise<void> | void): Promise<void> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const near = connect({ host: "127.0.0.1", port: typeof address === "object" ? (address?.port ?? 0) : 0 });
  const [far] = (await once(server, "connection")) as [Socket];
  try {
    await use(near, far);
  } finally {
    near.destroy();
    far.destroy();
    server.close();
  }
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

it.each([
  { why: "a head alone", write: (outlet: Outlet) => outlet.text("head"), expected: "head" },
  { why: "two texts", write: (outlet: Outlet) => (outlet.text("a"), outlet.text("b")), expected: "ab" },
  {
    why: "a head and a small body",
    write: (outlet: Outlet) => (outlet.text("head "), outlet.bytes(ALL_BYTES)),
    expected: `head ${ALL_BYTES.toString("latin1")}`,
  },
  {
    why: "latin1 text",
    write: (outlet: Outlet) => outlet.text(ALL_BYTES.toString("latin1")),
    expected: ALL_BYTES.toString("latin1"),
  },
  {
    why: "a head and a body that just fit together",
    write: (outlet: Outlet) => (outlet.text("head"), outlet.bytes(Buffer.alloc(16_379, "b"))),
    expected: `head${"b".repeat(16_379)}`,
  },
  {
    why: "a head and a body that just don't",
    write: (outlet: Outlet) => (outlet.text("head"), outlet.bytes(Buffer.alloc(16_380, "b"))),
    expected: `head${"b".repeat(16_380)}`,
  },
  {
    why: "bytes, then text, then bytes",
    write: (outlet: Outlet) => (
      outlet.bytes(Buffer.from("a")),
      outlet.text("b"),
      outlet.bytes(Buffer.from("c"))
    ),
    expected: "abc",
  },
])("sends $why", async ({ write, expected }) => {
  await withPair(async (near, far) => {
    const outlet = new Outlet(near);
    const chunks: Buffer[] = [];
    far.on("data", (chunk: Buffer) => chunks.push(chunk));
    write(outlet);
    outlet.flush();
    near.end();
    await once(far, "end");
    expect(Buffer.concat(chunks).toString("latin1")).toBe(expected);
  });
});

it("writes nothing before there are bytes or a flush, and nothing twice", async () => {
  await withPair((near) => {
    const outlet = new Outlet(near);
    outlet.text("head");
    expect(near.bytesWritten).toBe(0);
    expect(outlet.flush()).toBe(true);
    expect(near.bytesWritten).toBe(4);
    expect(outlet.flush()).toBe(true);
    expect(near.bytesWritten).toBe(4);
  });
});

it.each([
  { why: "with a head before it", head: "head" },
  { why: "alone", head: "" },
])("says that the socket is full behind a large body $why", async ({ head }) => {
  await withPair((near) => {
    const outlet = new Outlet(near);
    outlet.text(head);
    expect(outlet.bytes(Buffer.alloc(64 * 1024 * 1024))).toBe(false);
  });
});
