/**
 * The broker has used up its descriptors: it can take no connection and start no process, goes on with what it has, and
 * is as before when it has some again.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { standStillFor, until } from "../support/patience.js";
import { gone, type KnownProcess, kill } from "../support/processes.js";

const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

/** So many descriptors more than it has now; `undefined`: as many as there may be. */
function allow({ pid }: KnownProcess, more: number | undefined): void {
  const now = readdirSync(`/proc/${pid}/fd`).length;
  const limit = more === undefined ? "4096" : `${now + more}`;
  const { status, stderr } = spawnSync("prlimit", [`--pid=${pid}`, `--nofile=${limit}:4096`], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** CPU time that it has used, in ticks of 10 ms. */
function ticksOf({ pid }: KnownProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Whether there are as many as there should be. */
async function readers(home: Home): Promise<boolean> {
  const { processes } = await home.status();
  return processes.filter(({ role, state }) => role === "reader" && state === "ready").length >= 2;
}

test("without descriptors the broker serves those it has, does not spin, and takes newcomers and starts readers when it has some again", {
  skip: !hasPrlimit && "prlimit (util-linux) is needed",
}, async (t) => {
  const home = new Home(t);
  const { known: front } = await home.start();
  const wire = await home.wire();
  const canary = await Canary.start(home);
  await until("all that stand by", () => readers(home));
  const reader = await home.processOf("reader");
  allow(front, 3);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let refused = 0;
  for (let n = 0; n < 20; n++) {
    const socket = connect(home.socket);
    socket.on("error", () => {});
    socket.on("close", () => refused++);
    await once(socket, "connect");
    sockets.push(socket);
  }
  await until("those to be ended that there is no descriptor for", () => refused >= 10);
  await canary.goesOn();
  const [before, since] = [ticksOf(front), performance.now()];
  await standStillFor(1000);
  const usedMs = (ticksOf(front) - before) * 10;
  assert.ok(usedMs < 0.6 * (performance.now() - since), "it spins");

  kill(reader, "SIGKILL");
  await gone("the reader", reader);
  assert.equal((await wire.call("db.query", { sql: "select 1" })).rows.length, 1, "the other reader reads");
  await canary.goesOn();

  for (const socket of sockets) socket.destroy();
  allow(front, undefined);
  await until("a newcomer to be served", async () => {
    const newcomer = await home.wire().catch(() => undefined);
    return newcomer?.call("db.query", { sql: "select 1" });
  });
  await until("as many readers as before", () => readers(home));
  await canary.goesOn();
});
