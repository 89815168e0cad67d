/** A PostgreSQL as it comes: durable commits, default settings, on a Unix socket only. */
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { anotherUserThanRoot, programPath, type Server, startServer } from "./server.js";

export const postgresUser = "bench";

const debians = "/usr/lib/postgresql";

function placesOfDebian(): string[] {
  if (!existsSync(debians)) return [];
  return readdirSync(debians).map((version) => join(debians, version, "bin"));
}

export function postgresPrograms(): { readonly postgres: string; readonly initdb: string } | undefined {
  const elsewhere = placesOfDebian();
  const [postgres, initdb] = [programPath("postgres", elsewhere), programPath("initdb", elsewhere)];
  return postgres === undefined || initdb === undefined ? undefined : { postgres, initdb };
}

/** `directory` holds the cluster and its socket. */
export async function startPostgres(directory: string): Promise<Server> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("there is no PostgreSQL");
  const user = anotherUserThanRoot(["postgres", "nobody"]);
  mkdirSync(directory, { mode: 0o700 });
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const args = ["-D", data, "-U", postgresUser, "-A", "trust", "-E", "UTF8", "--locale=C"];
  const made = spawnSync(programs.initdb, args, { cwd: directory, encoding: "utf8", ...user });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  return startServer({
    command: programs.postgres,
    args: ["-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "max_connections=200"],
    readyWords: "ready to accept connections",
    stopSignal: "SIGQUIT",
    user,
  });
}
