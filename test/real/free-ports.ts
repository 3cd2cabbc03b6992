/**
 * Ports for programs that have to be told theirs before they start, or whose name holds it (`hs1.test:23456`).
 *
 * They are below what Linux gives to outgoing connections (32768 to 60999), so that between the look and the use only
 * a program that was told the same number can take one, never a connection that comes by.
 */

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOWEST = 20_000;
const HIGHEST = 32_000;
/** Few ports are in use: one try is nearly always enough. */
const TRIES_MAX = 100;

/** Different ports of 127.0.0.1 that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries === TRIES_MAX * count) throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

/** One that stays taken until it is let go: for a program that is told its port long before it listens. */
export async function holdPort(): Promise<{ readonly port: number; release(): Promise<void> }> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const [port = 0] = await freePorts(1);
    const server = createServer();
    const isHeld = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isHeld) continue;
    server.unref();
    return { port, release: () => new Promise((resolve) => void server.close(() => resolve())) };
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => void server.close(() => resolve(true)));
  });
}
