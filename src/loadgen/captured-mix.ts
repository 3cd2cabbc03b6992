/**
 * What federating servers ask each other, and how often: a compact form of requests that were captured between two Synapse
 * servers (test/fixtures/matrix-requests.jsonl, which a test compares: the program never reads it).
 *
 * The capture walked through what servers do, most of it a few times; it doesn't say how often servers at large do it, where
 * `send` is most of the traffic. Not here: values. Paths have fillers, bodies are sizes, headers are in request-plan.ts.
 */

/** One route, with what varies between its requests. */
export interface MixRow {
  readonly method: "GET" | "POST" | "PUT";
  /** The template that a span is named by. */
  readonly route: string;
  /** As sent, with its query; `{…}` is filled in for each request (FILLERS of fillers.ts). */
  readonly path: string;
  /** Bytes of the bodies as captured; one of them is taken. Empty: the request has none. */
  readonly bodyBytes: readonly number[];
  /** How many were captured, from peers and to peers; 0: never in that direction. */
  readonly weight: { readonly in: number; readonly out: number };
  /** Asked before the server is known: without a signature and without a trace. */
  readonly isBare?: true;
}

/** Who sends: a peer to the own server, or the own server to a peer. */
export type Direction = keyof MixRow["weight"];

const FEDERATION = "/_matrix/federation";
/** The room versions that Synapse 1.163 knows. */
const VERSIONS =
  "ver=1&ver=2&ver=3&ver=4&ver=5&ver=6&ver=7&ver=8&ver=9&ver=10&ver=11&ver=12&ver=org.matrix.msc3757.10&ver=org.matrix.msc3757.11&ver=org.matrix.hydra.11";

export const CAPTURED_MIX: readonly MixRow[] = [
  get("/_matrix/key/v2/server", "", [1, 3]),
  get(`${FEDERATION}/v1/query/directory`, "?room_alias={roomAlias}", [1, 3]),
  get(`${FEDERATION}/v1/make_join/{roomId}/{userId}`, `?${VERSIONS}`, [1, 3]),
  put(`${FEDERATION}/v2/send_join/{roomId}/{eventId}`, "?omit_members=true", [1, 3], [643, 658]),
  put(`${FEDERATION}/v1/send/{txnId}`, "", [1, 3], [232, 241]),
  get(`${FEDERATION}/v1/state_ids/{roomId}`, "?event_id={eventId}", [1, 3]),
  get(`${FEDERATION}/v1/state/{roomId}`, "?event_id={eventId}", [1, 3]),
  get(`${FEDERATION}/v1/event/{eventId}`, "", [1, 3]),
  get(`${FEDERATION}/v1/backfill/{roomId}`, "?v={eventId}&limit=100", [1, 3]),
  get(`${FEDERATION}/v1/media/download/{mediaId}`, "?timeout_ms=20000", [1, 2]),
  get(`${FEDERATION}/v1/query/profile`, "?user_id={userId}", [1, 2]),
  get(`${FEDERATION}/v1/user/devices/{userId}`, "", [1, 2]),
  post(`${FEDERATION}/v1/user/keys/claim`, [1, 2], [72]),
  put(`${FEDERATION}/v2/invite/{roomId}/{eventId}`, "", [1, 2], [2697, 2699]),
  get(`${FEDERATION}/v1/make_leave/{roomId}/{userId}`, "", [1, 2]),
  put(`${FEDERATION}/v2/send_leave/{roomId}/{eventId}`, "", [1, 2], [619]),
  get(`${FEDERATION}/v1/make_knock/{roomId}/{userId}`, `?${VERSIONS}`, [1, 2]),
  put(`${FEDERATION}/v1/send_knock/{roomId}/{eventId}`, "", [1, 2], [679]),
  post(`${FEDERATION}/v1/publicRooms`, [1, 2], [81]),
  { ...get("/.well-known/matrix/server", "", [0, 1]), isBare: true },
  post(`${FEDERATION}/v1/user/keys/query`, [1, 1], [43]),
];

type Weights = readonly [fromPeers: number, toPeers: number];

function get(route: string, query: string, weights: Weights): MixRow {
  return rowOf("GET", { route, query, weights, bodyBytes: [] });
}

function put(route: string, query: string, weights: Weights, bodyBytes: readonly number[]): MixRow {
  return rowOf("PUT", { route, query, weights, bodyBytes });
}

function post(route: string, weights: Weights, bodyBytes: readonly number[]): MixRow {
  return rowOf("POST", { route, query: "", weights, bodyBytes });
}

interface RowParts {
  readonly route: string;
  readonly query: string;
  readonly weights: Weights;
  readonly bodyBytes: readonly number[];
}

function rowOf(method: MixRow["method"], { route, query, weights, bodyBytes }: RowParts): MixRow {
  return { method, route, path: route + query, bodyBytes, weight: { in: weights[0], out: weights[1] } };
}
