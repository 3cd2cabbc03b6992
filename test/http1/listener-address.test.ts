/** Listening on unix sockets: whose files are replaced, whose stay, and who may connect. */

import { once } from "node:events";
import { linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { ANSWER, GET, startServer } from "./server.ts";
import { connectPeer } from "./sockets.ts";

async function serveOnce(path: string, { requests }: Awaited<ReturnType<typeof startServer>>) {
  const client = await connectPeer(path);
  client.send(GET);
  const request = await requests.next();
  request.answer(ANSWER, false);
  await client.ended();
  client.socket.end();
  return { received: client.received, clientAddress: request.connection.clientAddress };
}

/** What a killed process leaves: a socket's file that nobody listens on. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer().listen(`${path}.own`);
  await once(server, "listening");
  linkSync(`${path}.own`, path);
  server.close();
  await once(server, "close");
}

it("serves on a unix socket, for its owner and group, and takes its file away", async () => {
  const path = join(temporaryDirectory(), "in.sock");
  const server = await startServer(10, { address: { path } });
  expect(server.listener.address).toBe(`unix:${path}`);
  expect((lstatSync(path).mode & 0o777).toString(8)).toBe("660");
  expect(await serveOnce(path, server)).toEqual({ received: ANSWER, clientAddress: "" });
  await server.listener.drain();
  expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

it("replaces the socket of a process that is gone", async () => {
  const path = join(temporaryDirectory(), "in.sock");
  await leaveStale(path);
  expect(lstatSync(path).isSocket()).toBe(true);
  const server = await startServer(10, { address: { path } });
  expect((await serveOnce(path, server)).received).toBe(ANSWER);
});

it("leaves the socket of a process that listens", async () => {
  const path = join(temporaryDirectory(), "in.sock");
  const first = await startServer(10, { address: { path } });
  await expect(startServer(10, { address: { path } })).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: `cannot listen on unix:${path}: another process listens there`,
    facts: { address: `unix:${path}` },
  });
  expect((await serveOnce(path, first)).received).toBe(ANSWER);
});

describe("leaves", () => {
  it.each<{ why: string; make: (path: string) => void; reason: string }>([
    {
      why: "a file",
      make: (path) => writeFileSync(path, "kept"),
      reason: "there is a file that is no socket",
    },
    {
      why: "a directory",
      make: (path) => mkdirSync(path),
      reason: "there is a file that is no socket",
    },
    {
      why: "a link to a file",
      make(path) {
        writeFileSync(`${path}.target`, "kept");
        symlinkSync(`${path}.target`, path);
      },
      reason: "there is a file that is no socket",
    },
  ])("$why where it is", async ({ make, reason }) => {
    const path = join(temporaryDirectory(), "in.sock");
    make(path);
    await expect(startServer(10, { address: { path } })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
      message: `cannot listen on unix:${path}: ${reason}`,
    });
    if (!lstatSync(path).isDirectory()) expect(readFileSync(path, "utf8")).toBe("kept");
  });

  it("and says so of a directory that is not there", async () => {
    const path = join(temporaryDirectory(), "absent", "in.sock");
    await expect(startServer(10, { address: { path } })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
  });
});
