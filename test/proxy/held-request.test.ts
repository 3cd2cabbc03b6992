import { describe, expect, test } from "vitest";
import { CHUNKED } from "../../src/http1/framing.ts";
import type { ProofRefusal } from "../../src/proof/prover.ts";
import { createHeldRequests, HeldRequest, type HeldRequests } from "../../src/proxy/held-request.ts";

/** What happened, in order: the steps of a request that is not held, as words. */
function createBench(
  options: {
    readonly bodyLength?: number;
    readonly bytesMax?: number;
    readonly requests?: HeldRequests;
    readonly outcome?: ProofRefusal;
    /** Whether the upstream takes more. */
    readonly hasRoom?: boolean;
    readonly isAnswered?: boolean;
  } = {},
): { readonly held: HeldRequest; readonly steps: string[]; readonly checked: string[] } {
  const steps: string[] = [];
  const checked: string[] = [];
  const held = new HeldRequest({
    requests: options.requests ?? createHeldRequests(),
    bodyLength: options.bodyLength ?? 10,
    bytesMax: options.bytesMax ?? 100,
    check(body) {
      checked.push(body.toString());
      return options.outcome;
    },
    open(refusal) {
      steps.push(`open ${refusal ?? "proven"}`);
      return {
        isOver: options.isAnswered ?? false,
        start: () => void steps.push("start"),
        handler: {
          onRequestBytes(bytes) {
            steps.push(`bytes ${bytes.toString()}`);
            return options.hasRoom ?? true;
          },
          onRequestEnd: (trailers) => void steps.push(`end ${trailers}`),
          onRequestPause: () => void steps.push("pause"),
          onClientDrain: () => void steps.push("drain"),
          onClientGone: (code) => void steps.push(`gone ${code}`),
        },
      };
    },
  });
  return { held, steps, checked };
}

const send = (held: HeldRequest, ...pieces: readonly string[]): boolean[] =>
  pieces.map((piece) => held.onRequestBytes(Buffer.from(piece)));

describe("a held request", () => {
  test("leaves nothing before its body's end, and then all of it", () => {
    const { held, steps, checked } = createBench();
    expect(send(held, "01234", "56789")).toEqual([true, true]);
    held.onRequestPause();
    expect(steps).toEqual([]);
    held.onRequestEnd("");
    expect(checked).toEqual(["0123456789"]);
    expect(steps).toEqual(["open proven", "start", "bytes 0123456789", "pause", "end "]);
  });

  test("in many pieces is one body", () => {
    const { held, steps, checked } = createBench();
    const pieces = Array.from({ length: 99 }, (_, at) => String.fromCharCode(0x20 + (at % 90)));
    send(held, ...pieces);
    held.onRequestEnd("");
    expect(checked).toEqual([pieces.join("")]);
    expect(steps).toContain(`bytes ${pieces.join("")}`);
  });

  test("goes on where the signature is wrong, as unproven", () => {
    const { held, steps } = createBench({ outcome: "wrong" });
    send(held, "0123456789");
    held.onRequestEnd("");
    expect(steps[0]).toBe("open wrong");
    expect(steps).toContain("bytes 0123456789");
  });

  test("is checked without its chunk sizes, and forwarded with them", () => {
    const { held, steps, checked } = createBench({ bodyLength: CHUNKED });
    send(held, "4\r\nab", "cd\r\n2;x=y\r\nef\r\n0\r", "\n");
    held.onRequestEnd("x: y\r\n\r\n");
    expect(checked).toEqual(["abcdef"]);
    expect(steps).toContain("bytes 4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n");
    expect(steps.at(-1)).toBe("end x: y\r\n\r\n");
  });

  test.each([
    { why: "as long as may be", bytesMax: 10, opened: ["open proven"] },
    { why: "a byte longer", bytesMax: 9, opened: ["open body-size"] },
  ])("with a body $why", ({ bytesMax, opened }) => {
    const { held, steps } = createBench({ bytesMax });
    send(held, "01234", "56789");
    held.onRequestEnd("");
    expect(steps.filter((step) => step.startsWith("open"))).toEqual(opened);
    expect(steps.filter((step) => step.startsWith("bytes"))).toEqual(["bytes 0123456789"]);
  });

  test("that is too long goes on with what came, and then as it comes", () => {
    const { held, steps, checked } = createBench({ bytesMax: 4, hasRoom: false });
    expect(send(held, "0123", "4", "56789")).toEqual([true, false, false]);
    held.onRequestEnd("");
    expect(checked).toEqual([]);
    expect(steps).toEqual(["open body-size", "start", "bytes 01234", "pause", "bytes 56789", "end "]);
  });

  test("whose client goes away leaves a span and nothing else", () => {
    const requests = createHeldRequests();
    const { held, steps } = createBench({ requests });
    send(held, "0123");
    held.onClientGone("CLIENT_ABORTED", undefined);
    expect(steps).toEqual(["open body", "gone CLIENT_ABORTED"]);
    expect(requests.bytes).toBe(0);
  });

  test("that was answered when it went on is given no more", () => {
    const { held, steps } = createBench({ isAnswered: true });
    send(held, "0123456789");
    held.onRequestEnd("");
    expect(steps.filter((step) => step.startsWith("bytes"))).toEqual([]);
  });
});

describe("all held requests together", () => {
  test("keep no more than their bound: the one that was held longest goes on first", () => {
    const requests = createHeldRequests(20);
    const [first, second, third] = [1, 2, 3].map(() => createBench({ requests }));
    for (const bench of [first, second]) if (bench !== undefined) send(bench.held, "0123456789");
    expect([first?.steps, second?.steps, requests.bytes]).toEqual([[], [], 20]);
    if (third !== undefined) send(third.held, "0");
    expect(first?.steps).toEqual(["open body-room", "start", "bytes 0123456789", "pause"]);
    expect([second?.steps, third?.steps, requests.bytes]).toEqual([[], [], 11]);
  });

  test("forget one that went on", () => {
    const requests = createHeldRequests(20);
    const { held } = createBench({ requests });
    send(held, "0123456789");
    held.onRequestEnd("");
    expect(requests.bytes).toBe(0);
  });
});
