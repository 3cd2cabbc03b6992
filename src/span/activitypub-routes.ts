/**
 * Route templates of ActivityPub servers, as the three most used server programs have them.
 *
 * Sources, read 2026-11: Mastodon's config/routes.rb (github.com/mastodon/mastodon), Pleroma's
 * lib/pleroma/web/router.ex (git.pleroma.social/pleroma/pleroma), Lemmy's crates/apub/apub/src/http/routes.rs
 * (github.com/LemmyNet/lemmy), RFC 7033 (webfinger), RFC 6415 (host-meta), the NodeInfo protocol
 * (nodeinfo.diaspora.software/protocol). Parameters are renamed so that one path has one template.
 * Not here: the client APIs (`/api/v1/…`) and pages for people, which don't federate.
 */

import type { RouteTemplate } from "./routes.ts";

export const ACTIVITYPUB_ROUTES: readonly RouteTemplate[] = [
  { method: "GET", template: "/.well-known/webfinger" },
  { method: "GET", template: "/.well-known/host-meta" },
  { method: "GET", template: "/.well-known/nodeinfo" },
  { method: "GET", template: "/nodeinfo/{version}" },

  // Mastodon; `/users/{name}` is also Pleroma's and many others'
  { method: "GET", template: "/actor" },
  { method: "POST", template: "/actor/inbox" },
  { method: "GET", template: "/actor/outbox" },
  { method: "POST", template: "/inbox" },
  { method: "GET", template: "/@{name}" },
  { method: "GET", template: "/@{name}/{id}" },
  { method: "GET", template: "/users/{name}" },
  { method: "GET", template: "/users/{name}/inbox" },
  { method: "POST", template: "/users/{name}/inbox" },
  { method: "GET", template: "/users/{name}/outbox" },
  { method: "POST", template: "/users/{name}/outbox" },
  { method: "GET", template: "/users/{name}/followers" },
  { method: "GET", template: "/users/{name}/following" },
  { method: "GET", template: "/users/{name}/followers_synchronization" },
  { method: "GET", template: "/users/{name}/collections/{id}" },
  { method: "GET", template: "/users/{name}/quote_authorizations/{id}" },
  { method: "GET", template: "/users/{name}/statuses/{id}" },
  { method: "GET", template: "/users/{name}/statuses/{id}/activity" },
  { method: "GET", template: "/users/{name}/statuses/{id}/replies" },
  { method: "GET", template: "/users/{name}/statuses/{id}/likes" },
  { method: "GET", template: "/users/{name}/statuses/{id}/shares" },
  { method: "GET", template: "/ap/users/{id}" },
  { method: "POST", template: "/ap/users/{id}/inbox" },
  { method: "GET", template: "/ap/users/{id}/outbox" },
  { method: "GET", template: "/ap/users/{id}/followers" },
  { method: "GET", template: "/ap/users/{id}/following" },
  { method: "GET", template: "/ap/users/{id}/followers_synchronization" },
  { method: "GET", template: "/ap/users/{id}/collections/{collection}" },
  { method: "GET", template: "/ap/users/{id}/quote_authorizations/{authorization}" },
  { method: "GET", template: "/ap/users/{id}/statuses/{status}" },
  { method: "GET", template: "/ap/users/{id}/statuses/{status}/activity" },
  { method: "GET", template: "/ap/users/{id}/statuses/{status}/replies" },
  { method: "GET", template: "/ap/users/{id}/statuses/{status}/likes" },
  { method: "GET", template: "/ap/users/{id}/statuses/{status}/shares" },

  // Pleroma
  { method: "GET", template: "/objects/{id}" },
  { method: "GET", template: "/objects/{id}/likes" },
  { method: "GET", template: "/activities/{id}" },
  { method: "GET", template: "/notice/{id}" },
  { method: "GET", template: "/relay" },
  { method: "POST", template: "/relay/inbox" },
  { method: "GET", template: "/relay/followers" },
  { method: "GET", template: "/relay/following" },
  { method: "GET", template: "/internal/fetch" },
  { method: "POST", template: "/internal/fetch/inbox" },

  // Lemmy; the inboxes of its older versions too
  { method: "GET", template: "/site_outbox" },
  { method: "GET", template: "/c/{name}" },
  { method: "GET", template: "/c/{name}/followers" },
  { method: "GET", template: "/c/{name}/outbox" },
  { method: "GET", template: "/c/{name}/featured" },
  { method: "GET", template: "/c/{name}/moderators" },
  { method: "POST", template: "/c/{name}/inbox" },
  { method: "GET", template: "/c/{name}/tag/{tag}" },
  { method: "GET", template: "/u/{name}" },
  { method: "GET", template: "/u/{name}/outbox" },
  { method: "POST", template: "/u/{name}/inbox" },
  { method: "GET", template: "/m/{name}" },
  { method: "GET", template: "/m/{name}/following" },
  { method: "GET", template: "/post/{id}" },
  { method: "GET", template: "/post/{id}/context" },
  { method: "GET", template: "/comment/{id}" },
  { method: "GET", template: "/comment/{id}/context" },
  { method: "GET", template: "/activities/{type}/{id}" },
];
