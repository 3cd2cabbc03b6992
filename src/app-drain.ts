/** The end of the listeners: what is open may finish, within its time. */

import type { Listener } from "./http1/listener.ts";

/** Lets open exchanges end until `drainMs` have passed; then cuts what is left. */
export async function drain(
  listeners: readonly Pick<Listener, "drain" | "destroy">[],
  drainMs: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), drainMs);
  });
  const drained = Promise.all(listeners.map((listener) => listener.drain()));
  if ((await Promise.race([drained, isLate])) === true) for (const listener of listeners) listener.destroy();
  clearTimeout(timer);
  await drained;
}
