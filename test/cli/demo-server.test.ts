/** `demo-server`: what its command line may say, and that it signs, answers and ends. A whole deployment: test/real/deploy.test.ts. */

import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseDemoServer } from "../../src/commands/demo-server.ts";
import { startProcess } from "../deploy/process.ts";
import { runCli } from "../support/cli.ts";
import { OUTBOUND, startSidecar } from "../support/sidecar.ts";

const WORDS = {
  name: "one.test:8448",
  listen: "127.0.0.1:0",
  proxy: "127.0.0.1:3128",
  sendTo: undefined,
  every: undefined,
};

describe("reads", () => {
  it.each([
    { words: {}, read: { name: "one.test:8448", sendTo: undefined, everyMs: 1000 }, why: "the least" },
    { words: { name: "ONE.test" }, read: { name: "one.test" }, why: "names have no case" },
    { words: { sendTo: "two.test" }, read: { sendTo: "two.test" }, why: "a peer" },
    { words: { every: "10ms" }, read: { everyMs: 10 }, why: "the least pause" },
    { words: { every: "24h" }, read: { everyMs: 86_400_000 }, why: "the longest" },
  ])("$why: $words", ({ words, read }) => {
    expect(parseDemoServer({ ...WORDS, ...words })).toMatchObject({ value: read });
  });

  it.each([
    { words: { name: "two words" }, refused: /^--name is not a server name/ },
    { words: { listen: "8008" }, refused: /^--listen is not host:port/ },
    { words: { proxy: "127.0.0.1" }, refused: /^--proxy is host:port/ },
    { words: { proxy: "127.0.0.1:0" }, refused: /^--proxy is host:port/ },
    { words: { sendTo: "http://two.test" }, refused: /^--send-to is not a server name/ },
    { words: { every: "9ms" }, refused: /^--every is a duration/ },
    { words: { every: "25h" }, refused: /^--every is a duration/ },
    { words: { every: "1" }, refused: /^--every is a duration/ },
  ])("not $words", ({ words, refused }) => {
    const parsed = parseDemoServer({ ...WORDS, ...words });
    expect("refused" in parsed ? parsed.refused : "").toMatch(refused);
  });

  it.each([
    { args: [], why: "nothing said" },
    { args: ["--name", "one.test", "--listen", "127.0.0.1:0"], why: "no way out" },
    { args: ["--name", "one.test", "--listen", "x", "--proxy", "127.0.0.1:1"], why: "no address" },
  ])("and tells the usage: $why", async ({ args }) => {
    const { status, stdout, stderr } = await runCli(["demo-server", ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^--\w+[^\n]+\n\nusage: fedtrace COMMAND\n/);
  });
});

async function startDemoServer(...more: readonly string[]): Promise<{
  readonly process: ReturnType<typeof startProcess>;
  readonly address: string;
}> {
  const process = startProcess(["dist/cli.js", "demo-server", "--listen=127.0.0.1:0", ...more]);
  const [address = ""] = /[\d.]+:\d+$/.exec(await process.until(/ listening on /)) ?? [];
  return { process, address };
}

it("sends by its way out, and is understood by another", async () => {
  const way = await startSidecar({ outbound: OUTBOUND, whitelist: [] });
  const proxy = `--proxy=127.0.0.1:${way.port.outbound}`;
  const two = await startDemoServer("--name=127.0.0.1", proxy);
  // A name that leads to it without DNS; the second server is told its own name late, so its key is asked for there.
  const one = await startDemoServer("--name=one.test", proxy, `--send-to=${two.address}`, "--every=10ms");
  // It answers 401: the name it is asked by is not its own. But signed, sent, read and answered it was.
  await one.process.until(/^transactions to 127\.0\.0\.1:\d+: 401$/);
  expect(await one.process.stop()).toBe(0);
  expect(await two.process.stop()).toBe(0);
});

it("goes on where its way out fails, and says so once", async () => {
  const attempts = { count: 0, reached: (): void => undefined };
  const several = new Promise<void>((resolve) => {
    attempts.reached = resolve;
  });
  const closing = createServer((socket) => {
    socket.destroy();
    if (++attempts.count === 5) attempts.reached();
  });
  await new Promise<void>((resolve) => void closing.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void closing.close());
  const { port } = closing.address() as AddressInfo;

  const proxy = `--proxy=127.0.0.1:${port}`;
  const { process } = await startDemoServer("--name=one.test", proxy, "--send-to=two.test", "--every=10ms");
  await several;
  expect(await process.stop()).toBe(0);
  expect(process.lines.filter((line) => line.startsWith("transactions to two.test: "))).toHaveLength(1);
});

it("ends with status 1 where its address is taken", async () => {
  const { address } = await startDemoServer("--name=one.test", "--proxy=127.0.0.1:1");
  const args = ["demo-server", "--name=two.test", `--listen=${address}`, "--proxy=127.0.0.1:1"];
  const { status, stdout, stderr } = await runCli(args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^demo-server: listen EADDRINUSE/);
});
