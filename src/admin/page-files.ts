/**
 * The built page (build.mjs, dist/page) as routes: read at the first request, then kept, compressed forms included.
 *
 * The page shows texts that peers chose. Should one ever become markup, the policy still lets nothing run, load or leave:
 * https://www.w3.org/TR/CSP3/. Not here: what the page shows (src/page).
 */

import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { takesCoding } from "./accept-encoding.ts";
import { type AdminAnswer, type AdminRequest, type AdminRoute, refusal } from "./answer.ts";

const PAGE_HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  vary: "accept-encoding",
} as const;

/** Names of assets hold a hash of their content. */
const CACHE_FOREVER = "public, max-age=31536000, immutable";
/** Kept, but asked for again: an upgraded sidecar has another page. */
const CACHE_CHECKED = "no-cache";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The smallest first. */
const ENCODINGS = [
  { coding: "br", suffix: ".br" },
  { coding: "gzip", suffix: ".gz" },
] as const;

/** One file in each form that it is sent in. */
interface PageFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly encoded: readonly { readonly coding: string; readonly bytes: Buffer }[];
  /** Weak: the forms differ in their bytes. */
  readonly etag: string;
}

/** By path: `/`, `/favicon.svg`, `/assets/main-….js`. */
type PageFiles = ReadonlyMap<string, PageFile>;

/**
 * @param directory of the built page; that it is not there shows when it is asked for, as a 503
 */
export function createPageRoutes(directory: string): readonly AdminRoute[] {
  let files: Promise<PageFiles> | undefined;
  const answer = async (path: string, request: AdminRequest, cache: string): Promise<AdminAnswer> => {
    files ??= readPage(directory);
    let page: PageFiles;
    try {
      page = await files;
    } catch {
      files = undefined;
      return refusal(503, "the page is not there: it is made by npm run build, beside the program");
    }
    const file = page.get(path);
    return file === undefined
      ? refusal(404, "the page has no such file; reload it")
      : answerFile(file, request, cache);
  };
  return [
    { pattern: "/", answer: (request) => answer("/", request, CACHE_CHECKED) },
    { pattern: "/favicon.svg", answer: (request) => answer("/favicon.svg", request, CACHE_CHECKED) },
    {
      pattern: "/assets/{name}",
      answer: (request) => answer(`/assets/${request.parameters["name"] ?? ""}`, request, CACHE_FOREVER),
    },
  ];
}

function answerFile(file: PageFile, request: AdminRequest, cache: string): AdminAnswer {
  const headers = { ...PAGE_HEADERS, "cache-control": cache, etag: file.etag };
  if (matches(request.header("if-none-match"), file.etag)) {
    return { status: 304, type: file.type, body: Buffer.alloc(0), headers };
  }
  const form = file.encoded.find(({ coding }) => takesCoding(request.header("accept-encoding"), coding));
  if (form === undefined) return { status: 200, type: file.type, body: file.plain, headers };
  return {
    status: 200,
    type: file.type,
    body: form.bytes,
    headers: { ...headers, "content-encoding": form.coding },
  };
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2, compared weakly; `*` is of no use to a page. */
function matches(wanted: string | undefined, etag: string): boolean {
  return wanted?.split(",").some((candidate) => candidate.trim() === etag) ?? false;
}

/** Rejects when the page was not built. */
async function readPage(directory: string): Promise<PageFiles> {
  const { createHash } = await import("node:crypto");
  const assets = (await readdir(join(directory, "assets"))).filter((name) => /\.(?:js|css)$/.test(name));
  const paths = [
    ["/", "index.html"],
    ["/favicon.svg", "favicon.svg"],
    ...assets.map((name) => [`/assets/${name}`, join("assets", name)] as const),
  ] as const;
  return new Map(
    await Promise.all(
      paths.map(async ([path, name]): Promise<[string, PageFile]> => {
        const plain = await readFile(join(directory, name));
        const encoded = await Promise.all(
          ENCODINGS.map(async ({ coding, suffix }) => ({
            coding,
            bytes: await readFile(join(directory, name + suffix)),
          })),
        );
        const etag = `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
        return [path, { type: TYPES[extname(name)] ?? "application/octet-stream", plain, encoded, etag }];
      }),
    ),
  );
}
