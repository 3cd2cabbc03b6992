/** All rows about requests, by theme. */

import type { RequestRow } from "./row.ts";
import { CHUNK_ROWS } from "./rows-chunks.ts";
import { FLOW_ROWS } from "./rows-flow.ts";
import { FRAMING_ROWS } from "./rows-framing.ts";
import { HEAD_ROWS } from "./rows-heads.ts";

export const REQUEST_THEMES: Readonly<Record<string, readonly RequestRow[]>> = {
  Framing: FRAMING_ROWS,
  "Chunks and trailers": CHUNK_ROWS,
  "Request lines, targets, hosts, header lines": HEAD_ROWS,
  "Pipelining, Connection, upgrades, Expect": FLOW_ROWS,
};
