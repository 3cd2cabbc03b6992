/**
 * The workers: as many as were asked for, each started again when it ends unasked.
 *
 * ```
 *   fork ─► start ─► ready ─► serves … ─► ended (crash, out of memory, killed) ─► rest (restart-delay.ts) ─► fork
 *             └─ failed, at the very first: nobody starts     └─ silent for 30 s: killed
 * ```
 * Not here: who gets a connection (hand-out.ts), what workers are asked (merged-*.ts), the processes (worker-process.ts).
 */

import type { Clock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Arrival, Taker } from "./hand-out.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import { type Asker, createAsker } from "./questions.ts";
import { createRestartDelay } from "./restart-delay.ts";
import type { WorkerEnd, WorkerProcess } from "./worker-process.ts";

/** One process; the next in its place is another worker with the same number. */
export interface Worker<S = unknown> extends Pick<Asker, "ask">, Taker<S> {
  readonly number: number;
  readonly isReady: boolean;
}

export interface CrewOptions<S> {
  readonly count: number;
  readonly fork: () => Pick<WorkerProcess, "pid" | "onMessage" | "onEnd" | "kill"> & {
    send(message: ToWorker, socket?: S): void;
  };
  readonly clock: Clock;
  readonly log: Log;
  /** What the worker of this number begins with, if it begins now. */
  readonly start: (number: number) => WorkerStart;
  /** The first time, and each time a new one is. */
  readonly onReady: (worker: Worker<S>) => void;
  readonly onTook: (worker: Worker<S>, connections: number) => void;
  /** Ready or not. */
  readonly onGone: (worker: Worker<S>) => void;
  readonly onRestart: () => void;
  /** Time to ask this one something: any message shows that it lives. */
  readonly onBeat: (worker: Worker<S>) => void;
  /** For tests; 5,000 unless set. */
  readonly beatMs?: number;
}

export interface Crew<S> {
  /** Resolves once all are ready; rejects with FedtraceError, one line a fault, where one can't start. */
  readonly ready: Promise<void>;
  /** Those that run, ready or not. */
  workers(): readonly Worker<S>[];
  readonly tellAll: (message: ToWorker) => void;
  /** Tells all to drain and end; those that have not after `graceMs` are killed. Resolves when all are gone. */
  readonly stop: (graceMs: number) => Promise<void>;
}

/** Often enough that what a crash takes along with it is a few seconds of counts. */
const BEAT_MS = 5000;
/** 30 s of silence: no work of a worker takes so long at a time. Beats are counted, not time: the machine may sleep. */
const SILENT_BEATS_MAX = 6;

interface Running<S> extends Worker<S> {
  isReady: boolean;
  silentBeats: number;
  readonly startedAtMs: number;
  readonly process: ReturnType<CrewOptions<S>["fork"]>;
  readonly heard: (message: FromWorker) => void;
  readonly end: () => void;
}

/** One worker's place. */
interface Place<S> {
  readonly number: number;
  readonly restartDelay: (livedMs: number) => number;
  running: Running<S> | undefined;
  rest: NodeJS.Timeout | undefined;
  /** Of the first worker in it; undefined once that is ready. */
  first: { readonly ready: () => void; readonly failed: (fault: FedtraceError) => void } | undefined;
}

/** The places, and what is to be done once the last of them is empty. */
interface State<S> {
  readonly options: CrewOptions<S>;
  readonly places: Place<S>[];
  /** Set while the crew stops. */
  onEmpty: (() => void) | undefined;
}

export function startCrew<S>(options: CrewOptions<S>): Crew<S> {
  const state: State<S> = { options, places: [], onEmpty: undefined };
  const beats = setInterval(() => beat(state), options.beatMs ?? BEAT_MS).unref();
  const firsts = Array.from({ length: options.count }, (_, index) => {
    return new Promise<void>((ready, failed) => {
      const place: Place<S> = {
        number: index + 1,
        restartDelay: createRestartDelay(),
        running: undefined,
        rest: undefined,
        first: { ready, failed },
      };
      state.places.push(place);
      launch(state, place);
    });
  });
  return {
    ready: allReady(firsts),
    workers: () => runningIn(state),
    tellAll(message) {
      for (const { process } of runningIn(state)) process.send(message);
    },
    stop(graceMs) {
      clearInterval(beats);
      return stopAll(state, graceMs);
    },
  };
}

function runningIn<S>({ places }: State<S>): readonly Running<S>[] {
  return places.flatMap(({ running }) => running ?? []);
}

function launch<S>(state: State<S>, place: Place<S>): void {
  const { options } = state;
  const running = createRunning(options, place.number);
  place.running = running;
  running.process.onMessage((message) => {
    running.silentBeats = 0;
    running.heard(message);
    if (message.say === "took") options.onTook(running, message.connections);
    if (message.say === "ready") becameReady(options, place, running);
    if (message.say === "failed") couldNotStart(options, place, message);
    if (message.say === "attempt") {
      const { transaction, attempt } = message;
      passOn(state, running, { tell: "attempt", transaction, attempt });
    }
    if (message.say === "pass-used") {
      const { passId, expiresUnixMs } = message;
      passOn(state, running, { tell: "pass-used", passId, expiresUnixMs });
    }
  });
  running.process.onEnd((end) => ended(state, place, { running, ...end }));
  running.process.send({ tell: "start", start: options.start(place.number) });
}

/** To all but the one that said it. */
function passOn<S>(state: State<S>, teller: Running<S>, message: ToWorker): void {
  for (const worker of runningIn(state)) {
    if (worker !== teller) worker.process.send(message);
  }
}

function becameReady<S>({ log, onReady }: CrewOptions<S>, place: Place<S>, running: Running<S>): void {
  running.isReady = true;
  onReady(running);
  if (place.first === undefined) {
    log.info("worker ready", { worker: place.number, pid: running.process.pid });
  } else {
    place.first.ready();
  }
  place.first = undefined;
}

function couldNotStart<S>(
  { log }: CrewOptions<S>,
  { first, number }: Place<S>,
  { code, message }: Extract<FromWorker, { say: "failed" }>,
): void {
  if (first !== undefined) first.failed(new FedtraceError(code, message));
  else log.error("worker cannot start", { worker: number, code, reason: message });
}

function ended<S>(
  state: State<S>,
  place: Place<S>,
  { running, code, signal }: WorkerEnd & { readonly running: Running<S> },
): void {
  const { clock, log, onGone, onRestart } = state.options;
  const { number, first } = place;
  const livedMs = clock.monotonicMs() - running.startedAtMs;
  place.running = undefined;
  running.end();
  onGone(running);
  if (state.onEmpty !== undefined) {
    if (runningIn(state).length === 0) state.onEmpty();
  } else if (first === undefined) {
    const restMs = place.restartDelay(livedMs);
    const facts = { worker: number, pid: running.process.pid, code, signal };
    log.error("worker ended", { ...facts, uptime_ms: Math.round(livedMs), restart_in_ms: restMs });
    onRestart();
    place.rest = setTimeout(() => launch(state, place), restMs);
  } else {
    const how = signal ?? `exit status ${code ?? "unknown"}`;
    // Told to nobody where it has said why itself.
    first.failed(new FedtraceError("INTERNAL", `worker ${number} ended before it was ready (${how})`));
  }
}

function beat<S>(state: State<S>): void {
  const { log, onBeat } = state.options;
  for (const running of runningIn(state)) {
    if (running.silentBeats >= SILENT_BEATS_MAX) {
      log.error("worker is silent and is killed", { worker: running.number, pid: running.process.pid });
      running.process.kill();
    } else {
      running.silentBeats += 1;
      if (running.isReady) onBeat(running);
    }
  }
}

async function stopAll<S>(state: State<S>, graceMs: number): Promise<void> {
  const empty = new Promise<void>((resolve) => {
    state.onEmpty = resolve;
  });
  for (const { rest } of state.places) clearTimeout(rest);
  if (runningIn(state).length === 0) return;
  for (const { process } of runningIn(state)) process.send({ tell: "stop" });
  const late = setTimeout(() => {
    for (const { number, process } of runningIn(state)) {
      state.options.log.error("worker does not end and is killed", { worker: number, pid: process.pid });
      process.kill();
    }
  }, graceMs);
  await empty;
  clearTimeout(late);
}

function createRunning<S>({ fork, clock }: CrewOptions<S>, number: number): Running<S> {
  const process = fork();
  const asker = createAsker((message) => process.send(message));
  return {
    number,
    isReady: false,
    silentBeats: 0,
    startedAtMs: clock.monotonicMs(),
    process,
    ask: (kind, asked, waiting) => asker.ask(kind, asked, waiting),
    heard: (message) => asker.heard(message),
    end: () => asker.end(),
    give: ({ listener, socket }: Arrival<S>) => process.send({ tell: "connection", listener }, socket),
  };
}

/** All are waited for, so an operator sees every fault at once; the same one of several workers is one. */
async function allReady(firsts: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(firsts);
  const faults = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as FedtraceError] : [],
  );
  const [first] = faults;
  if (first === undefined) return;
  const lines = new Set(faults.flatMap(({ message }) => message.split("\n")));
  throw new FedtraceError(first.code, [...lines].join("\n"), { faults: lines.size }, first);
}
