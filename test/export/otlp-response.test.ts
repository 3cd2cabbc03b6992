/** parseRejectedSpans: messages that OpenTelemetry's reader reads the same, and any bytes. */

import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRejectedSpans } from "../../src/export/otlp-response.ts";

describe("parseRejectedSpans", () => {
  it.each([
    { why: "nothing: full success", bytes: [], rejected: 0 },
    { why: "a count", bytes: [0x0a, 2, 0x08, 5], rejected: 5 },
    { why: "a count of two bytes", bytes: [0x0a, 3, 0x08, 0xac, 0x02], rejected: 300 },
    { why: "a message before the count", bytes: [0x0a, 5, 0x12, 1, 0x78, 0x08, 7], rejected: 7 },
    { why: "a warning without a count", bytes: [0x0a, 3, 0x12, 1, 0x78], rejected: 0 },
    {
      why: "unknown fields of each wire type before it",
      rejected: 1,
      bytes: [0x10, 0x96, 1, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x22, 1, 0xff, 0x2d, 0, 0, 0, 0, 0x0a, 2, 0x08, 1],
    },
  ])("reads $why", ({ bytes, rejected }) => {
    const body = Uint8Array.from(bytes);
    expect(parseRejectedSpans(body)).toBe(rejected);
    expect(ProtobufTraceSerializer.deserializeResponse(body).partialSuccess?.rejectedSpans ?? 0).toBe(
      rejected,
    );
  });

  it.each([
    { why: "a length past the end", bytes: [0x0a, 9, 0x08, 5] },
    { why: "a cut tag", bytes: [0x8a] },
    { why: "a cut count", bytes: [0x0a, 2, 0x08, 0x85] },
    { why: "a group", bytes: [0x0b, 0x08, 5] },
    { why: "a count of eight bytes", bytes: [0x0a, 9, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1] },
    { why: "a count of another wire type", bytes: [0x0a, 3, 0x0a, 1, 5] },
  ])("takes $why for none", ({ bytes }) => {
    expect(parseRejectedSpans(Uint8Array.from(bytes))).toBe(0);
  });

  it("gives a count for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(parseRejectedSpans(bytes)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
