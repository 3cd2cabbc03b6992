/** parseConnection against RFC 9110 section 7.6.1, and the nominations that would take a message apart. */

import { describe, expect, it } from "vitest";
import { NO_OPTIONS, parseConnection } from "../../src/http1/connection-options.ts";

describe("parseConnection", () => {
  it.each([
    { why: "close", values: ["close"], options: { isClose: true } },
    { why: "Close", values: ["Close"], options: { isClose: true } },
    { why: "keep-alive", values: ["keep-alive"], options: { isKeepAlive: true } },
    { why: "Keep-Alive", values: ["Keep-Alive"], options: { isKeepAlive: true } },
    { why: "upgrade", values: ["UPGRADE"], options: { isUpgrade: true } },
    {
      why: "both, which is close (RFC 9112 9.3)",
      values: ["keep-alive, close"],
      options: { isClose: true, isKeepAlive: true },
    },
    { why: "several lines", values: ["close", "upgrade"], options: { isClose: true, isUpgrade: true } },
    {
      why: "blanks of both kinds",
      values: ["\tclose \t, \tX-A"],
      options: { isClose: true, nominated: ["x-a"] },
    },
    { why: "empty elements (RFC 9110 5.6.1)", values: [", ,close,"], options: { isClose: true } },
    { why: "nothing", values: [""], options: {} },
    {
      why: "what goes anyway",
      values: ["TE, Keep-Alive, proxy-connection, HTTP2-Settings"],
      options: { isKeepAlive: true },
    },
    {
      why: "trace headers, as any other name",
      values: ["traceparent, b3"],
      options: { nominated: ["traceparent", "b3"] },
    },
    { why: "a word that is not close", values: ["close me"], options: { nominated: ["close me"] } },
    {
      why: "a no-break space, which is no blank",
      values: ["close\xa0"],
      options: { nominated: ["close\xa0"] },
    },
    {
      why: "as many as allowed",
      values: [`${"a,".repeat(15)}close`],
      options: { isClose: true, nominated: Array<string>(15).fill("a") },
    },
  ])("reads $why", ({ values, options }) => {
    expect(parseConnection(values)).toEqual({ ...NO_OPTIONS, ...options });
  });

  it.each([
    "Content-Length",
    "transfer-encoding",
    "Host",
    "content-type",
    "content-encoding",
    "content-range",
    "authorization",
    "signature",
    "signature-input",
    "digest",
    "content-digest",
    "date",
    "cache-control",
    "trailer",
  ])("refuses to drop %s", (name) => {
    expect(parseConnection([`close, ${name}`])).toBeUndefined();
    expect(parseConnection(["close", `\t${name.toUpperCase()} `])).toBeUndefined();
  });

  it("refuses one option too many, and a list without end, at once", () => {
    expect(parseConnection([`${"a,".repeat(16)}close`])).toBeUndefined();
    expect(parseConnection([",".repeat(1 << 20)])).toBeUndefined();
    expect(parseConnection(Array<string>(17).fill("close"))).toBeUndefined();
  });
});
