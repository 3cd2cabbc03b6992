/** How often a token costs an HMAC, and how many are remembered. */

import { expect, it } from "vitest";
import type { Pass } from "../../src/passes/pass-token.ts";
import { createVerifiedTokens, type VerifiedTokens } from "../../src/passes/verified-tokens.ts";

const PASS: Pass = { id: "a", expiresUnixMs: 0, count: 1, peer: "p", audience: "s" };

/** A seal that takes every text but those that begin with "bad". */
function createCounted(tokensMax: number): { readonly tokens: VerifiedTokens; readonly asked: string[] } {
  const asked: string[] = [];
  const read = (token: string): Pass | "signature" => {
    asked.push(token);
    return token.startsWith("bad") ? "signature" : PASS;
  };
  return { tokens: createVerifiedTokens({ read }, tokensMax), asked };
}

it.each([
  { why: "once for one that is sent again", sent: ["a", "a", "a"], asked: ["a"], size: 1 },
  {
    why: "each time for one that is wrong, which is not remembered",
    sent: ["bad", "bad"],
    asked: ["bad", "bad"],
    size: 0,
  },
  { why: "once for as many as fit", sent: ["a", "b", "a", "b"], asked: ["a", "b"], size: 2 },
  {
    why: "again for the oldest that had to go",
    sent: ["a", "b", "c", "b", "a"],
    asked: ["a", "b", "c", "a"],
    size: 2,
  },
  {
    why: "once, however many wrong ones come between",
    sent: ["a", "bad1", "bad2", "bad3", "a"],
    asked: ["a", "bad1", "bad2", "bad3"],
    size: 1,
  },
  {
    why: "never for a text over 512 characters",
    sent: ["x".repeat(513), "x".repeat(513)],
    asked: [],
    size: 0,
  },
  { why: "once for one of 512", sent: ["x".repeat(512), "x".repeat(512)], asked: ["x".repeat(512)], size: 1 },
])("asks the seal $why", ({ sent, asked, size }) => {
  const counted = createCounted(2);
  for (const token of sent) counted.tokens.read(token);
  expect(counted.asked).toEqual(asked);
  expect(counted.tokens.size()).toBe(size);
});
