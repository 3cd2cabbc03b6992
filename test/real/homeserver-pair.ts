/**
 * What two federating homeservers do with each other, once in each direction, and how long a message takes.
 *
 * ```
 *   a creates a room, writes, invites b ──► b joins over federation ──► messages both ways, timed
 *   ──► b pages back to what a wrote before ──► a's medium is read through b's server ──► b invites a to a room of its own
 * ```
 * Each step checks what arrived; which way the servers' requests take (direct, through sidecars) is the caller's.
 */

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { expect } from "vitest";
import { poll } from "../support/poll.ts";
import type { Homeserver } from "./synapse.ts";
import type { MatrixUser, RoomEvent } from "./synapse-client.ts";

export interface ScenarioTimings {
  readonly totalMs: number;
  /** From the send on one side to the arrival in the other's sync: the median. */
  readonly aToBMs: number;
  readonly bToAMs: number;
}

/** Installing Synapse, where there is none, takes minutes; it happens once. */
export const INSTALL_TIMEOUT_MS = 15 * 60_000;

/** Enough for a median; each takes about a tenth of a second. */
export const TIMED_MESSAGES = 20;

/** Path of one of the files that test/fixtures/synapse/make.sh makes. */
export function fixture(name: string): string {
  return resolve("test/fixtures/synapse", name);
}

/** Written before b is in the room: enough that no join brings them by the way. */
const EARLIER_MESSAGES = 5;
/** Several reads, and not text. */
const MEDIA_BYTES = 300_000;
/** Synapse may fetch the past beside a page instead of before it. */
const BACKFILL_DEADLINE_MS = 20_000;

interface FederationRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
}

/**
 * What peers have asked of it, as its access log has it, but for their sidecars, which ask for its keys; a request that the peer broke off
 * is not among them.
 */
export function federationRequestsTo(homeserver: Homeserver): readonly FederationRequest[] {
  const line = /B (\d{3}) "([A-Z]+) (\/_matrix\/(?:federation|key)\/\S+) HTTP\/\S+ "(?!fedtrace")/g;
  return [...homeserver.log().matchAll(line)].map(([, status, method = "", path = ""]) => ({
    method,
    path,
    status: Number(status),
  }));
}

/**
 * @param a and b, users of two different servers
 * @param messages so many each way, timed
 */
export async function federate(a: MatrixUser, b: MatrixUser, messages: number): Promise<ScenarioTimings> {
  const startMs = performance.now();
  const roomId = await a.createRoom([]);
  const earlier = await sendEarlier(a, roomId);
  await a.invite(roomId, b.id);
  await acceptInvite(b, roomId, a);
  expect([...(await b.joinedMembers(roomId))].sort()).toEqual([a.id, b.id].sort());
  await untilJoined(a, roomId, b.id);

  const aToB = await timeMessages(a, b, roomId, messages);
  const bToA = await timeMessages(b, a, roomId, messages);
  await findInPast(b, roomId, earlier);
  await exchangeMedia(a, b);

  await timeMessage(a, b, await shareRoom(b, a));
  return { totalMs: performance.now() - startMs, aToBMs: median(aToB), bToAMs: median(bToA) };
}

/** A room of a's that b has joined, over federation. @returns its id */
export async function shareRoom(a: MatrixUser, b: MatrixUser): Promise<string> {
  const roomId = await a.createRoom([b.id]);
  await acceptInvite(b, roomId, a);
  await untilJoined(a, roomId, b.id);
  return roomId;
}

async function sendEarlier(user: MatrixUser, roomId: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let count = 1; count <= EARLIER_MESSAGES; count++) {
    ids.push(await user.send(roomId, `${count} of those from before`));
  }
  return ids;
}

async function acceptInvite(invited: MatrixUser, roomId: string, inviter: MatrixUser): Promise<void> {
  await invited.syncUntil(({ invites }) => invites.has(roomId) || undefined);
  await invited.join(roomId, inviter.serverName);
}

/** Until the user sees the other one join. */
async function untilJoined(user: MatrixUser, roomId: string, other: string): Promise<void> {
  await user.syncUntil(({ events }) => [...events.values()].find((event) => isJoinOf(event, other)));
  expect(await user.joinedMembers(roomId)).toContain(other);
}

function isJoinOf({ type, state_key: member, content }: RoomEvent, user: string): boolean {
  return type === "m.room.member" && member === user && content["membership"] === "join";
}

async function timeMessages(
  from: MatrixUser,
  to: MatrixUser,
  roomId: string,
  messages: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (let count = 0; count < messages; count++) times.push(await timeMessage(from, to, roomId));
  return times;
}

/** @returns milliseconds from the send to the arrival in a sync that waits for it */
export async function timeMessage(from: MatrixUser, to: MatrixUser, roomId: string): Promise<number> {
  const body = randomBytes(8).toString("hex");
  const startMs = performance.now();
  const arrived = to.syncUntil(({ events }) =>
    [...events.values()].findLast(({ content }) => content["body"] === body),
  );
  const [sentId, event] = await Promise.all([from.send(roomId, body), arrived]);
  const elapsedMs = performance.now() - startMs;
  expect(event).toMatchObject({ event_id: sentId, sender: from.id, type: "m.room.message" });
  return elapsedMs;
}

/** Pages back through the room until all the events were there. */
async function findInPast(user: MatrixUser, roomId: string, ids: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  const isFound = await poll(async () => {
    last = await readPast(user, roomId);
    return ids.every((id) => last.includes(id)) ? true : undefined;
  }, BACKFILL_DEADLINE_MS);
  if (isFound !== true) {
    throw new Error(`${user.id} paged back to ${last.length} events, not to ${ids.join(", ")}`);
  }
}

async function readPast(user: MatrixUser, roomId: string): Promise<readonly string[]> {
  const found: string[] = [];
  let from: string | undefined;
  do {
    const { events, end } = await user.messagesBefore(roomId, from);
    found.push(...events.map((event) => event.event_id));
    from = end;
  } while (from !== undefined);
  return found;
}

async function exchangeMedia(owner: MatrixUser, reader: MatrixUser): Promise<void> {
  const medium = randomBytes(MEDIA_BYTES);
  const mediaId = await owner.upload(medium);
  const downloaded = await reader.download(owner.serverName, mediaId);
  expect(downloaded.equals(medium)).toBe(true);
}

/** The upper one of two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
