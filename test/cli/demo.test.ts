/** `demo --requests N`: shows a trace over two servers and their sidecars, with nothing else installed. */

import { expect, it } from "vitest";
import { runCli } from "../support/cli.ts";

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
