/**
 * Unary gRPC calls over one kept HTTP/2 connection, plain (h2c, prior knowledge) or TLS.
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. The connection is made with the first call and
 * again after it is lost, after a GOAWAY and after a call that ran out of time (a connection may die without a word).
 * It never keeps the process alive. node:http2 is loaded with the first call. Not here: what a status means
 * (grpc-status.ts), trying again later (delivery.ts), streams, compressed answers, balancing over addresses.
 */

import type {
  ClientHttp2Session,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from "node:http2";

/** An answer is a few bytes; a longer one counts as RESOURCE_EXHAUSTED, as in gRPC's own clients. */
const RESPONSE_BYTES_MAX = 64 * 1024;
const TOO_LARGE: IncomingHttpHeaders = { "grpc-status": "8" };

/** Of one call, before its answer (100, 103); a back end that sends more of them is talking to itself. */
const INTERIM_ANSWERS_MAX = 16;

/** Headers and trailers in one. */
type Fields = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** One byte says whether the message is compressed, four how long it is. */
const PREFIX_BYTES = 5;

/** CANCEL of https://www.rfc-editor.org/rfc/rfc9113#name-error-codes */
const CANCEL = 8;

export interface GrpcClientOptions {
  /** http:// or https://; its path isn't used. */
  readonly url: string;
  /** PEM of the roots that an https URL is verified with, in place of the system's; undefined: the system's. */
  readonly ca?: Buffer | undefined;
  /** Of one call, connecting included; told to the back end too. At most 10⁸ - 1. */
  readonly timeoutMs: number;
}

interface GrpcCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Names in lower case; may hold secrets. What gRPC itself says can't be overridden. */
  readonly metadata: Readonly<Record<string, string>>;
  /** As it is sent: compressed where `isGzip`. */
  readonly message: Buffer;
  readonly isGzip: boolean;
}

export type GrpcReply =
  | {
      readonly isAnswered: true;
      readonly fields: Fields;
      /** Empty where there is none that can be read. */
      readonly message: Buffer;
    }
  /** Nothing that counts came back; another try may help. */
  | {
      readonly isAnswered: false;
      readonly reason: string;
      /** An answer broke off after its head: the call was taken up. */
      readonly hasBegun: boolean;
    };

export interface GrpcClient {
  /** One at a time. @throws TypeError for metadata that no header can carry */
  call(call: GrpcCall): Promise<GrpcReply>;
  /** An open call fails with it. */
  close(): void;
}

/** @throws TypeError for a URL that is none; the config has checked it */
export function createGrpcClient({ url, ca, timeoutMs }: GrpcClientOptions): GrpcClient {
  const { origin } = new URL(url);
  let kept: ClientHttp2Session | undefined;

  async function open(): Promise<{ readonly session: ClientHttp2Session; readonly isKept: boolean }> {
    if (kept !== undefined && !kept.closed && !kept.destroyed) return { session: kept, isKept: true };
    const { connect } = await import("node:http2");
    const session = connect(origin, { settings: { enablePush: false }, ...(ca && { ca }) });
    session.on("error", () => undefined); // The open call's stream has it too; idle, there is nobody to tell.
    session.unref();
    kept = session;
    return { session, isKept: false };
  }

  async function callUntil(call: GrpcCall, signal: AbortSignal): Promise<GrpcReply> {
    const headers = headersOf(call, timeoutMs);
    for (;;) {
      const { session, isKept } = await open();
      const reply = await exchange(session, headers, { message: frameOf(call), signal });
      if (reply.isAnswered) return reply;
      session.destroy(); // Whatever is wrong with it, the next call is not to meet it again.
      if (signal.aborted) return { ...reply, reason: `no answer within ${timeoutMs} ms` };
      // A kept connection that the back end gave up just then is no failure of the back end: once more, on a new one.
      if (!isKept || reply.hasBegun) return reply;
    }
  }

  return {
    async call(call) {
      // Not AbortSignal.timeout: it would hold the message until the time is up, long after the answer.
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), timeoutMs).unref();
      try {
        return await callUntil(call, late.signal);
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      kept?.destroy();
    },
  };
}

function headersOf({ path, metadata, isGzip }: GrpcCall, timeoutMs: number): OutgoingHttpHeaders {
  return {
    "user-agent": "fedtrace",
    ...metadata,
    ":method": "POST",
    ":path": path,
    te: "trailers",
    "content-type": "application/grpc",
    "grpc-timeout": `${timeoutMs}m`,
    "grpc-accept-encoding": "identity",
    ...(isGzip ? { "grpc-encoding": "gzip" } : {}),
  };
}

function frameOf({ message, isGzip }: GrpcCall): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame.writeUInt8(isGzip ? 1 : 0);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, PREFIX_BYTES);
  return frame;
}

/** One stream, from its first header to its end or its failure; never left open. */
function exchange(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  { message, signal }: { readonly message: Buffer; readonly signal: AbortSignal },
): Promise<GrpcReply> {
  return new Promise((resolve) => {
    const stream = session.request(headers, { signal }); // What it throws rejects the promise.
    const chunks: Buffer[] = [];
    let bytes = 0;
    let fields: Fields = {};
    let failure: unknown;
    let hasEnded = false;
    let interimAnswers = 0;

    stream.on("headers", () => {
      if (++interimAnswers > INTERIM_ANSWERS_MAX) stream.destroy(new Error("no answer but interim ones"));
    });
    stream.on("response", (head) => {
      fields = head;
    });
    stream.on("trailers", (trailers) => {
      fields = { ...fields, ...trailers };
    });
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > RESPONSE_BYTES_MAX) stream.close(CANCEL);
    });
    stream.on("end", () => {
      hasEnded = stream.rstCode === 0; // A connection that is lost ends its streams too, with a code.
      if (!stream.writableFinished) stream.close(CANCEL); // It has answered: nobody wants the rest of the call.
    });
    stream.on("error", (error) => {
      failure = error;
    });
    stream.on("close", () => {
      if (bytes > RESPONSE_BYTES_MAX) fields = TOO_LARGE;
      const hasBegun = fields[":status"] !== undefined;
      // Without a gRPC status: a whole answer of something else, or one of gRPC's that broke off.
      const isWhole = hasBegun && hasEnded && failure === undefined;
      if (isWhole || fields["grpc-status"] !== undefined) {
        resolve({ isAnswered: true, fields, message: messageOf(Buffer.concat(chunks)) });
      } else resolve({ isAnswered: false, reason: reasonOf(failure), hasBegun });
    });
    stream.end(message);
  });
}

/** The one message of a unary answer, without its prefix. */
function messageOf(body: Buffer): Buffer {
  const isReadable =
    body.length >= PREFIX_BYTES && body[0] === 0 && body.readUInt32BE(1) === body.length - PREFIX_BYTES;
  return isReadable ? body.subarray(PREFIX_BYTES) : Buffer.alloc(0);
}

function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return "the connection was closed before an answer";
  // A stream of a connection that couldn't be made is cancelled; why is one level deeper.
  const { cause } = failure;
  const told = cause instanceof Error ? cause : failure;
  return "code" in told ? String(told.code) : told.message;
}
