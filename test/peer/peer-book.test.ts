/** The book of peers: what it counts, and whom it forgets first. */

import { describe, expect, it } from "vitest";
import { createPeerBook, type Meeting } from "../../src/peer/peer-book.ts";

const MEETING: Meeting = {
  direction: "inbound",
  isWhitelisted: false,
  proof: "claimed",
  contextState: "absent",
  refusals: [],
  headersRemoved: 0,
  bodyContexts: 0,
  hasFailed: false,
  unixMs: 1000,
};

function meet(facts: Partial<Meeting> = {}): Meeting {
  return { ...MEETING, ...facts };
}

it("counts each direction on its own, and keeps the last proof", () => {
  const book = createPeerBook();
  const first = meet({ isWhitelisted: true, contextState: "refused", headersRemoved: 3, bodyContexts: 2 });
  expect(book.note("a.test", first)).toBe(true);
  book.note("a.test", meet({ isWhitelisted: true, proof: "mtls", contextState: "extracted", unixMs: 2000 }));
  book.note("a.test", meet({ direction: "outbound", isWhitelisted: true, hasFailed: true, unixMs: 1500 }));

  const [peer, ...others] = book.peers();
  expect(others).toEqual([]);
  expect(peer).toMatchObject({ name: "a.test", isWhitelisted: true, proof: "claimed" });
  expect(peer?.inbound).toEqual({
    requests: 2,
    failed: 0,
    lastContactMs: 2000,
    headersRemoved: 3,
    bodyContexts: 2,
    contexts: { extracted: 1, restarted: 0, refused: 1, absent: 0 },
  });
  expect(peer?.outbound).toMatchObject({ requests: 1, failed: 1, lastContactMs: 1500 });
});

it("tells once of a peer that its bodies carry contexts, whatever the direction", () => {
  const book = createPeerBook();
  expect(book.note("a.test", meet())).toBe(false);
  expect(book.note("a.test", meet({ bodyContexts: 1 }))).toBe(true);
  expect(book.note("a.test", meet({ bodyContexts: 1 }))).toBe(false);
  expect(book.note("a.test", meet({ direction: "outbound", bodyContexts: 1 }))).toBe(false);
  expect(book.note("b.test", meet({ direction: "outbound", bodyContexts: 1 }))).toBe(true);
  expect(book.peers().map(({ name, outbound }) => [name, outbound.bodyContexts])).toEqual(
    expect.arrayContaining([
      ["a.test", 1],
      ["b.test", 1],
    ]),
  );
});

it("keeps a friend apart from whoever borrows its name", () => {
  const book = createPeerBook();
  book.note("a.test", meet({ isWhitelisted: true, proof: "mtls", unixMs: 1 }));
  book.note("a.test", meet({ contextState: "restarted", headersRemoved: 5, unixMs: 2 }));
  expect(book.peers()).toMatchObject([
    { name: "a.test", isWhitelisted: false, proof: "claimed", inbound: { requests: 1, headersRemoved: 5 } },
    { name: "a.test", isWhitelisted: true, proof: "mtls", inbound: { requests: 1, headersRemoved: 0 } },
  ]);
});

it("counts refusals by format and reason", () => {
  const book = createPeerBook();
  const length = { format: "w3c", reason: "length" };
  book.note(
    "a.test",
    meet({ contextState: "refused", refusals: [length, { format: "b3", reason: "zero" }] }),
  );
  book.note("a.test", meet({ contextState: "refused", refusals: [length] }));
  expect([...(book.peers()[0]?.refusals.values() ?? [])]).toEqual([
    { format: "w3c", reason: "length", count: 2 },
    { format: "b3", reason: "zero", count: 1 },
  ]);
});

it("has one entry for all that gave no name", () => {
  const book = createPeerBook();
  book.note(undefined, meet());
  book.note(undefined, meet());
  expect(book.peers().map(({ name, inbound }) => [name, inbound.requests])).toEqual([["", 2]]);
});

it("lists whom it met last first", () => {
  const book = createPeerBook();
  book.note("old.test", meet({ unixMs: 1 }));
  book.note("new.test", meet({ unixMs: 3 }));
  book.note("middle.test", meet({ direction: "outbound", unixMs: 2 }));
  expect(book.peers().map(({ name }) => name)).toEqual(["new.test", "middle.test", "old.test"]);
});

describe("when it is full", () => {
  /** Four names fit. */
  function fullBook(): ReturnType<typeof createPeerBook> {
    const book = createPeerBook(4);
    book.note("friend.test", meet({ isWhitelisted: true, unixMs: 1 }));
    for (const at of [2, 3, 4]) book.note(`stranger${at}.test`, meet({ unixMs: at }));
    return book;
  }

  it("takes the last that fits, and forgets nobody", () => {
    expect(fullBook().peers()).toHaveLength(4);
    expect(fullBook().forgotten).toBe(0);
  });

  it("still counts whom it knows", () => {
    const book = fullBook();
    book.note("friend.test", meet({ isWhitelisted: true, unixMs: 9 }));
    expect(book.peers()[0]).toMatchObject({ name: "friend.test", inbound: { requests: 2 } });
    expect(book.forgotten).toBe(0);
  });

  it("forgets strangers before friends, the longest unseen first, a part at a time", () => {
    const book = fullBook();
    book.note("new.test", meet({ unixMs: 5 }));
    expect(book.peers().map(({ name }) => name)).toEqual([
      "new.test",
      "stranger4.test",
      "stranger3.test",
      "friend.test",
    ]);
    expect(book.forgotten).toBe(1);
  });

  it("never holds more, whatever names come", () => {
    const book = createPeerBook(100);
    for (let index = 0; index < 10_000; index++) book.note(`n${index}.test`, meet({ unixMs: index }));
    expect(book.peers().length).toBeLessThanOrEqual(100);
    expect(book.forgotten + book.peers().length).toBe(10_000);
  });
});
