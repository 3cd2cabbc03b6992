/**
 * The benchmark's child processes: started, pinned to a core, asked, read from /proc, and ended whatever happens.
 *
 * Source: proc(5), /proc/PID/stat fields 14 and 15 (all threads of the process), /proc/PID/task/TID/schedstat (nanoseconds on a
 * CPU, docs.kernel.org/scheduler/sched-stats.html), /proc/PID/status.
 * Not here: what the processes are.
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as wait } from "node:timers/promises";

/** The proxy under test has this core for itself; the load, the upstream and the collector share the others. */
export const PROXY_CORE = "0";
/** @returns {string} as taskset wants it: `1`, or `1-3` */
export function loadCores(first = 1) {
  const last = availableParallelism() - 1;
  return last > first ? `${first}-${last}` : `${first}`;
}
/** USER_HZ is 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;
/** No step of a run takes nearly as long. */
const STEP_TIMEOUT_MS = 120_000;
const LISTEN_TIMEOUT_MS = 20_000;
const LISTEN_POLL_MS = 20;
/** The end of what a child said on stderr, for the message that it died. */
const LAST_WORDS = 400;

export function canPin() {
  try {
    execFileSync("taskset", ["-c", `${PROXY_CORE},1`, "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // No taskset, or no second core.
  }
}

/** @param {boolean} isPinned whether `core` is kept to */
export function createProcesses(isPinned) {
  const children = new Set();

  /**
   * @param {string[]} command
   * @param {{ core: string, env?: object, hasChannel?: boolean, onLine?: (text: string) => void }} options
   */
  function start(command, { core, env, hasChannel = false, onLine }) {
    const [file, ...parameters] = isPinned ? ["taskset", "-c", core, ...command] : command;
    const child = spawn(file, parameters, {
      env: { ...process.env, ...env },
      stdio: ["ignore", onLine === undefined ? "ignore" : "pipe", "pipe", ...(hasChannel ? ["ipc"] : [])],
    });
    children.add(child);
    child.lastWords = "";
    child.stderr.setEncoding("latin1").on("data", (text) => {
      child.lastWords = (child.lastWords + text).slice(-LAST_WORDS);
    });
    child.stdout?.setEncoding("latin1").on("data", onLine);
    child.on("error", (error) => (child.lastWords = error.message));
    child.on("close", () => children.delete(child));
    return child;
  }

  return {
    start,
    /** A program of ours with a channel. @returns the child, and the first thing it said */
    async startPeer(script, core = loadCores()) {
      const child = start([process.execPath, script], { core, hasChannel: true });
      const [hello] = await once(child, "message", { signal: AbortSignal.timeout(STEP_TIMEOUT_MS) });
      return { child, hello };
    },
    endAll() {
      for (const child of children) child.kill("SIGKILL");
    },
  };
}

/** One question to a child with a channel. @throws what it answered as `error` */
export async function ask(child, message) {
  const reply = once(child, "message", { signal: AbortSignal.timeout(STEP_TIMEOUT_MS) });
  child.send(message);
  const [answer] = await reply;
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** Resolves when somebody accepts on the port. @throws with the child's last words where that never happens */
export async function untilListening(child, port) {
  const deadlineMs = performance.now() + LISTEN_TIMEOUT_MS;
  while (performance.now() < deadlineMs && child.exitCode === null && child.signalCode === null) {
    const socket = connect({ port, host: "127.0.0.1" });
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await wait(LISTEN_POLL_MS);
  }
  throw new Error("it does not listen");
}

/** Time on a CPU of a process, all its threads and its children, in ms. */
export function cpuMs(pid) {
  // Ticks count threads that have ended as well; nanoseconds only those that live, but a run of nginx is a few ticks.
  const own = Math.max(ticksMs(pid), threadsMs(pid));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
  return children.reduce((sum, child) => sum + cpuMs(child), own);
}

function ticksMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name in brackets may hold spaces; utime and stime are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The same of the threads that live, to the nanosecond; 0 where the kernel does not count it. */
function threadsMs(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"));
    return times.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1e6, 0);
  } catch {
    return 0; // A thread ended meanwhile, or a kernel without it.
  }
}

/** @returns {{ rssMb: number, peakMb: number }} resident memory now and at its highest, in 10⁶ bytes */
export function memory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const megabytes = (key) => (Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6;
  return { rssMb: megabytes("VmRSS"), peakMb: megabytes("VmHWM") };
}
