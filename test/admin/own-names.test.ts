/** Which requests were meant for the listener. What it answers to the others: test/cli/admin.test.ts. */

import { expect, it } from "vitest";
import { findForeignName, readTarget } from "../../src/admin/own-names.ts";

const HOSTS = ["trace.example"];

it.each([
  { origin: "http://localhost:9470", host: "localhost:9470", why: "its own page" },
  { origin: "http://localhost:9470", host: "localhost", why: "ports are not compared" },
  { origin: "HTTPS://LOCALHOST", host: "localhost:9470", why: "nor are schemes and letter case" },
  { origin: "http://192.0.2.1:80", host: "192.0.2.1", why: "an address that is the Host" },
  { origin: "http://[::1]:9470", host: "[::1]:9470", why: "an IPv6 address that is" },
  {
    origin: "https://trace.example",
    host: "127.0.0.1:9470",
    why: "admin.hosts, behind a proxy that sets Host",
  },
  { origin: "https://trace.example:8443", host: "trace.example", why: "admin.hosts, with any port" },
])("Origin $origin for Host $host is its own: $why", ({ origin, host }) => {
  expect(findForeignName({ headers: { host, origin }, url: "/" }, HOSTS)).toBeUndefined();
});

it.each([
  { origin: "http://127.0.0.1:9470", host: "localhost:9470", why: "an address that is not the Host" },
  { origin: "http://192.0.2.66", host: "127.0.0.1:9470", why: "somebody's address" },
  { origin: "http://[2001:db8::1]", host: "[::1]:9470", why: "somebody's IPv6 address" },
  { origin: "http://localhost:3000", host: "127.0.0.1:9470", why: "a loopback name that is not the Host" },
  { origin: "http://app.localhost", host: "localhost:9470", why: "another loopback name" },
  { origin: "https://evil.example", host: "trace.example", why: "somebody's name" },
  { origin: "https://x.trace.example", host: "trace.example", why: "a subdomain of admin.hosts" },
  { origin: "null", host: "null", why: "a sandboxed frame" },
  { origin: "file://localhost", host: "localhost", why: "no web origin" },
  { origin: "http://localhost/", host: "localhost", why: "no origin: it has a path" },
  { origin: "http://a@localhost", host: "localhost", why: "no origin: it has a user" },
  { origin: "http://", host: "localhost", why: "no name" },
  { origin: "", host: "localhost", why: "empty" },
])("Origin $origin for Host $host is not: $why", ({ origin, host }) => {
  const foreign = findForeignName({ headers: { host, origin }, url: "/" }, HOSTS);
  expect(foreign).toBe(host === "null" ? "Host" : "Origin");
});

it.each([
  { url: "http://localhost:9470/", origin: undefined, foreign: undefined, why: "its own" },
  { url: "http://trace.example/x", origin: undefined, foreign: undefined, why: "one of admin.hosts" },
  { url: "http://evil.example/", origin: undefined, foreign: "Host", why: "somebody's" },
  { url: "HTTPS://evil.example", origin: undefined, foreign: "Host", why: "without a path" },
  { url: "http://localhost@evil.example/", origin: undefined, foreign: "Host", why: "a user before it" },
  { url: "http:///x", origin: undefined, foreign: "Host", why: "an empty one" },
  { url: "http://127.0.0.1/", origin: "http://127.0.0.1", foreign: undefined, why: "it stands for the Host" },
  { url: "http://127.0.0.1/", origin: "http://localhost", foreign: "Origin", why: "in place of the Host" },
])("target $url is judged by its authority: $foreign ($why)", ({ url, origin, foreign }) => {
  const headers = origin === undefined ? { host: "localhost" } : { host: "localhost", origin };
  expect(findForeignName({ headers, url }, HOSTS)).toBe(foreign);
});

it.each([
  { url: "/a?b=http://c/d", path: "/a?b=http://c/d", authority: undefined },
  { url: "http://localhost:1/a?b", path: "/a?b", authority: "localhost:1" },
  { url: "http://localhost?b", path: "/?b", authority: "localhost" },
  { url: "*", path: "*", authority: undefined },
])("$url has the path $path", ({ url, path, authority }) => {
  expect(readTarget(url)).toEqual({ path, authority });
});
