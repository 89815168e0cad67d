/**
 * One database that is served from one run directory after the other: whose lock was granted there knows that it is lost
 * before anybody is granted it here (promise 4).
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Home } from "../support/broker.js";
import { until, within } from "../support/patience.js";
import { kill, known, stop } from "../support/processes.js";

// A broker whose sessions have less time than the others' is the one that could be too early. All of it is waiting.
describe("a database that is served from another run directory", { concurrency: 5 }, () => {
  for (const gone of [false, true])
    for (const outside of [false, true])
      it(`a lock is lost to its holder before it is granted elsewhere, where the old directory is ${gone ? "gone" : "still there"}${outside ? ", and the socket was in another" : ""}`, async (t) => {
        const there = new Home(t);
        const here = new Home(t);
        mkdirSync(join(there.dir, "data"), { mode: 0o700 });
        const started = { limits: { resumeWindowMs: 1000 }, args: ["--database", there.database] };
        // Its ledger is of a time before the other: what it says of "x" must not be believed.
        const first = await here.start(started);
        const early = await here.connect();
        await early.acquire("early");
        await first.stop();
        // Nobody has had the other, so that nothing delays a lock there.
        rmSync(join(there.dir, "data"), { recursive: true });
        const door = join(there.dir, "door");
        mkdirSync(door, { mode: 0o700 });
        const named = outside ? { socket: join(door, "broker.sock") } : {};
        const front = await there.start(outside ? { args: ["--socket", join(door, "broker.sock")] } : {});
        const holder = await there.connect({ resumeWindowMs: 4000, ...named });
        const lock = await holder.acquire("x");
        const events: string[] = [];
        lock.signal.addEventListener("abort", () => events.push("lost"));
        await front.stop();
        if (gone) rmSync(join(there.dir, "run"), { recursive: true });
        await here.start(started);
        assert.equal(existsSync(join(there.dir, "run", "moved")), !gone);
        assert.equal(existsSync(join(here.dir, "run", "moved")), false);
        const other = await here.connect();
        await other.withLock("x", () => events.push("granted"));
        await until("the holder to hear of it", () => events.length === 2);
        assert.deepEqual(events, ["lost", "granted"]);
        assert.equal(await other.withLock("early", () => "free"), "free");
      });

  for (const wakes of [true, false])
    it(`a broker whose writer's lock was taken by one in another run directory ends, and whose lock it was hears that it is lost${wakes ? "" : ", also when its next writer stands still"}`, async (t) => {
      const there = new Home(t);
      const here = new Home(t);
      const front = await there.start();
      const holder = await there.connect();
      const lock = await holder.acquire("x");
      let lost = false;
      lock.signal.addEventListener("abort", () => {
        lost = true;
      });
      const standby = await until("a writer that stands by", async () =>
        (await there.status()).processes.find(({ role, state }) => role === "writer" && state === "standby"),
      );
      const next = known(standby.pid);
      await stop(next);
      const other = here.launch({ limits: { resumeWindowMs: 1000 }, args: ["--database", there.database] });
      await until("the other one to wait for the lock", () => /waiting for the writer's lock/.test(other.output));
      kill(await there.processOf("writer"), "SIGKILL");
      await other.ready();
      assert.equal(lost, false);
      if (wakes) kill(next, "SIGCONT");
      const stranger = await here.connect();
      const free = stranger.withLock("x", () => lost);
      await until("the holder to hear of it", () => lost);
      assert.equal((await within("the end", front.exited)).code, 1);
      assert.match(front.output, /ending at once: another writer is still there/);
      assert.equal(await free, true, "it was not granted before");
    });
});
