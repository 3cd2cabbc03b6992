/** Every fuzz target, in the order in which they run. */

import { ADMIN_QUERY, GO_VALUES } from "./admin-query.target.ts";
import { BODY_CONTEXTS } from "./body-contexts.target.ts";
import { CHUNKED_BODY } from "./chunked.target.ts";
import { CONFIG } from "./config.target.ts";
import { COST } from "./cost.target.ts";
import { OUTBOUND_TARGET } from "./outbound-target.target.ts";
import { PATTERN_GLOB, PATTERN_REGEX, PATTERN_TEXT } from "./patterns.target.ts";
import {
  CERTIFICATE_NAMES,
  HTTP_SIGNATURE,
  SERVER_NAME,
  X_MATRIX_DESTINATION,
  X_MATRIX_ORIGIN,
} from "./peer-names.target.ts";
import { ACTOR_KEY, DIGEST, HTTP_SIGNATURE_PROOF } from "./http-proof.target.ts";
import { CANONICAL_JSON, X_MATRIX_SIGNATURES } from "./proof.target.ts";
import { PROPAGATION } from "./propagation.target.ts";
import { FORWARDED_LINES, PROXY_HEADER } from "./proxy-words.target.ts";
import { REQUEST_HEAD } from "./request-head.target.ts";
import { RESPONSE_HEAD } from "./response-head.target.ts";
import { SERVER_CONNECTION } from "./server-connection.target.ts";
import { GRPC_MESSAGES, WEB_SOCKET_FRAMES } from "./followers.target.ts";
import type { FuzzTarget } from "./target.ts";
import { SERVER_TIMING, TRACE_NAMES } from "./trace-headers.target.ts";
import { CONNECTION_OPTIONS, TRAILERS } from "./trailers.target.ts";
import { UPSTREAM_CONNECTION } from "./upstream-connection.target.ts";
import { WELL_KNOWN } from "./well-known.target.ts";

export const TARGETS: readonly FuzzTarget[] = [
  REQUEST_HEAD,
  RESPONSE_HEAD,
  CHUNKED_BODY,
  SERVER_CONNECTION,
  UPSTREAM_CONNECTION,
  TRAILERS,
  CONNECTION_OPTIONS,
  OUTBOUND_TARGET,
  BODY_CONTEXTS,
  WELL_KNOWN,
  X_MATRIX_ORIGIN,
  X_MATRIX_DESTINATION,
  X_MATRIX_SIGNATURES,
  CANONICAL_JSON,
  HTTP_SIGNATURE,
  SERVER_NAME,
  CERTIFICATE_NAMES,
  PROXY_HEADER,
  FORWARDED_LINES,
  HTTP_SIGNATURE_PROOF,
  DIGEST,
  ACTOR_KEY,
  PROPAGATION,
  SERVER_TIMING,
  TRACE_NAMES,
  PATTERN_TEXT,
  PATTERN_REGEX,
  PATTERN_GLOB,
  ADMIN_QUERY,
  GO_VALUES,
  CONFIG,
  WEB_SOCKET_FRAMES,
  GRPC_MESSAGES,
  COST,
];
