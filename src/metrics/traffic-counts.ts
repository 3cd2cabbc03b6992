/** What is seen of WebSocket sessions and of gRPC calls, as whoever follows them tells it. */

/** A frame's opcode (RFC 6455 section 5.2); `other`: a reserved one. */
export type WebSocketEvent = "text" | "binary" | "continuation" | "close" | "ping" | "pong" | "other";

export interface WebSocketCounts {
  /** @param source the client's address */
  sessionBegan(source: string): void;
  sessionEnded(source: string): void;
  /** A frame from the client. @param bytes of its payload */
  request(event: WebSocketEvent, bytes: number): void;
  /** The server's answer to a frame of the client began. */
  answered(event: WebSocketEvent, seconds: number): void;
  /** A frame from the server. @param bytes of its payload */
  response(event: WebSocketEvent, bytes: number): void;
  /** A frame from the server that tells of an error. */
  errorResponse(event: WebSocketEvent): void;
}

type GrpcType = "unary" | "client_streaming" | "server_streaming" | "bidi_streaming";

export interface GrpcCounts {
  /** A call is over. */
  called(call: {
    readonly type: GrpcType;
    readonly service: string;
    readonly method: string;
    /** The upstream's address. */
    readonly plugin: string;
    /** Messages to it, and from it. */
    readonly sent: number;
    readonly received: number;
    readonly seconds: number;
  }): void;
}
