/** live-mutex: a broker of its own, over a Unix socket. */
import type { OpenLocker } from "../crew/connection.js";
import { load } from "./packages.js";

interface Client {
  readonly emitter: { on(event: "warning", listener: () => void): void };
  ensure(): Promise<Client>;
  acquire(name: string, options: { ttl: number; lockRequestTimeout: number }): Promise<{ readonly id: string }>;
  release(name: string, options: { id: string }): Promise<unknown>;
  close(): void;
}

interface Package {
  readonly Client: new (options: { udsPath: string }) => Client;
}

const leaseMs = 30_000;

export const liveMutexLocker: OpenLocker = async ({ places }) => {
  const { Client } = load<Package>("live-mutex");
  const client = new Client({ udsPath: places.liveMutexSocket });
  // It warns of every connection that is closed.
  client.emitter.on("warning", () => {});
  await client.ensure();
  const lock = async (name: string) => {
    const { id } = await client.acquire(name, { ttl: leaseMs, lockRequestTimeout: leaseMs });
    return async () => {
      await client.release(name, { id });
    };
  };
  return { lock, close: () => client.close() };
};
