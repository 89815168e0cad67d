/** Which peers are there, why the others are not, and the servers of those that have one, started when first needed. */
import { fileURLToPath } from "node:url";
import { note, rowsOfStock } from "../crew/connection.js";
import type { Contestant, Places } from "../crew/order.js";
import { treeOf } from "../crew/usage.js";
import { isInstalled, type PackageName } from "./packages.js";
import { postgresPrograms, startPostgres } from "./postgres-server.js";
import { openPostgres } from "./postgres-work.js";
import { hasRedis, startRedis } from "./redis-server.js";
import { openRedis } from "./redis-work.js";
import { programPath, type Server, startServer } from "./server.js";

type Peer = Exclude<Contestant, "broker" | "echo" | "sqlite" | "grouped">;
type ServerName = "redis" | "postgres" | "live-mutex";

interface PeerRow {
  readonly packages: readonly PackageName[];
  readonly server?: ServerName;
  /** Why it cannot be had, apart from packages. */
  readonly lacks: () => string | undefined;
}

const noRedis = () => (hasRedis() ? undefined : "no redis-server on the PATH (Debian: apt-get install redis-server)");
const noPostgres = () =>
  postgresPrograms() === undefined ? "no postgres and initdb found (Debian: apt-get install postgresql)" : undefined;
const nothing = () => undefined;

const peers: { readonly [Name in Peer]: PeerRow } = {
  "live-mutex": { packages: ["live-mutex"], server: "live-mutex", lacks: nothing },
  redis: { packages: ["ioredis"], server: "redis", lacks: noRedis },
  redlock: { packages: ["ioredis", "redlock"], server: "redis", lacks: noRedis },
  postgres: { packages: ["pg"], server: "postgres", lacks: noPostgres },
  "proper-lockfile": { packages: ["proper-lockfile"], lacks: nothing },
  flock: { packages: [], lacks: () => (programPath("flock") === undefined ? "no flock on the PATH" : undefined) },
};

const liveMutexServer = fileURLToPath(new URL("./live-mutex-server.main.js", import.meta.url));

const stock = `insert into stock select i, 'note ' || i from generate_series(0, ${rowsOfStock - 1}) as i`;

function isPeer(who: Contestant): who is Peer {
  return Object.hasOwn(peers, who);
}

/** Nothing: it can be measured. */
export function whyMissing(who: Contestant): string | undefined {
  if (!isPeer(who)) return undefined;
  const { packages, lacks } = peers[who];
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length > 0) return `${missing.join(", ")} not installed (npm run bench -- --peers installs them)`;
  return lacks();
}

export class Peers {
  readonly #places: Places;
  readonly #servers = new Map<ServerName, Promise<Server>>();

  constructor(places: Places) {
    this.#places = places;
  }

  /** The processes of its server by their numbers, started if need be; none where it has none. */
  async processesOf(who: Contestant): Promise<() => number[]> {
    const name = isPeer(who) ? peers[who].server : undefined;
    if (name === undefined) return () => [];
    const known = this.#servers.get(name) ?? this.#start(name);
    this.#servers.set(name, known);
    const { pid } = await known;
    return () => treeOf(pid);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.values()) await (await server).stop();
    this.#servers.clear();
  }

  async #start(name: ServerName): Promise<Server> {
    const { redisSocket, postgresDir, liveMutexSocket } = this.#places;
    switch (name) {
      case "redis": {
        const server = await startRedis(redisSocket);
        await fillRedis(redisSocket);
        return server;
      }
      case "postgres": {
        const server = await startPostgres(postgresDir);
        await fillPostgres(postgresDir);
        return server;
      }
      case "live-mutex": {
        const args = [liveMutexServer, liveMutexSocket];
        return startServer({ command: process.execPath, args, readyWords: "ready", stopSignal: "SIGTERM" });
      }
    }
  }
}

async function fillRedis(socket: string): Promise<void> {
  const client = openRedis(socket);
  for (let i = 0; i < rowsOfStock; i += 1000)
    await client.mset(Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`stock:${i + n}`, note])));
  await client.quit();
}

async function fillPostgres(directory: string): Promise<void> {
  const client = await openPostgres(directory);
  await client.query("create table written (id bigserial primary key, member integer, n integer, note text)");
  await client.query("create table stock (id integer primary key, note text)");
  await client.query(stock);
  await client.query("analyze stock");
  await client.end();
}
