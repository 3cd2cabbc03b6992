/**
 * What a proof buys, and what a forged one must not: a parent, a forced sample, an id in the answer, a line in the peers' table.
 *
 * For sidecars that sample nothing but what a proven friend asks for, and whose own server answers with TELLING_ANSWER.
 */

import { expect } from "vitest";
import { type Attacked, injectedIn, type Passed, SPAN, TRACE } from "./attacked.ts";

/** Asks to be followed. */
export const W3C = `traceparent: 00-${TRACE}-${SPAN}-01`;
/** Names its trace, so that what a peer is told shows. */
export const TELLING_ANSWER = "HTTP/1.1 200 OK\r\nSynapse-Trace-Id: told\r\nContent-Length: 2\r\n\r\nok";
/** This server's name. */
export const OWN = "own.test";

/** How many signatures were counted with each word. */
async function wordsOf(one: Attacked): Promise<ReadonlyMap<string, number>> {
  return new Map(
    [...(await one.scrape())].flatMap(([series, count]) => {
      const [, word] = /^fedtrace_proofs_total\{result="([a-z-]+)"\}/.exec(series) ?? [];
      return word === undefined ? [] : [[word, count] as const];
    }),
  );
}

/** Rows of the peers' table that the whitelist counted for, with all that they count. */
async function friendsOf(one: Attacked): Promise<readonly string[]> {
  const rows = (await one.peers()).filter(({ whitelisted }) => whitelisted);
  return rows.map((row) => JSON.stringify(row)).sort();
}

/** @param refusal the one word that is counted; undefined: nobody on the whitelist was named, so nothing was looked at */
export async function expectForged(
  one: Attacked,
  refusal: string | undefined,
  pass: () => Promise<Passed>,
): Promise<void> {
  const [words, friends] = [await wordsOf(one), await friendsOf(one)];
  const { arrived, received, span } = await pass();
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(received).not.toContain("told");
  expect(injectedIn(arrived).traceId).not.toBe(TRACE);
  expect(injectedIn(arrived).isSampled).toBe(false);
  expect(arrived).not.toContain(SPAN);
  expect(span).toBeUndefined();
  const more = [...(await wordsOf(one))].filter(([word, count]) => count !== (words.get(word) ?? 0));
  expect(more.map(([word]) => word)).toEqual(refusal === undefined ? [] : [refusal]);
  expect(await friendsOf(one)).toEqual(friends);
}

/** All of it was granted. */
export function expectProven({ arrived, received, span }: Passed): void {
  expect(received).toContain("told");
  expect(injectedIn(arrived)).toMatchObject({ traceId: TRACE, isSampled: true });
  expect(span?.attributes["fedtrace.peer.proof"]).toBe("signature");
}

/** No name, key id or account of a peer's is a label. */
export async function expectNoNamesIn(one: Attacked): Promise<void> {
  const series = [...(await one.scrape()).keys()].join("\n");
  expect(series).toContain("fedtrace_proofs_total");
  // Whose name was used is told; with which key or account, and of whom nobody whitelisted, is not.
  expect(series).not.toMatch(/main-key|"[^"]*\/[^"]*forged/);
  const others = series.replaceAll(
    /^fedtrace_peer_.*$|^fedtrace_http_.*$|^http_.*$|^fedtrace_metrics_overflow.*$/gm,
    "",
  );
  expect(others).not.toMatch(/\.test[":]|\.example|forged/);
}
