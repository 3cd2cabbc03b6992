/** The page's files over the admin listener: forms, caching, and the policy that keeps a page from doing harm. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { AdminAnswer } from "../../src/admin/answer.ts";
import { createPageRoutes } from "../../src/admin/page-files.ts";

const PAGE = join("dist", "page");

function ask(
  pattern: string,
  headers: Readonly<Record<string, string>> = {},
  name = "",
  directory = PAGE,
): Promise<AdminAnswer> {
  const route = createPageRoutes(directory).find((candidate) => candidate.pattern === pattern);
  const answer = route?.answer({
    parameters: { name },
    query: new URLSearchParams(),
    header: (key) => headers[key],
  });
  return Promise.resolve(answer ?? { status: 0, type: "", body: "" });
}

async function pageText(): Promise<string> {
  const { body } = await ask("/");
  return Buffer.isBuffer(body) ? body.toString() : "";
}

async function asset(type: "js" | "css"): Promise<string> {
  return new RegExp(`/assets/([\\w-]+\\.${type})`).exec(await pageText())?.[1] ?? "";
}

describe("createPageRoutes", () => {
  it("answers the page with a policy that lets nothing foreign in", async () => {
    const { status, type, headers } = await ask("/");
    expect([status, type]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers).toMatchObject({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    });
  });

  it("has no script or style inside the page, and no address of another origin", async () => {
    const html = await pageText();
    expect(html).not.toMatch(/<style|style=|<script>|https?:|\/\//);
  });

  it.each(["js", "css"] as const)("lets browsers keep %s: its name is its content", async (type) => {
    const { status, headers } = await ask("/assets/{name}", {}, await asset(type));
    expect(status).toBe(200);
    expect(headers?.["cache-control"]).toBe("public, max-age=31536000, immutable");
  });

  it.each([
    { accept: "gzip, deflate, br, zstd", coding: "br", why: "the smallest of those that are taken" },
    { accept: "gzip, deflate", coding: "gzip", why: "no brotli (plain http in Firefox)" },
    { accept: "BR;q=0, gzip;q=0.5", coding: "gzip", why: "brotli is refused" },
    { accept: "gzip;q=0, br;q=0.0", coding: undefined, why: "both are refused" },
    { accept: "", coding: undefined, why: "nothing is asked for" },
    { accept: "brotli", coding: undefined, why: "another name that begins alike" },
  ])("sends $coding: $why", async ({ accept, coding }) => {
    const plain = await ask("/");
    const { headers, body } = await ask("/", { "accept-encoding": accept });
    expect(headers?.["content-encoding"]).toBe(coding);
    const bytes = body as Buffer;
    const decoded =
      coding === "br" ? brotliDecompressSync(bytes) : coding === "gzip" ? gunzipSync(bytes) : bytes;
    expect(decoded.equals(plain.body as Buffer)).toBe(true);
  });

  it("does not send again what the browser has", async () => {
    const { headers } = await ask("/");
    const again = await ask("/", { "if-none-match": `"other", ${headers?.["etag"] ?? ""}` });
    expect([again.status, again.body.valueOf()]).toEqual([304, Buffer.alloc(0)]);
    expect((await ask("/", { "if-none-match": 'W/"other"' })).status).toBe(200);
  });

  it.each(["nothing.js", "../index.html", "../../cli.js", "main.js", "%2e%2e"])(
    "has no asset %s",
    async (name) => {
      expect((await ask("/assets/{name}", {}, name)).status).toBe(404);
    },
  );

  it("says so when the page was not built", async () => {
    const empty = mkdtempSync(join(tmpdir(), "fedtrace-page-"));
    const { status, body } = await ask("/", {}, "", empty);
    rmSync(empty, { recursive: true });
    expect(status).toBe(503);
    expect(body).toContain("npm run build");
  });
});
