/**
 * serverAttributes and clientAttributes against OpenTelemetry's HTTP conventions and section 4 of the contract.
 * Method: whole attribute sets for an ordinary request, then one row for each fact that may be absent or bounded. Keys are
 * compared with the published constants, so that a typo can't hide.
 */

import * as semantic from "@opentelemetry/semantic-conventions";
import { describe, expect, it } from "vitest";
import {
  type ClientFacts,
  clientAttributes,
  errorType,
  type ServerFacts,
  serverAttributes,
} from "../../src/span/conventions.ts";

const BORDER = {
  peerName: "hs2.example:8448",
  proof: "claimed",
  isWhitelisted: true,
  context: "extracted",
  headersRemoved: 2,
} as const;

const SHARED = {
  method: "GET",
  scheme: "https",
  path: "/_matrix/key/v2/server",
  query: "a=1&access_token=s3cret",
  protocolVersion: "1.1",
  status: 200,
  error: undefined,
  peer: { address: "192.0.2.17", port: 51234 },
  server: { address: "hs1.example", port: 8448 },
  border: BORDER,
  sampling: { asked: undefined, decided: "local", sampler: undefined },
} as const;

function server(changes: Partial<ServerFacts> = {}): Record<string, unknown> {
  return serverAttributes({
    ...SHARED,
    route: "/_matrix/key/v2/server",
    clientAddress: "198.51.100.7",
    userAgent: "Synapse/1.163.2",
    resendCount: 0,
    proofRefusal: undefined,
    bodyContexts: 0,
    ...changes,
  });
}

function client(changes: Partial<ClientFacts> = {}): Record<string, unknown> {
  return clientAttributes({
    ...SHARED,
    authority: "hs1.example:8448",
    resendCount: 0,
    tunnel: undefined,
    peerTraceId: undefined,
    bodyContexts: 0,
    ...changes,
  });
}

describe("serverAttributes", () => {
  it("gives the stable set and our own", () => {
    expect(server()).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "http.route": "/_matrix/key/v2/server",
      "url.scheme": "https",
      "url.path": "/_matrix/key/v2/server",
      "url.query": "a=1&access_token=REDACTED",
      "network.protocol.version": "1.1",
      "network.peer.address": "192.0.2.17",
      "network.peer.port": 51234,
      "client.address": "198.51.100.7",
      "server.address": "hs1.example",
      "server.port": 8448,
      "user_agent.original": "Synapse/1.163.2",
      "fedtrace.direction": "inbound",
      "fedtrace.peer.name": "hs2.example:8448",
      "fedtrace.peer.proof": "claimed",
      "fedtrace.sampling.decided": "local",
      "fedtrace.whitelisted": true,
      "fedtrace.context": "extracted",
      "fedtrace.headers.removed": 2,
    });
  });

  it.each([
    { why: "no answer", changes: { status: undefined }, absent: "http.response.status_code" },
    { why: "no route", changes: { route: undefined }, absent: "http.route" },
    { why: "no query", changes: { query: undefined }, absent: "url.query" },
    { why: "no user agent", changes: { userAgent: undefined }, absent: "user_agent.original" },
    { why: "no client address", changes: { clientAddress: undefined }, absent: "client.address" },
    { why: "no peer (a Unix socket)", changes: { peer: undefined }, absent: "network.peer.address" },
    {
      why: "no peer port",
      changes: { peer: { address: "/run/s", port: undefined } },
      absent: "network.peer.port",
    },
    { why: "no server name", changes: { server: undefined }, absent: "server.address" },
    { why: "no server port", changes: { server: { address: "a", port: undefined } }, absent: "server.port" },
    {
      why: "no peer name",
      changes: { border: { ...BORDER, peerName: undefined } },
      absent: "fedtrace.peer.name",
    },
    { why: "a known method", changes: {}, absent: "http.request.method_original" },
    { why: "an answer below 500", changes: { status: 499 }, absent: "error.type" },
  ] satisfies { why: string; changes: Partial<ServerFacts>; absent: string }[])(
    "leaves an attribute out for $why",
    ({ changes, absent }) => {
      const attributes = server(changes);
      expect(Object.keys(attributes)).not.toContain(absent);
      expect(Object.values(attributes)).not.toContain(undefined);
    },
  );

  it("keeps an unknown method to the side", () => {
    expect(server({ method: "get" })).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "get",
    });
  });
});

describe("clientAttributes", () => {
  it("gives the stable set and our own", () => {
    expect(client()).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.full": "https://hs1.example:8448/_matrix/key/v2/server?a=1&access_token=REDACTED",
      "network.protocol.version": "1.1",
      "network.peer.address": "192.0.2.17",
      "network.peer.port": 51234,
      "server.address": "hs1.example",
      "server.port": 8448,
      "fedtrace.direction": "outbound",
      "fedtrace.peer.name": "hs2.example:8448",
      "fedtrace.peer.proof": "claimed",
      "fedtrace.sampling.decided": "local",
      "fedtrace.whitelisted": true,
      "fedtrace.context": "extracted",
      "fedtrace.headers.removed": 2,
    });
  });

  it.each([
    {
      why: "no user information",
      changes: { authority: "u:p@a.example" },
      key: "url.full",
      value: "https://REDACTED:REDACTED@a.example/?a=1",
    },
    {
      why: "no question mark without a query",
      changes: { query: undefined },
      key: "url.full",
      value: "https://hs1.example:8448/",
    },
    { why: "a second attempt", changes: { resendCount: 1 }, key: "http.request.resend_count", value: 1 },
    {
      why: "by which id the peer knows the trace",
      changes: { peerTraceId: "ab".repeat(16) },
      key: "fedtrace.peer.trace_id",
      value: "ab".repeat(16),
    },
    { why: "an answer from 400", changes: { status: 404 }, key: "error.type", value: "404" },
  ] satisfies { why: string; changes: Partial<ClientFacts>; key: string; value: unknown }[])(
    "says $why",
    ({ changes, key, value }) => {
      expect(client({ path: "/", query: "a=1", ...changes })[key]).toBe(value);
    },
  );
});

it.each([
  { why: "below the server's bound", side: "server", status: 499, error: undefined, type: undefined },
  { why: "at the server's bound", side: "server", status: 500, error: undefined, type: "500" },
  { why: "below the client's bound", side: "client", status: 399, error: undefined, type: undefined },
  { why: "at the client's bound", side: "client", status: 400, error: undefined, type: "400" },
  {
    why: "an own refusal below 500",
    side: "server",
    status: 403,
    error: "TARGET_REFUSED",
    type: "TARGET_REFUSED",
  },
  {
    why: "no answer and an own failure",
    side: "client",
    status: undefined,
    error: "UPSTREAM_CLOSED",
    type: "UPSTREAM_CLOSED",
  },
  { why: "no answer, no failure", side: "client", status: undefined, error: undefined, type: undefined },
] as const)("errorType of $why", ({ side, status, error, type }) => {
  expect(errorType(side, status, error)).toBe(type);
});

describe("bounds", () => {
  it.each([
    { why: "a path", make: (text: string) => server({ path: text })["url.path"] },
    { why: "a query", make: (text: string) => server({ query: text })["url.query"] },
    { why: "a user agent", make: (text: string) => server({ userAgent: text })["user_agent.original"] },
    {
      why: "a peer's name",
      make: (text: string) => server({ border: { ...BORDER, peerName: text } })["fedtrace.peer.name"],
    },
    { why: "a method", make: (text: string) => server({ method: text })["http.request.method_original"] },
  ])("keeps 1,024 characters of $why and no more", ({ make }) => {
    expect(make("x".repeat(1024))).toBe("x".repeat(1024));
    expect(make("x".repeat(1025))).toBe("x".repeat(1024));
  });

  it("keeps url.full within them too, and a query that redaction made longer", () => {
    expect(client({ path: `/${"x".repeat(1100)}` })["url.full"]).toHaveLength(1024);
    expect(server({ query: "sig=&".repeat(204) })["url.query"]).toHaveLength(1024);
  });

  it("keeps latin1 bytes as they are", () => {
    const userAgent = "caf\u00e9 \u0080\u00ff";
    expect(server({ userAgent })["user_agent.original"]).toBe(userAgent);
  });
});

it("spells every conventional key as OpenTelemetry does", () => {
  const published = new Set<unknown>(Object.values(semantic));
  const all = { ...server({ method: "x", error: "INTERNAL" }), ...client({ resendCount: 1 }) };
  const unknown = Object.keys(all).filter((key) => !key.startsWith("fedtrace.") && !published.has(key));
  expect(unknown).toEqual([]);
});
