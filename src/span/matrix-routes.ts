/**
 * Route templates of Matrix: federation, server keys, media and the well-known files.
 *
 * Source: the Matrix specification's server-server API (https://spec.matrix.org/latest/server-server-api/) and the
 * unstable endpoints that Synapse 1.163 serves; the same list as test/fixtures/matrix-routes.json, which a test
 * compares. Not here: the client-server API, which doesn't federate (`routes:` in the config adds what a server needs).
 */

import type { RouteTemplate } from "./routes.ts";

export const MATRIX_ROUTES: readonly RouteTemplate[] = [
  { method: "GET", template: "/_matrix/key/v2/server" },
  { method: "GET", template: "/_matrix/key/v2/server/{keyId}" },
  { method: "GET", template: "/_matrix/key/v2/query/{serverName}" },
  { method: "GET", template: "/_matrix/key/v2/query/{serverName}/{keyId}" },
  { method: "POST", template: "/_matrix/key/v2/query" },
  { method: "GET", template: "/.well-known/matrix/server" },
  { method: "GET", template: "/.well-known/matrix/support" },
  { method: "GET", template: "/_matrix/federation/v1/version" },
  { method: "PUT", template: "/_matrix/federation/v1/send/{txnId}" },
  { method: "GET", template: "/_matrix/federation/v1/event/{eventId}" },
  { method: "GET", template: "/_matrix/federation/v1/state/{roomId}" },
  { method: "GET", template: "/_matrix/federation/v1/state_ids/{roomId}" },
  { method: "GET", template: "/_matrix/federation/v1/event_auth/{roomId}/{eventId}" },
  { method: "GET", template: "/_matrix/federation/v1/backfill/{roomId}" },
  { method: "POST", template: "/_matrix/federation/v1/get_missing_events/{roomId}" },
  { method: "GET", template: "/_matrix/federation/v1/timestamp_to_event/{roomId}" },
  { method: "GET", template: "/_matrix/federation/v1/make_join/{roomId}/{userId}" },
  { method: "PUT", template: "/_matrix/federation/v1/send_join/{roomId}/{eventId}" },
  { method: "PUT", template: "/_matrix/federation/v2/send_join/{roomId}/{eventId}" },
  { method: "GET", template: "/_matrix/federation/v1/make_leave/{roomId}/{userId}" },
  { method: "PUT", template: "/_matrix/federation/v1/send_leave/{roomId}/{eventId}" },
  { method: "PUT", template: "/_matrix/federation/v2/send_leave/{roomId}/{eventId}" },
  { method: "GET", template: "/_matrix/federation/v1/make_knock/{roomId}/{userId}" },
  { method: "PUT", template: "/_matrix/federation/v1/send_knock/{roomId}/{eventId}" },
  { method: "PUT", template: "/_matrix/federation/v1/invite/{roomId}/{eventId}" },
  { method: "PUT", template: "/_matrix/federation/v2/invite/{roomId}/{eventId}" },
  { method: "PUT", template: "/_matrix/federation/v1/exchange_third_party_invite/{roomId}" },
  { method: "PUT", template: "/_matrix/federation/v1/3pid/onbind" },
  { method: "POST", template: "/_matrix/federation/v1/3pid/onbind" },
  { method: "GET", template: "/_matrix/federation/v1/publicRooms" },
  { method: "POST", template: "/_matrix/federation/v1/publicRooms" },
  { method: "GET", template: "/_matrix/federation/v1/hierarchy/{roomId}" },
  { method: "GET", template: "/_matrix/federation/v1/query/directory" },
  { method: "GET", template: "/_matrix/federation/v1/query/profile" },
  { method: "GET", template: "/_matrix/federation/v1/query/{queryType}" },
  { method: "GET", template: "/_matrix/federation/v1/openid/userinfo" },
  { method: "GET", template: "/_matrix/federation/v1/user/devices/{userId}" },
  { method: "POST", template: "/_matrix/federation/v1/user/keys/claim" },
  { method: "POST", template: "/_matrix/federation/v1/user/keys/query" },
  { method: "GET", template: "/_matrix/federation/v1/media/download/{mediaId}" },
  { method: "GET", template: "/_matrix/federation/v1/media/thumbnail/{mediaId}" },
  { method: "POST", template: "/_matrix/federation/unstable/user/keys/claim" },
  { method: "GET", template: "/_matrix/federation/unstable/rooms/{roomId}/complexity" },
  { method: "POST", template: "/_matrix/federation/unstable/org.matrix.msc3720/query/account_status" },
  { method: "GET", template: "/_matrix/federation/unstable/org.matrix.msc4370/extremities/{roomId}" },
  { method: "GET", template: "/_matrix/media/{version}/download/{serverName}/{mediaId}" },
  { method: "GET", template: "/_matrix/media/{version}/download/{serverName}/{mediaId}/{fileName}" },
  { method: "GET", template: "/_matrix/media/{version}/thumbnail/{serverName}/{mediaId}" },
];
