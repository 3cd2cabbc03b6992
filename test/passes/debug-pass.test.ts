/**
 * Debug passes: whom one lets in, how often and until when; that no text but the very token is one; and that the book has bounds.
 * Method: tokens are issued by the issuer, or signed here with node:crypto after the format's description where the issuer would not.
 */

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createPassBook,
  createPassIssuer,
  type PassBook,
  type PassBookOptions,
  type PassOrder,
  type PassOutcome,
} from "../../src/passes/debug-pass.ts";
import { fakeClock } from "../support/clock.ts";
import { unicodeText } from "../support/unicode-text.ts";
import { runs } from "../support/runs.ts";

const SECRET = "sixteen letters!";
const PEER = "hs2.example:8448";
const OWN = "hs1.example";
const ORDER: PassOrder = { peer: PEER, audience: OWN, ttlMs: 600_000, count: 3 };
const START_UNIX_MS = fakeClock().unixMs();

interface Rig {
  readonly book: PassBook;
  readonly outcomes: PassOutcome[];
  readonly told: (readonly [passId: string, expiresUnixMs: number])[];
  readonly clock: ReturnType<typeof fakeClock>;
  /** @returns the outcome; fails where it is another than `admits` says */
  present(
    token: string,
    changes?: { readonly peer?: string; readonly traceId?: string },
  ): PassOutcome | undefined;
}

let passes = 0;
/** Each another id. */
function secretBytes(bytes: number): Uint8Array {
  return Buffer.from((++passes).toString(16).padStart(bytes * 2, "0"), "hex");
}

async function tokenFor(changes: Partial<PassOrder> = {}, secret = SECRET): Promise<string> {
  const issuer = await createPassIssuer(secret);
  const issued = issuer.issue({ ...ORDER, ...changes }, { clock: fakeClock(), secretBytes });
  if ("refused" in issued) throw new Error(issued.refused);
  return issued.value.token;
}

async function createRig(changes: Partial<PassBookOptions> = {}): Promise<Rig> {
  const clock = fakeClock();
  const outcomes: PassOutcome[] = [];
  const told: (readonly [string, number])[] = [];
  const book = await createPassBook(
    { secret: SECRET, audience: OWN, ...changes },
    {
      clock,
      counters: { presented: (outcome) => void outcomes.push(outcome) },
      onUsed: (passId, expiresUnixMs) => void told.push([passId, expiresUnixMs]),
    },
  );
  let traces = 0;
  return {
    book,
    outcomes,
    told,
    clock,
    present(token, { peer = PEER, traceId = traceOf(`0${++traces}`) } = {}) {
      const before = outcomes.length;
      const isIn = book.admits(token, peer, traceId);
      expect(outcomes).toHaveLength(before + 1);
      expect(outcomes.at(-1) === "used").toBe(isIn);
      return outcomes.at(-1);
    },
  };
}

function traceOf(digits: string): string {
  return digits.padStart(32, "0");
}

/** As pass-token.ts describes it. */
function signed(payload: string, purpose = "fedtrace debug pass v1\0"): string {
  const text = `v1.${Buffer.from(payload, "latin1").toString("base64url")}`;
  return `${text}.${createHmac("sha256", SECRET)
    .update(purpose + text)
    .digest("base64url")}`;
}

const EXPIRY = START_UNIX_MS / 1000 + 600;
const PAYLOAD = `00000000000000aa ${EXPIRY} 3 ${PEER} ${OWN}`;

describe("whom a pass lets in", () => {
  it.each([
    { why: "the peer that it is for", outcome: "used" },
    { why: "another peer", peer: "hs3.example:8448", outcome: "peer" },
    { why: "the peer without its port", peer: "hs2.example", outcome: "peer" },
    { why: "nobody", peer: "", outcome: "peer" },
    { why: "a server that did not give it", book: { audience: "hs3.example" }, outcome: "audience" },
    { why: "a server with another secret", book: { secret: "sixteen_letters!" }, outcome: "signature" },
    { why: "a server whose secret is longer", book: { secret: `${SECRET}!` }, outcome: "signature" },
    {
      why: "a server whose secret only ends in a NUL more, which is the same key",
      book: { secret: `${SECRET}\0` },
      outcome: "used",
    },
    {
      why: "another server and another peer: the server is what is told",
      peer: "x.example",
      book: { audience: "y.example" },
      outcome: "audience",
    },
  ])("$why: $outcome", async ({ peer, book, outcome }) => {
    const rig = await createRig(book);
    expect(rig.present(await tokenFor(), peer === undefined ? {} : { peer })).toBe(outcome);
    expect(rig.book.passes()).toBe(outcome === "used" ? 1 : 0);
  });

  it("takes what is written as the format is described, so other programs can give passes", async () => {
    const rig = await createRig();
    expect(rig.present(signed(PAYLOAD))).toBe("used");
    expect(rig.told).toEqual([["00000000000000aa", EXPIRY * 1000]]);
  });
});

describe("time", () => {
  it.each([
    { why: "its last millisecond", afterMs: 599_999, outcome: "used" },
    { why: "a millisecond later", afterMs: 600_000, outcome: "expired" },
    { why: "a day later", afterMs: 86_400_000, outcome: "expired" },
  ])("$why: $outcome", async ({ afterMs, outcome }) => {
    const rig = await createRig();
    const token = await tokenFor();
    rig.clock.advance(afterMs);
    expect(rig.present(token)).toBe(outcome);
  });

  it("ends for a trace that was let in too", async () => {
    const rig = await createRig();
    const token = await tokenFor({ ttlMs: 1000 });
    const traceId = traceOf("a");
    rig.clock.advance(999);
    expect(rig.present(token, { traceId })).toBe("used");
    rig.clock.advance(1);
    expect(rig.present(token, { traceId })).toBe("expired");
  });
});

describe("the count", () => {
  it.each([1, 2, 20])("of %i is as many traces, and no more", async (count) => {
    const rig = await createRig();
    const token = await tokenFor({ count });
    const outcomes = Array.from({ length: count + 2 }, () => rig.present(token));
    expect(outcomes).toEqual([...Array<PassOutcome>(count).fill("used"), "spent", "spent"]);
    expect(rig.told).toHaveLength(count);
  });

  it("isn't touched by a trace that was let in within the last minute, which begins anew each time", async () => {
    const rig = await createRig();
    const token = await tokenFor({ count: 1 });
    const traceId = traceOf("a");
    const later = [0, 59_999, 59_999].map((ms) => {
      rig.clock.advance(ms);
      return rig.present(token, { traceId });
    });
    expect([...later, rig.present(token)]).toEqual(["used", "used", "used", "spent"]);
    expect(rig.told).toHaveLength(1);
    rig.clock.advance(60_000);
    expect(rig.present(token, { traceId })).toBe("spent");
  });

  it("is each pass's own, also for one trace", async () => {
    const rig = await createRig();
    const [one, other] = [await tokenFor({ count: 1 }), await tokenFor({ count: 1 })];
    const traceId = traceOf("a");
    expect([rig.present(one, { traceId }), rig.present(other, { traceId })]).toEqual(["used", "used"]);
    expect(rig.told).toHaveLength(2);
    expect([rig.present(one), rig.present(other)]).toEqual(["spent", "spent"]);
  });

  it("isn't touched by who may not use the pass", async () => {
    const rig = await createRig();
    const token = await tokenFor({ count: 1 });
    for (let tries = 0; tries < 5; tries++) rig.present(token, { peer: "thief.example" });
    expect(rig.present(token)).toBe("used");
  });

  it("has the uses of other processes in it, told before or after the first of its own", async () => {
    const rig = await createRig();
    rig.book.noteUsed("00000000000000aa", EXPIRY * 1000);
    expect(rig.present(signed(PAYLOAD))).toBe("used");
    rig.book.noteUsed("00000000000000aa", EXPIRY * 1000);
    expect(rig.present(signed(PAYLOAD))).toBe("spent");
    expect([rig.told.length, rig.book.passes()]).toEqual([1, 1]);
  });

  it.each([
    { why: "the last 16,384", others: 16_383, outcome: "used" },
    { why: "no more: it costs another use", others: 16_384, outcome: "spent" },
  ])("remembers $why let-in traces", async ({ others, outcome }) => {
    const rig = await createRig();
    const [token, ...more] = await Promise.all([1, 10_000, 10_000].map((count) => tokenFor({ count })));
    const traceId = traceOf("a");
    rig.book.admits(token ?? "", PEER, traceId);
    for (let index = 0; index < others; index++) {
      rig.book.admits(more[index % 2] ?? "", PEER, traceOf(`f${index}`));
    }
    expect(rig.present(token ?? "", { traceId })).toBe(outcome);
  });
});

describe("a full book", () => {
  it("refuses new passes, keeps the counts of old ones, and has room when one has expired", async () => {
    const rig = await createRig({ passesMax: 2 });
    const [short, long, third] = await Promise.all(
      [1000, 600_000, 600_000].map((ttlMs) => tokenFor({ ttlMs, count: 1 })),
    );
    const present = (token = ""): PassOutcome | undefined => rig.present(token);
    expect([present(short), present(long), present(third)]).toEqual(["used", "used", "full"]);
    expect([present(short), present(long)]).toEqual(["spent", "spent"]);
    rig.book.noteUsed("00000000000000aa", EXPIRY * 1000);
    expect(rig.book.passes()).toBe(2);
    rig.clock.advance(1000);
    expect([present(third), present(long), present(short)]).toEqual(["used", "spent", "expired"]);
    expect(rig.book.passes()).toBe(2);
  });

  it("isn't made by tokens that somebody else signed, nor by uses of expired passes", async () => {
    const rig = await createRig({ passesMax: 2 });
    for (let tries = 0; tries < 5; tries++) rig.present(await tokenFor({}, "another secret 16"));
    rig.book.noteUsed("00000000000000aa", START_UNIX_MS);
    expect(rig.book.passes()).toBe(0);
  });

  it("goes on counting a token that it had to verify again", async () => {
    const rig = await createRig({ passesMax: 2 });
    const token = await tokenFor({ count: 1 });
    expect(rig.present(token)).toBe("used");
    for (let others = 0; others < 5; others++) rig.present(await tokenFor(), { peer: "thief.example" });
    expect(rig.present(token)).toBe("spent");
  });
});

const REFUSED: ReadonlySet<PassOutcome | undefined> = new Set(["malformed", "signature"]);

describe("any other text", () => {
  it("is refused: each bit of each character changed, before and after the token itself was taken", async () => {
    const token = await tokenFor({ count: 10_000 });
    for (const isKnown of [false, true]) {
      const rig = await createRig();
      if (isKnown) expect(rig.present(token)).toBe("used");
      for (let at = 0; at < token.length; at++) {
        for (let bit = 0; bit < 16; bit++) {
          const changed = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit));
          rig.book.admits(token.slice(0, at) + changed + token.slice(at + 1), PEER, traceOf("b"));
        }
      }
      const others = isKnown ? rig.outcomes.slice(1) : rig.outcomes;
      expect(others).toHaveLength(token.length * 16);
      expect(others.filter((outcome) => !REFUSED.has(outcome))).toEqual([]);
    }
  });

  it("is refused: one character replaced, left out or put in, anywhere", async () => {
    const rig = await createRig();
    const token = await tokenFor();
    const anyCharacter = fc.oneof(
      fc.constantFrom(..."AQgwZz09-_.=+/ \0".split("")),
      unicodeText({ minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.nat(token.length), fc.nat(1), anyCharacter, (at, taken, put) => {
        for (const text of [
          token.slice(0, at) + put + token.slice(at + taken),
          token.slice(0, at) + token.slice(at + 1),
        ]) {
          if (text !== token) expect(REFUSED).toContain(rig.present(text));
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it("is refused: the other spellings of its last character, and two halves of two tokens", async () => {
    const rig = await createRig();
    const [one, other] = [await tokenFor(), await tokenFor({ count: 10_000 })];
    for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
      if (!one.endsWith(last)) expect(rig.present(one.slice(0, -1) + last)).toBe("signature");
    }
    const cut = one.lastIndexOf(".");
    expect(rig.present(other.slice(0, other.lastIndexOf(".")) + one.slice(cut))).toBe("signature");
  });

  it.each([
    { why: "nothing", token: "" },
    { why: "the version alone", token: "v1." },
    { why: "no payload", token: `v1..${"A".repeat(43)}` },
    { why: "another version", token: signed(PAYLOAD).replace("v1", "v2") },
    { why: "an upper-case version", token: signed(PAYLOAD).replace("v1", "V1") },
    { why: "a signature that is short", token: signed(PAYLOAD).slice(0, -1) },
    { why: "a signature that is padded", token: `${signed(PAYLOAD)}=` },
    { why: "a space around it", token: ` ${signed(PAYLOAD)} ` },
    { why: "two tokens in one field", token: `${signed(PAYLOAD)}, ${signed(PAYLOAD)}` },
    { why: "one character more than 512", token: `v1.${"A".repeat(466)}.${"A".repeat(43)}` },
    { why: "a megabyte", token: `v1.${"A".repeat(1_000_000)}` },
    { why: "a lone surrogate", token: "v1.\ud800" },
    { why: "a name of JavaScript", token: "__proto__" },
    { why: "signed, no number of fields that is right", token: signed(`${PAYLOAD} more`) },
    { why: "signed, a count that is none", token: signed(PAYLOAD.replace(" 3 ", " 3.5 ")) },
    { why: "signed, empty", token: signed(" ") },
  ])("is malformed: $why", async ({ token }) => {
    const rig = await createRig();
    expect(rig.present(token)).toBe("malformed");
    expect(rig.present(token)).toBe("malformed");
  });

  it("at most 512 characters long is looked at", async () => {
    const rig = await createRig();
    expect(rig.present(`v1.${"A".repeat(465)}.${"A".repeat(43)}`)).toBe("signature");
  });

  it("is refused: signed with the same secret for another purpose", async () => {
    const rig = await createRig();
    for (const purpose of ["", "fedtrace debug pass v2\0", "fedtrace debug pass v1"]) {
      expect(rig.present(signed(PAYLOAD, purpose))).toBe("signature");
    }
  });

  it("never throws, whatever token, peer and trace are", async () => {
    const rig = await createRig();
    const anyText = fc.oneof(
      unicodeText(),
      fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
    );
    const anyToken = fc.oneof(
      anyText,
      anyText.map((text) => `v1.${text}`),
      anyText.map((text) => signed(text)),
    );
    fc.assert(
      fc.property(anyToken, anyText, anyText, (token, peer, traceId) => {
        expect(REFUSED).toContain(rig.present(token, { peer, traceId }));
      }),
      { numRuns: runs(1000) },
    );
    expect(rig.book.passes()).toBe(0);
  });
});

describe("issuing", () => {
  it.each([
    { why: "a second", changes: { ttlMs: 1000 }, isGiven: true },
    { why: "less than a second", changes: { ttlMs: 999 }, isGiven: false },
    { why: "a day", changes: { ttlMs: 86_400_000 }, isGiven: true },
    { why: "more than a day", changes: { ttlMs: 86_400_001 }, isGiven: false },
    { why: "no time", changes: { ttlMs: Number.NaN }, isGiven: false },
    { why: "one trace", changes: { count: 1 }, isGiven: true },
    { why: "no trace", changes: { count: 0 }, isGiven: false },
    { why: "ten thousand", changes: { count: 10_000 }, isGiven: true },
    { why: "more", changes: { count: 10_001 }, isGiven: false },
    { why: "half a trace", changes: { count: 1.5 }, isGiven: false },
    { why: "nobody", changes: { peer: "" }, isGiven: false },
    { why: "a name with a space", changes: { peer: "a b" }, isGiven: false },
    { why: "a name beyond ASCII", changes: { audience: "grüße.example" }, isGiven: false },
    {
      why: "names that fill a token",
      changes: { peer: "a".repeat(157), audience: "b".repeat(158) },
      isGiven: true,
    },
    {
      why: "names that fill it and one character",
      changes: { peer: "a".repeat(157), audience: "b".repeat(159) },
      isGiven: false,
    },
  ])("for $why: $isGiven", async ({ changes, isGiven }) => {
    const issuer = await createPassIssuer(SECRET);
    const order = { ...ORDER, count: 100, ...changes };
    const issued = issuer.issue(order, { clock: fakeClock(), secretBytes });
    expect("value" in issued).toBe(isGiven);
    if (!("value" in issued)) return;
    expect(issued.value.token.length).toBeLessThanOrEqual(512);
    const rig = await createRig({ audience: order.audience });
    expect(rig.present(issued.value.token, { peer: order.peer })).toBe("used");
  });

  it("gives what it was asked for, and rounds the end up to a second", async () => {
    const issuer = await createPassIssuer(SECRET);
    const clock = fakeClock();
    clock.advance(1);
    const issued = issuer.issue(ORDER, { clock, secretBytes: (bytes) => new Uint8Array(bytes).fill(0xab) });
    const expiresUnixMs = START_UNIX_MS + 601_000;
    const pass = { id: "ab".repeat(8), expiresUnixMs, count: 3, peer: PEER, audience: OWN };
    expect(issued).toEqual({ value: { token: signed(`${pass.id} ${EXPIRY + 1} 3 ${PEER} ${OWN}`), pass } });
  });
});
