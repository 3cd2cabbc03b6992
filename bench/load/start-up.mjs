/** How long a program takes from its spawn to the line `ready` on stdout. */

import { PROXY_CORE } from "./processes.mjs";

const START_TIMEOUT_MS = 20_000;

/**
 * @param processes as made by `createProcesses`
 * @param {string[]} command
 * @returns {Promise<number>} ms, once the process has ended again
 */
export async function timeStart(processes, command) {
  return await new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`${command.join(" ")} is not ready: ${child.lastWords}`));
    const timer = setTimeout(fail, START_TIMEOUT_MS);
    const startMs = performance.now();
    let readyMs;
    let said = "";
    const onLine = (text) => {
      said += text;
      if (readyMs !== undefined || !/^ready$/m.test(said)) return;
      readyMs = performance.now();
      child.kill("SIGKILL");
    };
    const child = processes.start(command, { core: PROXY_CORE, onLine });
    child.once("close", () => {
      clearTimeout(timer);
      if (readyMs === undefined) fail();
      else resolve(readyMs - startMs);
    });
  });
}
