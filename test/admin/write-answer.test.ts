/** How an answer goes out: what is zipped, what streams, what a broken or abandoned one looks like. */

import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import type { AdminAnswer } from "../../src/admin/answer.ts";
import { writeAnswer } from "../../src/admin/write-answer.ts";

const LONG = "x".repeat(1024);

interface Reply {
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly isWhole: boolean;
}

async function ask(
  answer: AdminAnswer,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Reply> {
  const server = createServer((request, response) => {
    writeAnswer(request, response, answer).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    get({ port, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      const end = (): void =>
        resolve({ headers: response.headers, body: Buffer.concat(chunks), isWhole: response.complete });
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", end).on("error", end);
    }).on("error", reject);
  });
}

function text(body: AdminAnswer["body"], headers?: AdminAnswer["headers"]): AdminAnswer {
  return { status: 200, type: "text/plain", body, ...(headers && { headers }) };
}

async function* pieces(...parts: readonly string[]): AsyncGenerator<string> {
  for (const part of parts) yield await Promise.resolve(part);
}

it.each([
  { accept: "gzip", isZipped: true, why: "the reader takes it" },
  { accept: "br, gzip;q=0.5", isZipped: true, why: "among others, with a weight" },
  { accept: "deflate,gzip", isZipped: true, why: "without a space" },
  { accept: "gzip;q=0", isZipped: false, why: "refused by weight" },
  { accept: "gzip; q=0.0", isZipped: false, why: "refused by weight" },
  { accept: "br", isZipped: false, why: "another coding" },
  { accept: "x-gzip2", isZipped: false, why: "a name that only looks like it" },
  { accept: "", isZipped: false, why: "nothing is taken" },
])("accept-encoding $accept: $why", async ({ accept, isZipped }) => {
  const { headers, body } = await ask(text(LONG), { "accept-encoding": accept });
  expect(headers["content-encoding"]).toBe(isZipped ? "gzip" : undefined);
  expect(headers.vary).toBe("accept-encoding");
  expect((isZipped ? gunzipSync(body) : body).toString()).toBe(LONG);
});

it.each([
  { body: "x".repeat(1023), headers: undefined, why: "too short to gain" },
  { body: Buffer.from(LONG), headers: undefined, why: "bytes are what their maker wants" },
  { body: LONG, headers: { "content-encoding": "br" }, why: "encoded already" },
])("leaves it as it is: $why", async ({ body, headers }) => {
  const reply = await ask(text(body, headers), { "accept-encoding": "gzip" });
  expect(reply.headers["content-encoding"]).toBe(headers?.["content-encoding"]);
  expect(reply.headers["content-length"]).toBe(String(body.length));
  expect(reply.body).toEqual(Buffer.from(body));
});

it.each([
  { accept: "", length: "1026" },
  { accept: "gzip", length: undefined },
])("writes text that is there in pieces as one, accept-encoding $accept", async ({ accept, length }) => {
  const { headers, body, isWhole } = await ask(text(["[", LONG, "]"].map((part) => Buffer.from(part))), {
    "accept-encoding": accept,
  });
  expect([headers["content-length"], headers.vary, isWhole]).toEqual([length, "accept-encoding", true]);
  expect((accept === "gzip" ? gunzipSync(body) : body).toString()).toBe(`[${LONG}]`);
});

it("has no bytes where no piece has", async () => {
  const { headers, body } = await ask(text([]));
  expect([headers["content-length"], body.length]).toEqual(["0", 0]);
});

it.each([{ accept: "" }, { accept: "gzip" }])(
  "streams pieces, accept-encoding $accept",
  async ({ accept }) => {
    const { headers, body, isWhole } = await ask(text(pieces("[", "1", "]")), { "accept-encoding": accept });
    expect(headers["content-length"]).toBeUndefined();
    expect((accept === "gzip" ? gunzipSync(body) : body).toString()).toBe("[1]");
    expect(isWhole).toBe(true);
  },
);

it("breaks off what its source can't finish, so that it doesn't look whole", async () => {
  async function* broken(): AsyncGenerator<string> {
    yield await Promise.resolve("[1,");
    throw new Error("the source broke");
  }
  expect((await ask(text(broken()))).isWhole).toBe(false);
});

it("answers HEAD with the headers alone", async () => {
  const { headers, body } = await ask(text("short"), {}, "HEAD");
  expect(headers["content-length"]).toBe("5");
  expect(body).toHaveLength(0);
});

it.each([
  { headers: undefined, policy: "default-src 'none'; frame-ancestors 'none'", why: "nothing said" },
  {
    headers: { "content-security-policy": "default-src 'self'" },
    policy: "default-src 'self'",
    why: "its own",
  },
])("has a policy for browsers: $why", async ({ headers, policy }) => {
  const reply = await ask(text("short", headers));
  expect(reply.headers["content-security-policy"]).toBe(policy);
  expect(reply.headers["x-content-type-options"]).toBe("nosniff");
});
