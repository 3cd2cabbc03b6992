/**
 * Requests at a fixed rate, whatever the answers do (an open loop). A request's latency counts from when it was due, not from
 * when a connection was free for it: a proxy that stalls pays for everyone who would have come meanwhile.
 *
 * Source: "coordinated omission", and the method of wrk2 (https://github.com/giltene/wrk2). Here the loop looks at the clock
 * in every turn instead of sleeping: a timer of 1 ms would be most of what is measured.
 * Not here: connections; they are loader.mjs's.
 */

/** The first part of a run, in which queues settle, is not counted. */
const SETTLE_MS = 500;

/** @param {Float64Array} sorted */
function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/**
 * @param {object[]} connections each with `socket`, `onAnswer`, `onFault`
 * @param {() => Buffer} nextRequest
 * @param {{ perSecond: number, seconds: number }} pace
 * @returns {Promise<{ p50Ms: number, p99Ms: number, maxMs: number, lateP99Ms: number, perSecond: number }>} `lateP99Ms` is how
 *   long after it was due a request left, though a connection was free: the loader's own fault
 */
export function runAtPace(connections, nextRequest, { perSecond, seconds }) {
  const spacingMs = 1000 / perSecond;
  const skipped = Math.floor(SETTLE_MS / spacingMs);
  const count = skipped + Math.floor((seconds * 1000) / spacingMs);
  const latencies = new Float64Array(count - skipped);
  const lateness = new Float64Array(count - skipped);
  const idle = [...connections];
  const startMs = performance.now() + spacingMs;
  let sent = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    let isOver = false;
    const fail = (error) => {
      isOver = true;
      reject(error);
    };
    const send = (connection, nowMs, isLoaders) => {
      connection.index = sent++;
      const dueMs = startMs + connection.index * spacingMs;
      if (connection.index >= skipped) lateness[connection.index - skipped] = isLoaders ? nowMs - dueMs : 0;
      connection.socket.write(nextRequest());
    };
    const sendDue = (isLoaders) => {
      const nowMs = performance.now();
      while (idle.length > 0 && sent < count && startMs + sent * spacingMs <= nowMs) {
        send(idle.pop(), nowMs, isLoaders);
      }
    };
    const finish = () => {
      isOver = true;
      const wallMs = performance.now() - startMs;
      latencies.sort();
      lateness.sort();
      resolve({
        p50Ms: percentile(latencies, 0.5),
        p99Ms: percentile(latencies, 0.99),
        maxMs: latencies[latencies.length - 1],
        lateP99Ms: percentile(lateness, 0.99),
        perSecond: (count * 1000) / wallMs,
      });
    };
    for (const connection of connections) {
      connection.onFault = fail;
      connection.onAnswer = () => {
        const { index } = connection;
        if (index >= skipped) latencies[index - skipped] = performance.now() - startMs - index * spacingMs;
        const wasFull = idle.length === 0;
        idle.push(connection);
        if (++done === count) finish();
        else if (wasFull) sendDue(false);
      };
    }
    const turn = () => {
      sendDue(true);
      if (!isOver) setImmediate(turn);
    };
    turn();
  });
}
