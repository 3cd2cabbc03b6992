/**
 * The collector's page without a collector: its built files under the policy that the collector sends, and made-up answers
 * of its API, ordinary and hostile ones.
 */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const DIRECTORY = "dist/collect-page";
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

interface Made {
  readonly status: number;
  readonly body: unknown;
  /** In place of a body that is JSON. */
  readonly text?: string;
}

interface Asking {
  readonly path: string;
  readonly days: number;
  readonly authorization: string | undefined;
}

export interface CollectPageServer {
  readonly origin: string;
  /** What was asked of the API. */
  readonly asked: readonly Asking[];
  /** What the API answers from now on; undefined: it breaks the connection off. */
  answer: (asking: Asking) => Made | undefined;
  readonly stop: () => Promise<void>;
}

export async function startCollectPageServer(): Promise<CollectPageServer> {
  const asked: Asking[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://page.test");
    if (url.pathname.startsWith("/api/")) answerApi(request, response, url);
    else answerFile(response, url.pathname);
  });
  const answerApi = (request: IncomingMessage, response: ServerResponse, url: URL): void => {
    const asking = {
      path: url.pathname + url.search,
      days: Number(url.searchParams.get("days")),
      authorization: request.headers.authorization,
    };
    asked.push(asking);
    const made = started.answer(asking);
    if (made === undefined) {
      response.destroy();
      return;
    }
    const isExport = url.pathname !== "/api/summary";
    response.writeHead(made.status, {
      "content-type": made.text === undefined ? "application/json" : "text/csv; charset=utf-8",
      ...(isExport ? { "content-disposition": 'attachment; filename="reports"' } : {}),
    });
    response.end(made.text ?? JSON.stringify(made.body));
  };
  await new Promise<void>((fulfil) => void server.listen(0, "127.0.0.1", fulfil));
  const started: CollectPageServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: ({ days }) => ({ status: 200, body: ordinarySummary(days) }),
    stop: () =>
      new Promise((fulfil) => {
        server.close(() => fulfil());
        server.closeAllConnections();
      }),
  };
  return started;
}

function answerFile(response: ServerResponse, path: string): void {
  const name = path === "/" ? "index.html" : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(DIRECTORY, name));
  } catch {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    "content-type": TYPES[extname(name)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
  });
  response.end(bytes);
}

/** 2026-11-30 12:03:40 UTC. */
const GENERATED = 1_796_040_220;
const DAY_SECONDS = 86_400;
/** Counted from the last day: nobody reported. */
export const SILENT_DAYS: ReadonlySet<number> = new Set([12, 13, 14, 40]);
/** The first reports came this many days ago. */
const FIRST_REPORTS_AGO = 300;

export function dayBefore(ago: number): string {
  return new Date((GENERATED - ago * DAY_SECONDS) * 1000).toISOString().slice(0, 10);
}

/** A crowd that grows, with weeks in it, three silent days and a lonely one before them. */
export function ordinarySummary(days: number): Record<string, unknown> {
  return {
    generated: GENERATED,
    from: dayBefore(days - 1),
    to: dayBefore(0),
    totals: { servers: 1043, active: 930, reports: 1_234_567, synapse: 612, fedtrace: 318 },
    days: Array.from({ length: days }, (_, index) => ordinaryDay(days - 1 - index)),
    versions: [
      { kind: "synapse", version: "1.163.2", servers: 402 },
      { kind: "fedtrace", version: "0.1.0", servers: 311 },
      { kind: "synapse", version: "1.162.0", servers: 121 },
      { kind: "synapse", version: "1.161.0rc1 (b=develop,1a2b3c4d5)", servers: 44 },
      ...Array.from({ length: 9 }, (_, index) => ({
        kind: "synapse",
        version: `1.${160 - index}.0`,
        servers: 12 - index,
      })),
      { kind: "fedtrace", version: "other", servers: 7 },
    ],
    contexts: [
      { context: "family", servers: 120 },
      { context: "university of somewhere, computing centre, third floor", servers: 21 },
      { context: "tests", servers: 3 },
    ],
    servers: Array.from({ length: 60 }, (_, index) => ordinaryServer(index)),
    servers_more: 983,
  };
}

function ordinaryDay(ago: number): Record<string, unknown> {
  const day = dayBefore(ago);
  if (SILENT_DAYS.has(ago) || ago > FIRST_REPORTS_AGO) {
    return { day, synapse: 0, fedtrace: 0, new: 0, messages: null, sent_messages: null, users: null, pdus: null, requests_in: null, requests_out: null, peers: null }; // prettier-ignore
  }
  const grown = FIRST_REPORTS_AGO - ago;
  const week = 1 + 0.2 * Math.sin((2 * Math.PI * ago) / 7);
  const synapse = 20 + Math.round(2 * grown);
  // Sidecars came later.
  const fedtrace = Math.max(0, Math.round(1.5 * (grown - 90)));
  return {
    day,
    synapse,
    fedtrace,
    new: 1 + ((ago * 7) % 5),
    messages: Math.round(900 * synapse * week),
    sent_messages: Math.round(300 * synapse * week),
    users: synapse * 17,
    pdus: fedtrace === 0 ? null : Math.round(510 * fedtrace * week),
    requests_in: fedtrace === 0 ? null : Math.round(4100 * fedtrace * week),
    requests_out: fedtrace === 0 ? null : Math.round(3300 * fedtrace * week),
    peers: fedtrace === 0 ? null : fedtrace * 12,
  };
}

function ordinaryServer(index: number): Record<string, unknown> {
  const isSynapse = index % 3 !== 0;
  return {
    instance: isSynapse ? `hs${index}.example.org` : `a81bc81b-dead-4e5d-abff-90865d1e13${10 + index}`,
    kind: isSynapse ? "synapse" : "fedtrace",
    context: index % 4 === 0 ? "family" : null,
    version: isSynapse ? (index % 2 === 0 ? "1.163.2" : "1.163.10") : "0.1.0",
    runtime: isSynapse ? "python 3.11.2" : "node 20.20.2",
    first: GENERATED - 90 * DAY_SECONDS,
    last: GENERATED - index * 790,
    reports: 700 - index,
    messages: isSynapse ? 3000 + 17 * index : null,
    users: isSynapse ? index : null,
    memory_rss: 85_000 + 4000 * index,
    cpu_average: index,
  };
}

export function emptySummary(days: number): Record<string, unknown> {
  return {
    ...ordinarySummary(days),
    totals: { servers: 0, active: 0, reports: 0, synapse: 0, fedtrace: 0 },
    days: Array.from({ length: days }, (_, index) => ({
      day: dayBefore(days - 1 - index),
      synapse: 0,
      fedtrace: 0,
      new: 0,
      messages: null,
      sent_messages: null,
      users: null,
      pdus: null,
      requests_in: null,
      requests_out: null,
      peers: null, // prettier-ignore
    })),
    versions: [],
    contexts: [],
    servers: [],
    servers_more: 0,
  };
}

/** Markup, a turn of the reading direction, controls, marks that pile up, and as long as names get. */
export const HOSTILE_TEXTS: readonly string[] = [
  `<script>alert("x")</script><img src=x onerror=alert(1)>`,
  `gro.elpmaxe\u202Egnp.example`,
  `\u0000\u0007\u001b[31m\u200B\u2066`,
  `a${"\u0301\u0489".repeat(60)}`,
  `javascript:alert(1)//\r\nX-Injected: yes`,
  `<svg/onload=alert(1)>`.padEnd(255, "x"),
  "",
  "=cmd|' /C calc'!A0",
  "__proto__",
];

/** Every text and every number is one that somebody made up to do harm. */
export function hostileSummary(days: number): Record<string, unknown> {
  const numbers = [1e15, 2 ** 53, 0, 1, -5, 1e300, 1.797e308];
  const number = (index: number): number => numbers[index % numbers.length] ?? 0;
  return {
    ...ordinarySummary(days),
    totals: { servers: 2 ** 53, active: 1e15, reports: 1e21, synapse: 2 ** 53, fedtrace: -1 },
    days: Array.from({ length: days }, (_, index) => ({
      day: dayBefore(days - 1 - index),
      synapse: index % 2 === 0 ? 2 ** 53 : 1,
      fedtrace: 2 ** 52,
      new: number(index),
      messages: 2 ** 53,
      sent_messages: index % 5 === 0 ? 1e15 : 3,
      users: number(index),
      pdus: -number(index),
      requests_in: number(index),
      requests_out: "12",
      peers: {},
    })),
    versions: HOSTILE_TEXTS.map((version, index) => ({
      kind: index % 2 === 0 ? "synapse" : version,
      version,
      servers: number(index),
    })),
    contexts: HOSTILE_TEXTS.map((context, index) => ({ context, servers: number(index) })),
    servers: HOSTILE_TEXTS.map((text, index) => ({
      instance: text,
      kind: index % 2 === 0 ? "fedtrace" : text,
      context: text,
      version: text,
      runtime: text,
      first: 0,
      last: index === 0 ? 1e15 : GENERATED,
      reports: number(index),
      messages: number(index),
      users: number(index),
      memory_rss: number(index),
      cpu_average: number(index),
    })),
    servers_more: 2 ** 53,
  };
}
