/**
 * A process that wants locks, over and over, and does not know that it will be stopped or killed. Whatever it sees goes to
 * its own file, with fsync, before it goes on.
 */
import { fsyncSync, openSync, writeSync } from "node:fs";
import type { Line, Mode } from "./lock-history.js";

type Library = typeof import("../../src/client/index.js");

/** Given as one argument, as JSON. */
export interface ContenderOrder {
  readonly library: string;
  readonly dir: string;
  readonly member: string;
  readonly file: string;
  readonly names: readonly string[];
}

const order = JSON.parse(process.argv[2] ?? "{}") as ContenderOrder;
const { connect, isHoldfastError } = (await import(order.library)) as Library;
const file = openSync(order.file, "a");
let finishing = false;
let asks = 0;

process.on("message", () => {
  finishing = true;
});
process.on("disconnect", () => {
  if (!finishing) process.exit(1);
});

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function note(line: Line): void {
  writeSync(file, `${JSON.stringify(line)}\n`);
  fsyncSync(file);
}

const broker = await connect({
  ...{ dir: order.dir, start: true, env: {}, program: order.member, reconnectTimeoutMs: 60_000 },
});

async function contend(): Promise<void> {
  const ask = ++asks;
  const name = order.names[Math.floor(Math.random() * order.names.length)] ?? "x";
  const mode: Mode = Math.random() < 0.3 ? "shared" : "exclusive";
  note({ kind: "asked", ask, name, mode, at: now() });
  const onQueued = () => note({ kind: "queued", ask, at: now() });
  const lock = await broker.acquire(name, { mode, onQueued });
  note({ kind: "granted", ask, token: lock.token, at: now() });
  const over = () => note({ kind: "over", ask, at: now() });
  if (lock.lost) return over();
  let told = false;
  lock.signal.addEventListener("abort", () => {
    if (!told) over();
    told = true;
  });
  if (mode === "exclusive") {
    const row = await broker.get<{ n: number }>("select n from register where name = ?", [name]);
    const value = (row?.n ?? 0) + 1;
    await lock.execute("update register set n = ? where name = ?", [value, name]);
    note({ kind: "wrote", ask, value, at: now() });
  }
  if (!told) over();
  told = true;
  await lock.release();
  process.send?.({ kind: "held", count: ask });
}

while (!finishing) {
  try {
    await contend();
  } catch (error) {
    // A lock that was lost on the way is no failure; what was seen of it is in the file.
    if (!isHoldfastError(error) || !["FENCED", "LOCK_LOST", "SESSION_EXPIRED"].includes(error.code)) throw error;
  }
}
await broker.close();
process.disconnect?.();
