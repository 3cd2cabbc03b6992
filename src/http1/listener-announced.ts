/**
 * Connections of proxies that say first whose they are (PROXY protocol): the header is read before TLS and HTTP see a byte.
 *
 * Whose header is believed is decided by the socket's own address alone, before anything is read. From everybody else nothing is
 * read here, and what they send goes on as it came: a header of theirs is malformed HTTP, or malformed TLS.
 * Not here: the header's form (proxy-header.ts).
 */

import type { Socket } from "node:net";
import { readFirstBytes } from "./first-bytes.ts";
import {
  type Announcement,
  parseProxyHeader,
  type ProxyHeader,
  type ProxyHeaderRefusal,
} from "./proxy-header.ts";

/** Why a proxy's connection was closed: `busy`, too many headers were awaited. */
export type AnnouncementRefusal = ProxyHeaderRefusal | "gone" | "timeout" | "busy";

export interface AnnouncementsOptions {
  /** @param address as node:net shows it, "" on a unix socket */
  isTrusted(address: string): boolean;
  timeoutMs(): number;
  /** Connections whose header is awaited at once; one more is closed. */
  pendingMax(): number;
  /** @param address the proxy's. Its socket is gone. */
  onRefused(reason: AnnouncementRefusal, address: string): void;
}

export interface Announcements {
  /** Whether a header is due on this connection. */
  isExpected(socket: Socket): boolean;
  /** Reads it; `onAnnounced` is called with the socket, of which nothing but the header was read. Otherwise it is gone. */
  read(socket: Socket, onAnnounced: (announcement: Announcement) => void): void;
  /** Destroys those whose header is awaited, without a word. */
  destroyAll(): void;
}

export function createAnnouncements(options: AnnouncementsOptions): Announcements {
  const pending = new Set<Socket>();
  let isOver = false;

  return {
    isExpected: (socket) => options.isTrusted(socket.remoteAddress ?? ""),
    read(socket, onAnnounced) {
      const proxy = socket.remoteAddress ?? "";
      function refuse(reason: AnnouncementRefusal): void {
        socket.on("error", () => undefined).destroy();
        if (!isOver) options.onRefused(reason, proxy);
      }
      if (pending.size >= options.pendingMax()) return refuse("busy");
      pending.add(socket);
      readFirstBytes(socket, options.timeoutMs(), lookForHeader, (header) => {
        pending.delete(socket);
        if (typeof header === "string") refuse(header);
        else onAnnounced(header);
      });
    },
    destroyAll() {
      isOver = true;
      for (const socket of pending) socket.destroy();
    },
  };
}

function lookForHeader(bytes: Buffer): { found: ProxyHeader | ProxyHeaderRefusal; taken: number } | "more" {
  const header = parseProxyHeader(bytes);
  if (header === "more") return header;
  return { found: header, taken: typeof header === "string" ? 0 : header.length };
}
