/** The bounds of one connection, as the operator sets them under `limits`. */
export interface ConnectionLimits {
  /** Bytes of a head, and of a trailer section. */
  readonly headBytes: number;
  /** Lines of a head. */
  readonly headLines: number;
  /** From a head's first byte (the first head: from the connection's start) to its last. */
  readonly headTimeoutMs: number;
  /** Between two bytes of a body, in either direction. */
  readonly bodyTimeoutMs: number;
  /** Without any byte between two requests, or in an upgraded connection. */
  readonly idleMs: number;
  readonly connectTimeoutMs: number;
  /** From the last byte of a request to the first of its response. */
  readonly responseTimeoutMs: number;
}
