/**
 * A user of a real homeserver: as much of the client API as two servers need to have something to say to each other.
 *
 * https://spec.matrix.org/latest/client-server-api/ and, for making the user,
 * https://element-hq.github.io/synapse/latest/admin_api/register_api.html. No encryption.
 */

import { createHmac } from "node:crypto";
import type { Homeserver } from "./synapse.ts";

export interface RoomEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Of no room: from a user to one device of another. */
interface ToDeviceEvent {
  readonly type: string;
  readonly sender: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** What syncs have brought so far. */
interface Seen {
  /** Of the timelines of all joined rooms, by id. */
  readonly events: ReadonlyMap<string, RoomEvent>;
  /** Rooms that the user was invited to. */
  readonly invites: ReadonlySet<string>;
  /** In the order they came. */
  readonly toDevice: readonly ToDeviceEvent[];
}

export interface MatrixUser {
  readonly id: string;
  /** Of the login that this is. */
  readonly deviceId: string;
  readonly serverName: string;
  /** A private room of this user, each of `invited` invited to it. @returns its id */
  createRoom(invited: readonly string[]): Promise<string>;
  invite(roomId: string, userId: string): Promise<void>;
  /** @param via a server that is in the room */
  join(roomId: string, via: string): Promise<void>;
  joinedMembers(roomId: string): Promise<readonly string[]>;
  /** Asks this user's server for another's profile, which it asks that user's server for. */
  lookUp(userId: string): Promise<void>;
  /** A text message. @returns the event's id */
  send(roomId: string, body: string): Promise<string>;
  sendToDevice(to: Pick<MatrixUser, "id" | "deviceId">, event: Omit<ToDeviceEvent, "sender">): Promise<void>;
  /** Syncs until `look` finds what it looks for in all that was seen; rejects after SYNC_DEADLINE_MS. */
  syncUntil<T>(look: (seen: Seen) => T | undefined): Promise<T>;
  /** One page of the room's past. @param from where the page before ended */
  messagesBefore(roomId: string, from: string | undefined): Promise<MessagesPage>;
  /** @returns the id of the medium on this user's server */
  upload(bytes: Uint8Array): Promise<string>;
  /** Of this user's server, which gets it from `serverName` where that is another. */
  download(serverName: string, mediaId: string): Promise<Buffer>;
}

interface MessagesPage {
  readonly events: readonly RoomEvent[];
  /** Undefined at the room's beginning. */
  readonly end: string | undefined;
}

interface SyncResponse {
  readonly next_batch: string;
  readonly to_device?: { readonly events: readonly ToDeviceEvent[] };
  readonly rooms?: {
    readonly join?: Readonly<
      Record<string, { readonly timeline: { readonly events: readonly RoomEvent[] } }>
    >;
    readonly invite?: Readonly<Record<string, unknown>>;
  };
}

/** An invite or a join took under a second, a message tens of milliseconds; after a failure Synapse backs off for longer. */
const SYNC_DEADLINE_MS = 30_000;
/** How long one sync waits on the server. */
const SYNC_WAIT_MS = 5000;
/** Joins over federation are the slowest. */
const REQUEST_TIMEOUT_MS = 60_000;

const PASSWORD = "of a user of a test";

/** Makes the user through the shared secret, then logs in by password, as a person would. */
export async function createUser(homeserver: Homeserver, localpart: string): Promise<MatrixUser> {
  const anonymous = requester(homeserver, undefined);
  const register = "/_synapse/admin/v1/register";
  const { nonce } = await anonymous.json<{ nonce: string }>("GET", register);
  const mac = createHmac("sha1", homeserver.sharedSecret)
    .update([nonce, localpart, PASSWORD, "notadmin"].join("\0"))
    .digest("hex");
  const account = { nonce, username: localpart, password: PASSWORD, admin: false, mac, inhibit_login: true };
  await anonymous.json("POST", register, account);
  const login = await anonymous.json<Login>("POST", "/_matrix/client/v3/login", {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: localpart },
    password: PASSWORD,
  });
  return userOf(homeserver, login);
}

interface Login {
  readonly user_id: string;
  readonly device_id: string;
  readonly access_token: string;
}

function userOf(homeserver: Homeserver, login: Login): MatrixUser {
  const { json, bytes } = requester(homeserver, login.access_token);
  const roomPath = (roomId: string, rest: string): string =>
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${rest}`;
  let transactions = 0;
  return {
    id: login.user_id,
    deviceId: login.device_id,
    serverName: homeserver.name,
    async createRoom(invited) {
      const room = { preset: "private_chat", invite: invited };
      return (await json<{ room_id: string }>("POST", "/_matrix/client/v3/createRoom", room)).room_id;
    },
    async invite(roomId, userId) {
      await json("POST", roomPath(roomId, "invite"), { user_id: userId });
    },
    async join(roomId, via) {
      const at = encodeURIComponent(via);
      await json(
        "POST",
        `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?server_name=${at}&via=${at}`,
        {},
      );
    },
    async lookUp(userId) {
      await json("GET", `/_matrix/client/v3/profile/${encodeURIComponent(userId)}`);
    },
    async joinedMembers(roomId) {
      const { joined } = await json<{ joined: object }>("GET", roomPath(roomId, "joined_members"));
      return Object.keys(joined);
    },
    async send(roomId, body) {
      transactions += 1;
      const path = roomPath(roomId, `send/m.room.message/t${transactions}`);
      return (await json<{ event_id: string }>("PUT", path, { msgtype: "m.text", body })).event_id;
    },
    async sendToDevice(to, { type, content }) {
      transactions += 1;
      const path = `/_matrix/client/v3/sendToDevice/${encodeURIComponent(type)}/t${transactions}`;
      await json("PUT", path, { messages: { [to.id]: { [to.deviceId]: content } } });
    },
    syncUntil: syncer(json),
    async messagesBefore(roomId, from) {
      const query = new URLSearchParams({ dir: "b", limit: "100", ...(from === undefined ? {} : { from }) });
      const page = await json<{ chunk: readonly RoomEvent[]; end?: string }>(
        "GET",
        roomPath(roomId, `messages?${query.toString()}`),
      );
      return { events: page.chunk, end: page.end };
    },
    async upload(content) {
      const answer = await bytes("POST", "/_matrix/media/v3/upload?filename=test.bin", content);
      const { content_uri: uri } = JSON.parse(answer.toString()) as { content_uri: string };
      return uri.slice(uri.lastIndexOf("/") + 1);
    },
    download: (serverName, mediaId) =>
      bytes("GET", `/_matrix/client/v1/media/download/${encodeURIComponent(serverName)}/${mediaId}`),
  };
}

/** Each call goes on where the one before it ended; what was seen stays seen. */
function syncer(json: Requester["json"]): MatrixUser["syncUntil"] {
  const events = new Map<string, RoomEvent>();
  const invites = new Set<string>();
  const toDevice: ToDeviceEvent[] = [];
  const filter = JSON.stringify({ room: { timeline: { limit: 100 } } });
  let since: string | undefined;

  async function syncOnce(): Promise<void> {
    // The first answer tells all there is and does not wait.
    const query = new URLSearchParams({ filter, timeout: `${SYNC_WAIT_MS}`, ...(since ? { since } : {}) });
    const answer = await json<SyncResponse>("GET", `/_matrix/client/v3/sync?${query.toString()}`);
    since = answer.next_batch;
    for (const { timeline } of Object.values(answer.rooms?.join ?? {})) {
      for (const event of timeline.events) events.set(event.event_id, event);
    }
    toDevice.push(...(answer.to_device?.events ?? []));
    for (const roomId of Object.keys(answer.rooms?.invite ?? {})) invites.add(roomId);
  }

  return async (look) => {
    const untilMs = performance.now() + SYNC_DEADLINE_MS;
    for (;;) {
      const found = look({ events, invites, toDevice });
      if (found !== undefined) return found;
      if (performance.now() > untilMs) {
        throw new Error(
          `in ${SYNC_DEADLINE_MS} ms no sync brought what was waited for; ` +
            `seen: ${events.size} events, invites to ${[...invites].join(", ") || "no room"}`,
        );
      }
      await syncOnce();
    }
  };
}

interface Requester {
  /** The answer's body, as JSON. */
  readonly json: <T = unknown>(method: string, path: string, body?: object) => Promise<T>;
  readonly bytes: (method: string, path: string, body?: Uint8Array) => Promise<Buffer>;
}

/** Both reject with the answer where its status is not 2xx. */
function requester({ port, name }: Homeserver, accessToken: string | undefined): Requester {
  async function bytes(method: string, path: string, body?: Uint8Array | string): Promise<Buffer> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
        ...(body === undefined
          ? {}
          : { "content-type": typeof body === "string" ? "application/json" : "application/octet-stream" }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const content = Buffer.from(await answer.arrayBuffer());
    if (!answer.ok) throw new Error(`${name}: ${method} ${path}: ${answer.status} ${content.toString()}`);
    return content;
  }
  return {
    bytes,
    json: async <T>(method: string, path: string, body?: object) =>
      JSON.parse((await bytes(method, path, body && JSON.stringify(body))).toString()) as T,
  };
}
