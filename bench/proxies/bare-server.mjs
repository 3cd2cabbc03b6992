/** The baseline of the start-up rung: Node with its HTTP module, nothing else. `node bench/proxies/bare-server.mjs` */

import { createServer } from "node:http";

const server = createServer((_request, answer) => answer.end());
server.listen(0, "127.0.0.1", () => process.stdout.write("ready\n"));
