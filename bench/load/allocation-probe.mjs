/**
 * Loaded into fedtrace before it starts (`node --import`): says over the IPC channel what the process allocates.
 *
 * One message in, one out: `{ mark: true }` collects garbage and notes where the heap stands → `{}`;
 * `{ since: true }` → `{ heapBytes, externalBytes, collections }` since the mark. Nothing is freed between two collections,
 * so with a young generation that holds all of a measurement (`YOUNG_MB`) the heap's growth is what was allocated, to the
 * byte; `collections` above 0 says that it was not so. External bytes are buffers of sockets and of `Buffer.alloc`.
 * `{ profile: "heap" | "cpu" }` starts a profile → `{}`; `{ profiled: true }` → `{ nodes: [{ name, url, line, column, self }] }`,
 * `self` in bytes or in samples.
 * Source: https://chromedevtools.github.io/devtools-protocol/v8/HeapProfiler/ and …/Profiler/.
 */

import { Session } from "node:inspector/promises";
import { findSourceMap } from "node:module";
import { PerformanceObserver } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Fine enough for a function that allocates 50 bytes a request to be seen in 5,000 of them. */
const HEAP_INTERVAL_BYTES = 256;
const CPU_INTERVAL_US = 200;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

let collections = 0;
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ["gc"] });

let marked = process.memoryUsage();
let session;
let kind;

async function mark() {
  collect();
  collect();
  await turn();
  await turn(); // The observer hears of a collection a turn later.
  collections = 0;
  marked = process.memoryUsage();
  return {};
}

async function since() {
  const now = process.memoryUsage();
  await turn();
  await turn();
  return {
    heapBytes: now.heapUsed - marked.heapUsed,
    externalBytes: now.arrayBuffers - marked.arrayBuffers,
    collections,
  };
}

async function startProfile(asked) {
  kind = asked;
  session = new Session();
  session.connect();
  if (kind === "heap") {
    await session.post("HeapProfiler.startSampling", {
      samplingInterval: HEAP_INTERVAL_BYTES,
      // Without these two, only what is still alive at the end is told.
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    return {};
  }
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: CPU_INTERVAL_US });
  await session.post("Profiler.start");
  return {};
}

async function endProfile() {
  const { profile } = await session.post(kind === "heap" ? "HeapProfiler.stopSampling" : "Profiler.stop");
  session.disconnect();
  const nodes = kind === "heap" ? flatten(profile.head) : profile.nodes;
  return {
    nodes: nodes
      .map((node) => ({ ...locate(node.callFrame), self: kind === "heap" ? node.selfSize : node.hitCount }))
      .filter(({ self }) => self > 0),
  };
}

function flatten(node) {
  return [node, ...node.children.flatMap(flatten)];
}

/** Where a function stands in src/, if the build's source map says it. */
function locate({ functionName: name, url, lineNumber, columnNumber }) {
  const entry = findSourceMap(url.replace("file://", ""))?.findEntry(lineNumber, columnNumber);
  const source = entry?.originalSource;
  if (source === undefined) return { name, url, line: lineNumber + 1 };
  return { name, url: source, line: entry.originalLine + 1 };
}

async function obey(message) {
  if (message.mark === true) return await mark();
  if (message.since === true) return await since();
  if (message.profile !== undefined) return await startProfile(message.profile);
  return await endProfile();
}

process.on("message", (message) => {
  obey(message).then(
    (answer) => process.send(answer),
    (error) => process.send({ error: error.message }),
  );
});
