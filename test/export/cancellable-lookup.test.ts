/** A look-up that ends when it is told to: the system's holds a process until it has an answer. */

import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { type CancellableLookup, createCancellableLookup } from "../../src/export/cancellable-lookup.ts";
import { createHttpPost } from "../../src/export/http-post.ts";

/** A DNS server that never answers. */
async function silentServer(): Promise<{ readonly server: string; readonly asked: Promise<void> }> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  const asked = new Promise<void>((heard) => void socket.once("message", () => heard()));
  await new Promise<void>((bound) => void socket.bind(0, "127.0.0.1", bound));
  return { server: `127.0.0.1:${socket.address().port}`, asked };
}

function lookUp({ lookup }: CancellableLookup, name: string): Promise<string> {
  return new Promise((resolve) => {
    lookup(name, { family: 4 }, (error, address) =>
      resolve(error?.code ?? (typeof address === "string" ? address : "several")),
    );
  });
}

it("ends where it is cancelled, and has asked nothing that can't be ended", async () => {
  const { server, asked } = await silentServer();
  const names = await createCancellableLookup([server]);
  const answer = lookUp(names, "stats.example");
  await asked;
  expect(process.getActiveResourcesInfo()).not.toContain("GetAddrInfoReqWrap");
  names.cancel();
  expect(await answer).toBe("ECANCELLED");
  expect(await lookUp(names, "stats.example")).toBe("ECANCELLED");
});

it.each([{ name: "localhost" }, { name: "LOCALHOST" }])(
  "needs no DNS server for $name, which the hosts file has",
  async ({ name }) => {
    const { server } = await silentServer();
    expect(await lookUp(await createCancellableLookup([server]), name)).toBe("127.0.0.1");
  },
);

it("is what a POST looks its host up by", async () => {
  const server = createServer((_, response) => void response.end());
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const post = createHttpPost(
    {
      url: `http://stats.example:${port}/`,
      timeoutMs: 5000,
      lookup: (_name, _options, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]),
    },
    createSystemClock(),
  );
  expect(await post.send(Buffer.from("{}"), {})).toHaveProperty("body");
  await post.close();
});
