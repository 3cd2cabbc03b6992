/** `demo`: shows traces over two servers and their sidecars, and a stranger's failure, with nothing else installed. */

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { CLI, environmentOf, runCli } from "../support/cli.ts";
import { startDemo } from "../support/demo.ts";
import { poll } from "../support/poll.ts";

it("sends, prints one trace as a tree of four spans, and stops", async () => {
  const { status, stdout, stderr } = await runCli(["demo", "--requests", "5"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });

  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => /^trace [0-9a-f]{32}: 4 spans$/.test(line));
  const tree = lines
    .slice(start + 1, start + 5)
    .map((line) => line.replaceAll(/:\d{4,5}\b|, [\d.]+ ms$/g, ""));
  expect(tree).toEqual([
    "└─ one.demo fedtrace: PUT /_matrix/federation/v1/send/{txnId} 200, to two.demo",
    "   └─ two.demo fedtrace: PUT /_matrix/federation/v1/send/{txnId} 200, from one.demo",
    "      └─ two.demo fedtrace: GET /_matrix/key/v2/server 200, to one.demo",
    "         └─ one.demo fedtrace: GET /_matrix/key/v2/server 200, from two.demo",
  ]);
  expect(stdout).toContain("\n5 transactions sent, 20 spans recorded\n");
});

it("ends at a signal, whatever number was asked for", async () => {
  const child = spawn(process.execPath, [CLI, "demo", "--requests", "1000000"], {
    env: environmentOf(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = new Promise<number | null>((resolve) => void child.once("close", resolve));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    if (line.startsWith("Both sidecars")) child.kill("SIGINT");
  });
  expect(await exited).toBe(0);
  expect(lines.at(-1)).toMatch(/^\d+ transactions sent, \d+ spans recorded$/);
});

it("takes another port for its page where somebody has the usual one", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => {
    taken.once("error", () => resolve()); // Somebody has it already: as good.
    taken.listen(9470, "127.0.0.1", resolve);
  });
  onTestFinished(() => void taken.close());
  const { page, stop } = await startDemo();
  expect(page).not.toMatch(/:9470$/);
  expect((await fetch(`${page}/health/ready`)).status).toBe(200);
  expect(await stop()).toBe(0);
});

/** The cast is met within the first ticks, which take as long as the slow route. */
const DEADLINE_MS = 15_000;

interface DemoPeer {
  readonly name: string;
  readonly whitelisted: boolean;
  readonly inbound: { readonly contexts: Readonly<Record<string, number>>; readonly headers_removed: number };
  readonly outbound: { readonly failed: number };
  readonly refused: readonly object[];
}

it("without a number it goes on, and its page's sidecar met friend, stranger, careless and gone", async () => {
  const { page, lines, stop } = await startDemo();
  const hostOf = ({ name }: DemoPeer): string => name.replace(/:.*/, "");
  const found = await poll(async () => {
    const report = (await (await fetch(`${page}/api/fedtrace/peers`)).json()) as { peers: DemoPeer[] };
    // A name that was borrowed has a row of its own, which is not whitelisted: the other one counts.
    const rows = report.peers.toSorted((one, other) => Number(one.whitelisted) - Number(other.whitelisted));
    const met = new Map(rows.map((peer) => [hostOf(peer), peer]));
    const hasCome = (met.get("careless.demo")?.refused.length ?? 0) > 0;
    return hasCome && ["two.demo", "stranger.demo", "gone.demo"].every((name) => met.has(name))
      ? met
      : undefined;
  }, DEADLINE_MS);
  const peers = found ?? new Map<string, DemoPeer>();
  expect(peers.get("two.demo")).toMatchObject({ whitelisted: true, refused: [] });
  expect(peers.get("two.demo")?.inbound.contexts["extracted"]).toBeGreaterThan(0);
  expect(peers.get("stranger.demo")).toMatchObject({
    whitelisted: false,
    inbound: { contexts: { extracted: 0, refused: 0 } },
  });
  expect(peers.get("stranger.demo")?.inbound.headers_removed).toBeGreaterThanOrEqual(5);
  expect(peers.get("careless.demo")).toMatchObject({
    whitelisted: true,
    inbound: { contexts: { extracted: 0 } },
    refused: [{ format: "w3c", reason: "length" }],
  });
  expect(peers.get("gone.demo")?.outbound.failed).toBeGreaterThan(0);

  await poll(
    () => Promise.resolve(lines.some((line) => line.startsWith("Sending on")) || undefined),
    DEADLINE_MS,
  );
  expect(lines.find((line) => line.includes("stranger.demo sends"))).toBeDefined();
  expect(await stop()).toBe(0);
});
