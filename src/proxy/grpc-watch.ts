/**
 * gRPC calls over HTTP/1.1, as gRPC-Web and gateways send them: how many messages went each way.
 *
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (a message is a byte of flags, four of a length, and so many bytes) and
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md (a frame whose flags have the first bit holds trailers). Lengths are
 * followed, nothing is held. The kind of a call is not told on the wire: it is what the counts say.
 * Not here: grpc-web-text, whose base64 would have to be decoded; and HTTP/2, which the listeners don't speak.
 */

import type { RequestHead } from "../http1/request-head.ts";
import type { GrpcCounts } from "../metrics/traffic-counts.ts";
import { followBody } from "./follow-body.ts";

/** `/{service}/{method}` and a content type of binary messages. */
const PATH = /^\/([^/?]+)\/([^/?]+)$/;
const CONTENT_TYPE = /\r\ncontent-type:[ \t]*application\/grpc(?:-web)?(?:\+[^\s;,]{1,100})?[ \t]*[;\r]/i;
const PREFIX_BYTES = 5;
const TRAILERS_FLAG = 0x80;
/** And the one of a compressed message; the others are reserved. */
const FLAGS = 0x81;
/** By how many messages came back: one, or many. */
const CLIENT_SENDS_ONE = ["unary", "server_streaming"] as const;
const CLIENT_STREAMS = ["client_streaming", "bidi_streaming"] as const;

export class GrpcMessages {
  #have = 0;
  #flags = 0;
  #left = 0;
  #hasStopped = false;
  /** Those that began and are whole but for their bytes: a prefix has come. */
  count = 0;

  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#hasStopped) {
      if (this.#have === PREFIX_BYTES) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
      } else {
        const byte = bytes[at++] ?? 0;
        if (this.#have === 0) {
          this.#flags = byte;
          this.#hasStopped = (byte & ~FLAGS) !== 0; // An error page, most likely.
        } else this.#left = this.#left * 256 + byte;
        if (++this.#have === PREFIX_BYTES && (this.#flags & TRAILERS_FLAG) === 0) this.count++;
      }
      if (this.#have === PREFIX_BYTES && this.#left === 0) this.#have = 0;
    }
  }
}

export class GrpcWatch {
  readonly #service: string;
  readonly #method: string;
  readonly #sent = new GrpcMessages();
  readonly #received = new GrpcMessages();
  readonly readRequest: (bytes: Buffer) => void;
  #readResponse: ((bytes: Buffer) => void) | undefined;

  private constructor(service: string, method: string, bodyLength: number) {
    this.#service = service;
    this.#method = method;
    this.readRequest = followBody(bodyLength, (bytes) => this.#sent.read(bytes));
  }

  /** @returns undefined where this is no gRPC call. @param path of the target */
  static of(head: RequestHead, path: string): GrpcWatch | undefined {
    if (head.method !== "POST") return undefined;
    const [, service, method] = PATH.exec(path) ?? [];
    if (service === undefined || method === undefined || !CONTENT_TYPE.test(head.text)) return undefined;
    return new GrpcWatch(service, method, head.bodyLength);
  }

  /** The answer's head has come. @param bodyLength as its bytes will come */
  beginResponse(bodyLength: number): void {
    this.#readResponse = followBody(bodyLength, (bytes) => this.#received.read(bytes));
  }

  readResponse(bytes: Buffer): void {
    this.#readResponse?.(bytes);
  }

  /** The call is over. @param plugin the upstream */
  end({ called }: GrpcCounts, plugin: string, seconds: number): void {
    const { count: sent } = this.#sent;
    const { count: received } = this.#received;
    const [one, many] = sent > 1 ? CLIENT_STREAMS : CLIENT_SENDS_ONE;
    const type = received > 1 ? many : one;
    called({ type, service: this.#service, method: this.#method, plugin, sent, received, seconds });
  }
}
