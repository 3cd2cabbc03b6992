/** A gRPC back end for tests: @grpc/grpc-js on port 0, and a bare HTTP/2 server where that is too well-behaved. */

import { createServer, type Http2Server, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { onTestFinished } from "vitest";

const identity = (bytes: Buffer): Buffer => bytes;

/** Bytes in, bytes out: what they mean is compared by the test. */
const SERVICE: ServiceDefinition = {
  Export: {
    path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
};

export interface GrpcRequest {
  readonly message: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
  readonly peer: string;
}

export interface GrpcAnswer {
  /** 0 unless set. */
  readonly code?: number;
  readonly message?: Buffer;
  /** Trailers; a Buffer's name ends with -bin. */
  readonly trailers?: Readonly<Record<string, string | Buffer>>;
}

/** @param answer undefined leaves the call open */
export async function startGrpcBackEnd(
  answer: (request: GrpcRequest) => GrpcAnswer | undefined = () => ({}),
  credentials = ServerCredentials.createInsecure(),
): Promise<{ readonly port: number; readonly received: readonly GrpcRequest[]; readonly server: Server }> {
  const received: GrpcRequest[] = [];
  const server = new Server();
  server.addService(SERVICE, {
    Export(call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) {
      const metadata = Object.fromEntries(
        Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]),
      );
      const request = {
        message: call.request,
        metadata,
        deadlineMs: Number(call.getDeadline()),
        peer: call.getPeer(),
      };
      received.push(request);
      const { code = 0, message = Buffer.alloc(0), trailers = {} } = answer(request) ?? { code: -1 };
      if (code < 0) return;
      const metadataOut = new Metadata();
      for (const [name, value] of Object.entries(trailers)) metadataOut.set(name, value);
      if (code === 0) respond(null, message, metadataOut);
      else respond({ code, details: "said the back end", metadata: metadataOut });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  return { port, received, server };
}

/** What a bare server does with a whole request. @param index of the call, over all connections, from 0 */
type BareAnswer = (stream: ServerHttp2Stream, index: number, sessions: readonly Http2Session[]) => void;

/** An h2c server whose frames a test chooses. */
export async function startBareBackEnd(answer: BareAnswer): Promise<{
  readonly port: number;
  readonly sessions: readonly Http2Session[];
  readonly server: Http2Server;
}> {
  const sessions: Http2Session[] = [];
  let calls = 0;
  const server = createServer();
  server.on("session", (session) => {
    session.on("error", () => undefined);
    sessions.push(session);
  });
  server.on("stream", (stream) => {
    const index = calls++;
    stream.on("error", () => undefined);
    stream.on("end", () => answer(stream, index, sessions)).resume();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sessions, server };
}

/** Ends a stream as gRPC does: an empty message, then trailers. */
export function answerWith(stream: ServerHttp2Stream, grpcStatus: number): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(grpcStatus) }));
  stream.end(Buffer.alloc(5));
}
