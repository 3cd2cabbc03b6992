/**
 * Every row of the response table, end to end: an upstream that sends exactly those bytes, the sidecar, a raw client, and
 * a second request that must be answered with its own answer, whatever the first one left behind.
 */

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import { exchangeRaw, rawClient } from "../../support/wire.ts";
import { readAnswers } from "./client-view.ts";
import { requestOf, SECOND_REQUEST, seenBy } from "./response-view.ts";
import { HOST } from "./row.ts";
import type { ResponseRow } from "./response-row.ts";
import { RESPONSE_ROWS } from "./rows-responses.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "./scripted-upstream.ts";

let upstream: ScriptedUpstream;
let sidecar: TestSidecar;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
  });
});
afterAll(async () => {
  await sidecar.sidecar.stop();
  await upstream.stop();
});

async function check(row: ResponseRow): Promise<void> {
  const { sends, closing = "open", seen, late, isReused } = row;
  upstream.script = { sends, closing };
  // The client closes behind it, so that the sidecar's own closing is told from it.
  const client = await rawClient(sidecar.port.inbound);
  client.send(requestOf(row, "Connection: close\r\n"));
  const { received, isReset } = await client.closed();
  const { status, body, end, behind } = seenBy(row, received, isReset);
  expect({ status, end, behind }).toEqual({ status: seen.status, end: seen.end, behind: "" });
  if (seen.end === "whole" && seen.body !== undefined) expect(body).toBe(seen.body);
  if (seen.end === "cut") expect(body.startsWith(seen.body ?? "")).toBe(true);
  expect(received).not.toContain("poison");

  const first = upstream.connectionOf("/row");
  if (late !== undefined && first !== undefined) {
    // Nobody asked for it, so the sidecar's answer is to close.
    const closed = once(first, "close");
    first.write(late);
    await closed;
  }
  const second = await exchangeRaw(sidecar.port.inbound, SECOND_REQUEST);
  expect(readAnswers(second).answers.map((answer) => answer.body)).toEqual(["second"]);
  expect(upstream.connectionOf("/second") === first).toBe(isReused);
}

async function checkPipelined(row: ResponseRow): Promise<void> {
  const { sends, closing = "open", seen } = row;
  upstream.script = { sends, closing };
  const client = await rawClient(sidecar.port.inbound);
  client.send(requestOf(row) + SECOND_REQUEST);
  const { received } = await client.closed();
  const { answers, rest } = readAnswers(received, [row.method ?? "GET", "GET"]);
  const bodies = answers.map(({ body }) => body);
  expect(received).not.toContain("poison");
  expect(rest).toBe("");
  expect(bodies).toEqual([seen.body ?? expect.stringContaining("FEDTRACE_"), "second"]);
}

describe("a response", () => {
  it.each(RESPONSE_ROWS)("$name: $why ($source)", check);

  const kept = RESPONSE_ROWS.filter(({ seen, isHttp10, name }) => {
    return seen.end === "whole" && isHttp10 !== true && !name.startsWith("until");
  });
  it.each(kept)("$name, with the next request behind it", checkPipelined);
});

it("that fills one read of the socket is not followed by what is read behind it", async () => {
  const READ_BYTES = 65_536;
  const head = `HTTP/1.1 200 OK\r\nContent-Length: 65400\r\nX-Fill: `;
  const fill = "f".repeat(READ_BYTES - head.length - 4 - 65_400);
  const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
  upstream.script = { sends: [`${head}${fill}\r\n\r\n${"x".repeat(65_400)}${poison}`], closing: "open" };
  const client = await rawClient(sidecar.port.inbound);
  client.send(`GET /row HTTP/1.1\r\n${HOST}\r\n${SECOND_REQUEST}`);
  const { received } = await client.closed();
  expect(received).not.toContain("poison");
  expect(received.endsWith("second")).toBe(true);
});

it("has no two rows of one name", () => {
  const names = RESPONSE_ROWS.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
