/**
 * `worker`: one of several processes of a sidecar. Started by `run` alone, which tells it over a channel what to do; it reads no
 * config file, listens nowhere and says nothing but log lines.
 *
 * It ends when it is told to, or when the primary is gone: then it drains all the same, and no process is left behind.
 */

import type { Socket } from "node:net";
import { type Sidecar, startSidecar } from "../app.ts";
import { type Clock, createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog, logFrom } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import type { Attempt } from "../proxy/resends.ts";
import { createRecentStore } from "../store/recent-store.ts";
import { createAnswering } from "../workers/answering.ts";
import type { FromWorker, ToWorker, WorkerStart } from "../workers/messages.ts";
import { createPacking, type Packing } from "../workers/packing.ts";
import { createWorkerAnswers } from "../workers/worker-answers.ts";
import { EXIT, type ExitStatus } from "./output.ts";
import { resolveBySystem } from "./run.ts";

/** The channel to the primary, as cli.ts has it from the process. */
export interface PrimaryChannel {
  /** Calls `onSent` once the message is written, or can't be. */
  send(message: unknown, onSent: () => void): void;
  onMessage(listen: (message: unknown, socket: unknown) => void): void;
  /** The primary has closed its end, or has ended. */
  onGone(listen: () => void): void;
  close(): void;
}

type Send = (message: FromWorker) => Promise<void>;
type Order = Exclude<ToWorker, { readonly tell: "start" | "stop" }>;
type Obey = (order: Order, socket: Socket | undefined) => void;

export async function workerCommand(channel: PrimaryChannel, pageDirectory: string): Promise<ExitStatus> {
  const packing = createPacking(await import("node:v8"));
  const send: Send = (message) => new Promise((resolve) => channel.send(packing.pack(message), resolve));
  const orders = listen(channel, packing);
  const clock = createSystemClock();
  const start = await Promise.race([orders.start, orders.stop]);
  if (typeof start === "string") return EXIT.OK; // Told to end before it was told to begin.

  const ownLog = createLog(start.config.log.level);
  const log = logFrom((level, message, facts) => ownLog[level](message, { worker: start.number, ...facts }));
  let sidecar: Sidecar;
  try {
    sidecar = await startSidecar(start.config, {
      clock,
      random: createRandom(),
      log,
      resolve: resolveBySystem,
      pageDirectory,
      worker: {
        workers: start.workers,
        ticketKeys: start.ticketKeys,
        outboundIdKey: start.outboundIdKey,
        onAttempt: (transaction, attempt) => void send({ say: "attempt", transaction, attempt }),
        onPassUsed: (passId, expiresUnixMs) => void send({ say: "pass-used", passId, expiresUnixMs }),
      },
    });
  } catch (error) {
    if (!(error instanceof FedtraceError)) throw error;
    await send({ say: "failed", code: error.code, message: error.message });
    channel.close();
    return error.code === "CONFIG_INVALID" ? EXIT.BAD_CONFIG : EXIT.CANNOT_START;
  }
  orders.obeyWith(createObey(sidecar, clock, send));
  await send({ say: "ready" });
  const { holdYoungGeneration } = await import("./young-generation.ts");
  holdYoungGeneration();

  if ((await orders.stop) === "orphaned") log.warn("stopping: the primary process is gone");
  await sidecar.stop();
  channel.close();
  return EXIT.OK;
}

interface Orders {
  readonly start: Promise<WorkerStart>;
  readonly stop: Promise<"asked" | "orphaned">;
  /** All others, those that came before too, in the order they came. */
  obeyWith(obey: Obey): void;
}

function listen(channel: PrimaryChannel, { unpack }: Packing): Orders {
  const early: Parameters<Obey>[] = [];
  let obey: Obey = (...order) => void early.push(order);
  let stop: (why: "asked" | "orphaned") => void = () => undefined;
  const stopped = new Promise<"asked" | "orphaned">((resolve) => {
    stop = resolve;
  });
  channel.onGone(() => stop("orphaned"));
  const start = new Promise<WorkerStart>((resolve) => {
    channel.onMessage((received, socket) => {
      const message = unpack(received) as ToWorker;
      if (message.tell === "start") resolve(message.start);
      else if (message.tell === "stop") stop("asked");
      else obey(message, socket as Socket | undefined);
    });
  });
  return {
    start,
    stop: stopped,
    obeyWith(next) {
      obey = next;
      for (const order of early.splice(0)) obey(...order);
    },
  };
}

function createObey(sidecar: Sidecar, clock: Clock, send: Send): Obey {
  // Without an admin listener nobody looks at traces, and there is no store.
  const store =
    sidecar.store ?? createRecentStore({ evicted() {}, dropped() {} }, { spansMax: 0, bytesMax: 0 });
  const answering = createAnswering(
    createWorkerAnswers({
      registry: sidecar.registry,
      peers: sidecar.peers,
      store,
      clock,
      reload: (config) => sidecar.reload(config),
      rereadCertificates: () => sidecar.rereadCertificates(),
      takeUsage: () => sidecar.takeUsage(),
    }),
    send,
  );
  let taken = 0;

  /** Once a turn, for all that came in it: a message costs more than a connection does. */
  function tellTaken(): void {
    void send({ say: "took", connections: taken });
    taken = 0;
  }

  return (order, socket) => {
    switch (order.tell) {
      case "connection":
        if (socket !== undefined) {
          // As a listener of its own would have made it.
          socket.allowHalfOpen = true;
          socket.setNoDelay(true);
          sidecar.adopt(order.listener, socket);
        }
        taken += 1;
        if (taken === 1) setImmediate(tellTaken);
        break;
      case "ticket-keys":
        sidecar.setTicketKeys(order.ticketKeys);
        break;
      case "attempt":
        sidecar.learnAttempt(order.transaction, order.attempt as Attempt | undefined);
        break;
      case "pass-used":
        sidecar.notePassUsed(order.passId, order.expiresUnixMs);
        break;
      case "ask":
        void answering.answer(order);
        break;
      case "forget":
        answering.forget(order.id);
        break;
    }
  };
}
