/** The broker of a test's own, and what it leaves behind: nothing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isHoldfastError } from "../../src/client/index.js";
import { settingsFrom } from "../../src/client/options.js";
import { isDead } from "../../src/client/process-identity.js";
import { EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";
import { until } from "../support/patience.js";

const lingering = fileURLToPath(new URL("./support/lingering-program.js", import.meta.url));
const abandoning = fileURLToPath(new URL("./support/abandoning-program.js", import.meta.url));

describe("an ephemeral broker", () => {
  it("has a directory of its own, limits as wished, and is gone afterwards", async () => {
    const place = await ephemeralBroker({ limits: { resumeWindowMs: 1234 } });
    const broker = await place.connect({ program: "test" });
    const { limits, pid, places } = await broker.status();
    assert.deepEqual([limits["resumeWindowMs"], pid, places["socket"]], [1234, place.pid, place.socket]);
    await broker.close();
    await place[Symbol.asyncDispose]();
    assert.ok(!existsSync(place.dir));
    assert.ok(isDead(pid, undefined));
  });

  it("keeps its limits when a client starts it again", async () => {
    await using place = await ephemeralBroker({ limits: { resumeWindowMs: 4321 } });
    await place.kill();
    const broker = await place.connect();
    assert.equal((await broker.status()).limits["resumeWindowMs"], 4321);
    await broker.close();
  });

  it("is gone for good with the connections that it has made, also when one of them waits", async () => {
    const place = await ephemeralBroker();
    const [holder, waiter] = [await place.connect(), await place.connect()];
    await holder.acquire("x");
    const waits = waiter.acquire("x");
    const hung = waiter.query("with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c");
    const connecting = place.connect();
    await Promise.all([
      assert.rejects(waits, { code: "CLOSED" }),
      assert.rejects(hung, isHoldfastError),
      place[Symbol.asyncDispose](),
    ]);
    // A connection that is closed starts no broker any more.
    assert.deepEqual([holder.closed, waiter.closed, (await connecting).closed], [true, true, true]);
    assert.ok(!existsSync(place.dir));
    assert.ok(isDead(place.pid, undefined));
    await assert.rejects(place.connect(), { code: "MISUSE" });
  });

  it("signals nobody who has the pid of its broker after that has ended", async (test) => {
    const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    test.after(() => stranger.kill("SIGKILL"));
    await once(stranger, "spawn");
    for (const last of [
      (place: EphemeralBroker) => place.stop(),
      (place: EphemeralBroker) => place.kill(),
      (place: EphemeralBroker) => place[Symbol.asyncDispose](),
    ]) {
      const place = await ephemeralBroker();
      test.after(() => place[Symbol.asyncDispose]());
      await place.kill();
      const { info } = settingsFrom({ dir: place.dir }).places;
      const told = JSON.parse(readFileSync(info, "utf8")) as object;
      writeFileSync(info, JSON.stringify({ ...told, pid: stranger.pid }));
      await last(place);
      assert.ok(!isDead(stranger.pid as number, undefined));
    }
  });

  it("that cannot be started says why", async () => {
    await assert.rejects(ephemeralBroker({ limits: { readersMax: 1000 } }), (error) => {
      assert.ok(isHoldfastError(error));
      assert.match(error.message, /readersMax/);
      return true;
    });
  });

  it("watches for the program's end together with all others, and no longer than it lives", async () => {
    const before = process.listenerCount("exit");
    const many = Array.from({ length: 12 }, (_, n) => new EphemeralBroker(join(tmpdir(), `hf-never-made-${n}`), {}));
    assert.equal(process.listenerCount("exit"), before + 1);
    for (const one of many) await one[Symbol.asyncDispose]();
    assert.equal(process.listenerCount("exit"), before);
  });
});

describe("a program", () => {
  it("that ends without having ended its brokers leaves none of them, and no directory", async () => {
    const program = spawn(process.execPath, [abandoning], { stdio: ["ignore", "pipe", "inherit"] });
    const made = JSON.parse(await text(program.stdout)) as { readonly dir: string; readonly pid: number }[];
    assert.equal(made.length, 2);
    for (const { dir, pid } of made) {
      await until(`the end of the broker ${pid}`, () => isDead(pid, undefined));
      assert.ok(!existsSync(dir), `${dir} is still there`);
    }
  });

  it("that a signal ends leaves none of them either", async () => {
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const program = spawn(process.execPath, [abandoning, "stay"], { stdio: ["ignore", "pipe", "inherit"] });
      const [line] = (await once(program.stdout, "data")) as [Buffer];
      const made = JSON.parse(line.toString()) as { readonly dir: string; readonly pid: number }[];
      program.kill(signal);
      for (const { dir, pid } of made) {
        await until(`the end of the broker ${pid}`, () => isDead(pid, undefined));
        await until(`the end of ${dir}`, () => !existsSync(dir));
      }
    }
  });

  it("ends when it has closed its handle, or has said that the handle shall not keep it", async () => {
    await using place = await ephemeralBroker();
    for (const what of ["close", "unref"]) {
      const program = spawn(process.execPath, [lingering, place.dir, what], { stdio: ["ignore", "pipe", "inherit"] });
      const [code] = (await once(program, "exit")) as [number];
      assert.equal(code, 0, what);
    }
  });

  it("is kept alive by an open handle", async () => {
    await using place = await ephemeralBroker();
    const program = spawn(process.execPath, [lingering, place.dir, "stay"], { stdio: ["ignore", "pipe", "inherit"] });
    await once(program.stdout, "data");
    // It would have ended before the broker answers somebody who comes after it.
    const broker = await place.connect();
    assert.equal((await broker.status()).sessions, 2);
    await broker.close();
    program.kill("SIGKILL");
    await once(program, "exit");
  });
});
