/** The one timer: it wakes, early if it must, and keeps nobody alive who does not want it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { now, orAborted, Pulse, sleep, withTimeLimit } from "../../src/client/pulse.js";
import { after } from "../../src/terms/index.js";

describe("a pulse", () => {
  it("wakes not before the deadline, and not at all when it was stopped", async () => {
    const deadline = after(now(), 20);
    const woken = await new Promise<number>((resolve) => {
      new Pulse(() => resolve(now())).wakeAt(deadline, true);
    });
    assert.ok(woken >= deadline);
    const stopped = new Pulse(() => assert.fail("it was stopped"));
    stopped.wakeAt(after(now(), 1), true);
    stopped.stop();
    await sleep(20, new AbortController().signal);
  });

  it("that was armed for later wakes for an earlier deadline", async () => {
    await new Promise<void>((resolve) => {
      const pulse = new Pulse(resolve);
      pulse.wakeAt(after(now(), 600_000), true);
      pulse.wakeAt(after(now(), 1), true);
    });
  });
});

describe("a wait", () => {
  it("ends with the signal's reason", async () => {
    const controller = new AbortController();
    const slept = sleep(600_000, controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(slept, { message: "enough" });
    await assert.rejects(sleep(600_000, controller.signal), { message: "enough" });
  });

  it("for a promise gives what it gives, or calls when it is late", async () => {
    assert.equal(await withTimeLimit(Promise.resolve(1), 600_000, () => assert.fail("not late")), 1);
    // An unheld timer alone would let this program end.
    const held = setTimeout(() => {}, 600_000);
    await new Promise<void>((resolve) => void withTimeLimit(new Promise(() => {}), 1, resolve));
    clearTimeout(held);
  });

  it("that is given up leaves the promise to itself", async () => {
    const controller = new AbortController();
    let left = false;
    const waits = orAborted(new Promise(() => {}), controller.signal, () => {
      left = true;
    });
    controller.abort(new Error("enough"));
    await assert.rejects(waits, { message: "enough" });
    assert.ok(left);
  });
});
