/** Who is given a connection: evenly, never to one that is busy with another, never lost with one that dies. */

import { expect, it } from "vitest";
import { createHandOut, type HandOut, type Taker } from "../../src/workers/hand-out.ts";

interface Given {
  readonly handOut: HandOut<string>;
  /** Takers by their name; each writes down what it is given. */
  readonly taker: (name: string) => Taker<string>;
  readonly given: readonly string[];
  readonly closed: readonly string[];
  dropped: number;
}

function createGiven(waitingMax?: number): Given {
  const given: string[] = [];
  const closed: string[] = [];
  const state: Given = {
    given,
    closed,
    dropped: 0,
    taker: (name) => ({ give: ({ listener, socket }) => void given.push(`${name} ${listener} ${socket}`) }),
    handOut: createHandOut<string>({
      close: (socket) => void closed.push(socket),
      onDropped: () => void (state.dropped += 1),
      ...(waitingMax === undefined ? {} : { waitingMax }),
    }),
  };
  return state;
}

const offer = ({ handOut }: Given, ...sockets: readonly string[]): void => {
  for (const socket of sockets) handOut.offer({ listener: "inbound", socket });
};

it("gives to each in its turn, and closes its own end of what was taken", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  state.handOut.join(b);
  for (const [socket, taker] of [
    ["1", a],
    ["2", b],
    ["3", a],
    ["4", b],
  ] as const) {
    offer(state, socket);
    state.handOut.took(taker);
  }
  expect(state.given).toEqual(["a inbound 1", "b inbound 2", "a inbound 3", "b inbound 4"]);
  expect(state.closed).toEqual(["1", "2", "3", "4"]);
});

/** Sockets named by numbers, so many from a first one. */
const named = (count: number, first = 1): string[] =>
  Array.from({ length: count }, (_, index) => String(first + index));

const countOf = (state: Given, name: string): number =>
  state.given.filter((line) => line.startsWith(`${name} `)).length;

it("spreads a burst evenly, however late one of them takes what it was given", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  state.handOut.join(b);
  for (const socket of named(10)) {
    offer(state, socket);
    state.handOut.took(a);
  }
  expect([countOf(state, "a"), countOf(state, "b")]).toEqual([5, 5]);
});

it("gives a worker that takes nothing eight, and all others to the next; that one catches up later", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  state.handOut.join(b);
  for (const socket of named(40)) {
    offer(state, socket);
    state.handOut.took(b);
  }
  expect([countOf(state, "a"), countOf(state, "b")]).toEqual([8, 32]);
  for (let taken = 0; taken < 8; taken++) state.handOut.took(a);
  for (const socket of named(24, 41)) {
    offer(state, socket);
    state.handOut.took(a);
  }
  expect([countOf(state, "a"), countOf(state, "b")]).toEqual([32, 32]);
});

it("lets one that was stuck for long catch up on 64 at most", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  state.handOut.join(b);
  for (const socket of named(1000)) {
    offer(state, socket);
    state.handOut.took(b);
  }
  for (let taken = 0; taken < 8; taken++) state.handOut.took(a);
  const before = countOf(state, "b");
  for (const socket of named(200, 1001)) {
    offer(state, socket);
    state.handOut.took(a);
    state.handOut.took(b);
  }
  expect([countOf(state, "a"), countOf(state, "b") - before]).toEqual([8 + 132, 68]);
});

it("gives a new one its share of what comes, not all of it", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  for (const socket of named(6)) {
    offer(state, socket);
    state.handOut.took(a);
  }
  state.handOut.join(b);
  offer(state, ...named(4, 7));
  expect([countOf(state, "a"), countOf(state, "b")]).toEqual([8, 2]);
});

it("gives what a dead one had not taken to another, before what came later", () => {
  const state = createGiven();
  const [a, b] = [state.taker("a"), state.taker("b")];
  state.handOut.join(a);
  offer(state, ...named(10));
  state.handOut.took(a);
  state.handOut.leave(a);
  expect(state.closed).toEqual(["1"]);
  const before = state.given.length;
  state.handOut.join(b);
  for (let taken = 0; taken < 9; taken++) state.handOut.took(b);
  expect(state.given.slice(before)).toEqual(named(9, 2).map((socket) => `b inbound ${socket}`));
  expect(state.closed).toEqual(named(10));
});

it("gives nothing to one that left, and takes no word of one that has nothing", () => {
  const state = createGiven();
  const a = state.taker("a");
  state.handOut.join(a);
  state.handOut.leave(a);
  state.handOut.took(a);
  offer(state, "1");
  expect(state.given).toEqual([]);
});

it.each([
  { why: "as many wait as may", sockets: ["1", "2"], closed: [], dropped: 0 },
  { why: "one more is closed, and counted", sockets: ["1", "2", "3"], closed: ["3"], dropped: 1 },
])("while there is no worker: $why", ({ sockets, closed, dropped }) => {
  const state = createGiven(2);
  offer(state, ...sockets);
  expect(state).toMatchObject({ closed, dropped });
});

it("closes what waits when it stops", () => {
  const state = createGiven();
  offer(state, "1", "2");
  state.handOut.stop();
  expect(state.closed).toEqual(["1", "2"]);
});
