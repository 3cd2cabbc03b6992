/** The peers' table beside traffic: made in turns, in pieces, and the same JSON as if it were not. Fields: test/cli/admin.test.ts. */

import { expect, it } from "vitest";
import { createPeerBook, type PeerBook } from "../../src/peer/peer-book.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";
import type { DecisionRules } from "../../src/proxy/decision-report.ts";
import { encodePeers } from "../../src/proxy/peer-report.ts";

const HEAD = { server_name: "own.test", service: 'quoted "}' };

function bookOf(names: number): PeerBook {
  const book = createPeerBook();
  for (let index = 0; index < names; index++) {
    book.note(`hs${index}.test`, {
      direction: "inbound",
      isWhitelisted: false,
      proof: "claimed",
      contextState: "absent",
      refusals: [],
      headersRemoved: 0,
      bodyContexts: 0,
      hasFailed: false,
      unixMs: 1 + index,
    });
  }
  return book;
}

/** Counts the names that were asked of the whitelist since the last turn began. */
async function createCountedRules(): Promise<{ readonly rules: DecisionRules; asked: number }> {
  const whitelist = await createWhitelist([]);
  const counted = {
    asked: 0,
    rules: {
      whitelist: {
        ...whitelist,
        decide(name: string) {
          counted.asked += 1;
          return whitelist.decide(name);
        },
      },
      entries: 0,
      formats: [],
      outboundIds: "shared" as const,
      authenticate: "claimed" as const,
    },
  };
  return counted;
}

it.each([
  { names: 0, pieces: 1, why: "nobody was met" },
  { names: 1, pieces: 1, why: "one" },
  { names: 63, pieces: 1, why: "a piece but one" },
  { names: 64, pieces: 2, why: "a whole piece, and the end" },
  { names: 200, pieces: 4, why: "some" },
])("is JSON of $names names in $pieces pieces ($why)", async ({ names, pieces }) => {
  const { rules } = await createCountedRules();
  const texts: string[] = [];
  const turns = { take: () => Promise.resolve(), isOver: () => false };
  for await (const piece of encodePeers(bookOf(names), rules, HEAD, turns)) texts.push(piece);
  expect(texts).toHaveLength(pieces);
  const { peers, ...rest } = JSON.parse(texts.join("")) as { readonly peers: readonly { name: string }[] };
  expect(rest).toEqual({ ...HEAD, forgotten: 0 });
  const latestFirst = Array.from({ length: names }, (_, index) => `hs${names - 1 - index}.test`);
  expect(peers.map(({ name }) => name)).toEqual(latestFirst);
  expect(texts.join("").endsWith("}\n")).toBe(true);
});

it("asks of no name before its turn, and of one in each where that is all there is time for", async () => {
  const counted = await createCountedRules();
  const inTurns: number[] = [];
  const turns = {
    take() {
      inTurns.push(counted.asked);
      counted.asked = 0;
      return Promise.resolve();
    },
    isOver: () => true,
  };
  for await (const piece of encodePeers(bookOf(5), counted.rules, HEAD, turns))
    expect(piece).toContain("hs0");
  expect(inTurns).toEqual([0, 0, 1, 1, 1, 1]);
});
