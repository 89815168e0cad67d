/** A Redis that keeps nothing on disk, on a Unix socket only. */
import { programPath, type Server, startServer } from "./server.js";

const program = "redis-server";

export function hasRedis(): boolean {
  return programPath(program) !== undefined;
}

export function startRedis(socket: string): Promise<Server> {
  return startServer({
    command: program,
    args: ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"],
    readyWords: "eady to accept connections",
    stopSignal: "SIGTERM",
  });
}
