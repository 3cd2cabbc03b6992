/** From Node's request to what a route is asked. */

import type { IncomingMessage } from "node:http";
import type { Asked } from "./answer.ts";
import { readTarget } from "./own-names.ts";

export function readAsked({ url = "", headers }: Pick<IncomingMessage, "url" | "headers">): Asked {
  const { path: target } = readTarget(url);
  const at = target.indexOf("?");
  return {
    path: at === -1 ? target : target.slice(0, at),
    query: new URLSearchParams(at === -1 ? "" : target.slice(at + 1)),
    header(name) {
      const value = headers[name];
      return typeof value === "string" ? value : value?.join(", ");
    },
  };
}
