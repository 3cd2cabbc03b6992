/**
 * What every rung stands on: the upstreams, the collector and the loaders, and a way to bring contestants in and out.
 *
 * A contestant that comes in is started, waited for and checked (load/check.mjs); one that fails is left out, the reason printed.
 * Not here: what is measured (rungs/), and who takes part (contestants.mjs).
 */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { makeCertificate } from "./load/certificate.mjs";
import { findFaults } from "./load/check.mjs";
import { ask, createProcesses, PROXY_CORE, untilListening } from "./load/processes.mjs";

/** Until the last batch of every exporter is there: they wait for five seconds. */
const LAST_BATCH_MS = 6000;

/** Ports that nobody listens on now; they are taken a moment later. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(server.address().port))),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  return ports;
}

/** The collector's counts since the start; questions wait for each other, as one channel has one answer at a time. */
function createCollector({ child, hello }) {
  const totals = {};
  let last = Promise.resolve();
  const collect = async () => {
    for (const [path, count] of Object.entries(await ask(child, { count: true }))) {
      totals[path] = (totals[path] ?? 0) + count;
    }
  };
  return {
    port: hello.port,
    /** @returns {Promise<number>} spans that came by this path since the start */
    async spansOf(path) {
      last = last.then(collect);
      await last;
      return totals[path] ?? 0;
    },
  };
}

/**
 * @typedef {object} Entry a contestant that runs and was checked
 * @property {string} name @property {object} contestant @property {object} child its process @property {number} port
 * @property {number} spansBefore that had come by its path before it was there
 * @property {Set<string>} isWarm kinds of requests it was warmed up with @property {number} sent requests (load/measure.mjs)
 *
 * @typedef {object} Setup what a rung wants of its contestants
 * @property {"captured" | "tls" | "bodies"} [kind] what passes, and is checked first
 * @property {number} [connections] idle ones to the upstream that a proxy should be able to keep
 * @property {number} [workers] @property {string} [core] of fedtrace, as taskset wants it
 * @property {string[]} [nodeOptions] @property {boolean} [hasChannel] for a look inside fedtrace
 */

/** What a contestant is to be prepared for. @returns {Promise<import("./contestants.mjs").Place>} */
async function takePlace(ground, { kind, connections = 64, workers = 1 } = {}) {
  const [listen, admin] = await freePorts(2);
  return {
    listen,
    admin,
    upstream: kind === "bodies" ? ground.bulkUpstreamPort : ground.upstreamPort,
    sink: ground.collector.port,
    folder: mkdtempSync(join(ground.folder, "place-")),
    tls: kind === "tls" ? ground.tls : undefined,
    connections,
    workers,
  };
}

/** Starts and checks one. @param {Setup} setup @returns {Promise<Entry | undefined>} undefined: the reason is printed */
async function enter(ground, contestant, setup = {}) {
  const { collector, processes, say, tls } = ground;
  const { name, missing, spanPath } = contestant;
  if (missing !== undefined) {
    say(`  ${name}: ${missing}`);
    return undefined;
  }
  const place = await takePlace(ground, setup);
  const { command, env } = contestant.prepare(place);
  const [file, ...parameters] = command;
  const child = processes.start([file, ...(setup.nodeOptions ?? []), ...parameters], {
    core: setup.core ?? PROXY_CORE,
    env,
    hasChannel: setup.hasChannel,
  });
  const spansBefore = await collector.spansOf(spanPath);
  try {
    await untilListening(child, place.listen);
    const countSpans = async () => (await collector.spansOf(spanPath)) - spansBefore;
    const faults = await findFaults(contestant, { port: place.listen, kind: setup.kind, tls }, countSpans);
    if (faults.length > 0) throw new Error(faults.join("; "));
  } catch (error) {
    child.kill("SIGKILL");
    say(`  ${name}: left out, ${error.message}\n${child.lastWords.trim()}`.trimEnd());
    return undefined;
  }
  return { name, contestant, child, port: place.listen, spansBefore, isWarm: new Set(), sent: 0 };
}

/** Ends what runs, and waits until it has: the next rung is to have the core for itself. @param {{ child: object }[]} entries */
async function leaveAll(entries) {
  for (const { child } of entries) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "close");
  }
}

/** How many of their requests made a span that reached the collector. @returns {Promise<{ name: string, share: number }[]>} */
async function sayExported({ isQuick, collector, say }, entries) {
  if (!isQuick) await wait(LAST_BATCH_MS);
  const lacking = isQuick ? " (the last batch is on its way)" : "";
  say(`  spans that reached the collector, of all requests${lacking}`);
  const exported = [];
  for (const { name, contestant, spansBefore, sent } of entries) {
    const share = ((await collector.spansOf(contestant.spanPath)) - spansBefore) / sent;
    exported.push({ name, share });
    say(`    ${name}: ${(share * 100).toFixed(1)} %`);
  }
  return exported;
}

/** Starts what stays for the whole run; it ends with the process. */
async function prepareGround(options) {
  const processes = createProcesses(options.isPinned);
  const folder = mkdtempSync(join(tmpdir(), "fedtrace-bench-"));
  process.on("exit", () => {
    processes.endAll();
    rmSync(folder, { recursive: true, force: true });
  });
  const [upstream, bulkUpstream, sink, loader, bulkLoader] = await Promise.all(
    ["upstream", "bulk-upstream", "sink", "loader", "bulk-loader"].map((name) =>
      processes.startPeer(`bench/load/${name}.mjs`),
    ),
  );
  return {
    ...options,
    processes,
    folder,
    collector: createCollector(sink),
    tls: makeCertificate(folder),
    loader: loader.child,
    bulkLoader: bulkLoader.child,
    upstreamPort: upstream.hello.port,
    bulkUpstreamPort: bulkUpstream.hello.port,
  };
}

/**
 * @param {{ isPinned: boolean, isQuick: boolean, only: string | undefined, contestants: object[],
 *   counts: { rounds: number, requests: number, soak: number }, say: (text: string) => void }} options
 */
export async function createStage(options) {
  const ground = await prepareGround(options);
  const { contestants, only, say } = options;
  return {
    ...ground,
    leaveAll,
    takePlace: async () => await takePlace(ground),
    enter: async (contestant, setup) => await enter(ground, contestant, setup),
    sayExported: async (entries) => await sayExported(ground, entries),
    /** A loader of a rung's own. */
    startPeer: async (name, cores) => await ground.processes.startPeer(`bench/load/${name}.mjs`, cores),
    /**
     * Those of the contestants that the rung wants and `--only` leaves; fedtrace itself always.
     *
     * @param {string[]} names in the order of the rounds
     * @param {Setup} [setup] of every one
     * @returns {Promise<Entry[]>}
     */
    async enterAll(names, setup) {
      const wanted = names
        .map((name) => contestants.find((contestant) => contestant.name === name))
        .filter(({ name }) => name.startsWith("fedtrace") || name.includes(only ?? ""));
      // Side by side: a check measures nothing, and some collectors wait five seconds for their spans.
      const tried = await Promise.all(wanted.map((contestant) => enter(ground, contestant, setup)));
      const entries = tried.filter((entry) => entry !== undefined);
      say(`  checked: ${entries.map(({ name }) => name).join(" · ")}`);
      return entries;
    },
  };
}
