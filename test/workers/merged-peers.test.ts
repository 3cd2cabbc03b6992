/** Whom several workers have met, as one book would have it. */

import { expect, it } from "vitest";
import { createPeerBook, type Meeting } from "../../src/peer/peer-book.ts";
import { mergePeers } from "../../src/workers/merged-peers.ts";
import { type InProcessWorker, inProcessWorker } from "./in-process-worker.ts";

function meetingAt(unixMs: number, changes: Partial<Meeting> = {}): Meeting {
  return {
    direction: "inbound",
    isWhitelisted: true,
    proof: "claimed",
    contextState: "extracted",
    refusals: [],
    headersRemoved: 1,
    bodyContexts: 2,
    hasFailed: false,
    unixMs,
    ...changes,
  };
}

/** Who was met, in the order of time. */
const MEETINGS: readonly (readonly [name: string | undefined, meeting: Meeting])[] = [
  ["a.test", meetingAt(1, { proof: "mtls" })],
  ["a.test", meetingAt(2, { direction: "outbound", hasFailed: true })],
  ["b.test", meetingAt(3, { isWhitelisted: false, contextState: "restarted" })],
  ["a.test", meetingAt(4, { isWhitelisted: false, proof: "none", contextState: "absent" })],
  ["a.test", meetingAt(5, { contextState: "refused", refusals: [{ format: "w3c", reason: "version" }] })],
  [undefined, meetingAt(6, { isWhitelisted: false })],
  ["a.test", meetingAt(7, { contextState: "refused", refusals: [{ format: "w3c", reason: "version" }] })],
  [
    "a.test",
    meetingAt(8, { proof: "network", contextState: "refused", refusals: [{ format: "b3", reason: "ids" }] }),
  ],
];

it.each([1, 2, 3])("dealt to %i workers, what is told is what one would tell", async (count) => {
  const one = createPeerBook();
  const workers = Array.from({ length: count }, (_, place) => inProcessWorker(place + 1));
  for (const [index, [name, meeting]] of MEETINGS.entries()) {
    one.note(name, meeting);
    workers[index % count]?.peers.note(name, meeting);
  }
  const { all, forgotten, missing } = await mergePeers(workers);
  expect(all).toEqual(one.peers());
  expect({ forgotten, missing }).toEqual({ forgotten: 0, missing: [] });
});

it("fetches more than one part has", async () => {
  const workers: readonly InProcessWorker[] = [inProcessWorker(1), inProcessWorker(2)];
  for (let index = 0; index < 2500; index++) {
    for (const { peers } of workers)
      peers.note(`hs${index}.test`, meetingAt(index, { isWhitelisted: false }));
  }
  const { all, forgotten } = await mergePeers(workers);
  const kept = workers[0]?.peers.peers().length ?? 0;
  expect(all).toHaveLength(kept);
  expect(all[0]).toMatchObject({ name: "hs2499.test", inbound: { requests: 2 } });
  expect(forgotten).toBe(2 * (workers[0]?.peers.forgotten ?? 0));
});

it("says whose peers are missing", async () => {
  const workers = [inProcessWorker(1)];
  const gone = { ...inProcessWorker(2), ask: () => Promise.resolve("ended") };
  expect((await mergePeers([...workers, gone])).missing).toEqual(["worker 2: ended"]);
});
