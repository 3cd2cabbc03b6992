/** Who a client is: direct, by a trusted proxy's word, or by his connection alone; and what counts as one source. */

import { describe, expect, it } from "vitest";
import { createFindClient, type FindClient, sourceOf } from "../../src/collect/client.ts";

type Request = Parameters<FindClient>[0];

function requestFrom(
  remoteAddress: string,
  headers: Readonly<Record<string, string>>,
  httpVersion: string,
): Request {
  const lines = Object.entries(headers).map(([name, value]) => [name, [value]] as const);
  const request = {
    headers,
    headersDistinct: Object.fromEntries(lines),
    httpVersion,
    socket: { remoteAddress },
  };
  return request as unknown as Request;
}

describe("a client", () => {
  it.each([
    { from: "127.0.0.1", client: "127.0.0.1", isDirect: true, why: "on this machine" },
    { from: "::1", client: "::1", isDirect: true, why: "by IPv6" },
    { from: "::ffff:127.0.0.1", client: "127.0.0.1", isDirect: true, why: "by a dual-stack listener" },
    { from: "192.0.2.1", client: "192.0.2.1", isDirect: false, why: "elsewhere" },
    {
      from: "127.0.0.1",
      forwarded: "192.0.2.9",
      client: "192.0.2.9",
      isDirect: false,
      why: "by a proxy here",
    },
    {
      from: "127.0.0.1",
      forwarded: "127.0.0.1",
      client: "127.0.0.1",
      isDirect: false,
      why: "a proxy stands between, whoever comes through it",
    },
    {
      from: "127.0.0.1",
      forwarded: "198.51.100.7, 192.0.2.9",
      client: "192.0.2.9",
      isDirect: false,
      why: "what a client wrote itself is passed over",
    },
    {
      from: "10.1.2.3",
      forwarded: "192.0.2.9, 10.1.0.1",
      client: "192.0.2.9",
      isDirect: false,
      why: "two trusted proxies",
    },
    {
      from: "192.0.2.1",
      forwarded: "127.0.0.1",
      client: "192.0.2.1",
      isDirect: false,
      why: "nobody's proxy",
    },
    { from: "127.0.0.1", forwarded: "garbage", client: "127.0.0.1", isDirect: false, why: "no address" },
    { from: "127.0.0.1", forwarded: "", client: "127.0.0.1", isDirect: false, why: "an empty header" },
  ])(
    "from $from with X-Forwarded-For $forwarded is $client: $why",
    ({ from, forwarded, client, isDirect }) => {
      const find = createFindClient(["10.1.0.0/16"]);
      const headers: Readonly<Record<string, string>> =
        forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
      expect(find(requestFrom(from, headers, "1.1"))).toEqual({ address: client, isDirect });
    },
  );

  it.each(["forwarded", "via", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"])(
    "is not direct where %s shows a proxy",
    (name) => {
      const find = createFindClient([]);
      expect(find(requestFrom("127.0.0.1", { [name]: "x" }, "1.1")).isDirect).toBe(false);
    },
  );

  it("is not direct where it speaks HTTP/1.0, as nginx does to those behind it", () => {
    expect(createFindClient([])(requestFrom("127.0.0.1", {}, "1.0")).isDirect).toBe(false);
  });
});

describe("a source", () => {
  it.each([
    { address: "192.0.2.1", source: "192.0.2.1", why: "an IPv4 address" },
    { address: "2001:db8:1:2:3:4:5:6", source: "2001:db8:1:2::/64", why: "a whole IPv6 address" },
    { address: "2001:db8::1", source: "2001:db8:0:0::/64", why: "zeros left out" },
    { address: "2001:db8:1::4:5:6:7", source: "2001:db8:1:0::/64", why: "one zero left out" },
    { address: "::1", source: "0:0:0:0::/64", why: "zeros from the start" },
    { address: "fe80::1%eth0", source: "fe80:0:0:0::/64", why: "a zone" },
    { address: "", source: "", why: "none" },
  ])("of $address is $source: $why", ({ address, source }) => {
    expect(sourceOf(address)).toBe(source);
  });
});
