/** What the program has in its hands of a statement of a transaction. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StepPromise } from "../../src/client/step-promise.js";

const refusal = new Error("refused");

async function refused(): Promise<never> {
  await Promise.resolve();
  throw refusal;
}

describe("a statement's promise", () => {
  it("that nobody waits for is not heard, says why it was refused, and ends no program with that", async () => {
    const step = StepPromise.of(refused);
    assert.deepEqual(await step.failed, { error: refusal });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(step.heard, false);
  });

  it("is heard by whoever waits for it, whatever the way", async () => {
    for (const wait of [
      async (step: Promise<number>) => await step,
      (step: Promise<number>) => step.then((n) => n),
      (step: Promise<number>) => step.catch(() => 0),
      (step: Promise<number>) => step.finally(() => undefined),
      async (step: Promise<number>) => (await Promise.all([step]))[0],
    ]) {
      const step = StepPromise.of(() => Promise.resolve(7));
      assert.equal(await wait(step), 7);
      assert.equal(step.heard, true);
      assert.equal(await step.failed, undefined);
    }
  });

  it("rejects for whoever waits for it, also when it was refused before", async () => {
    const step = StepPromise.of(refused);
    await step.failed;
    await assert.rejects(step, refusal);
    assert.equal(step.heard, true);
  });

  it("makes plain promises: whoever leaves one of those alone has left it alone", async () => {
    const made = StepPromise.of(() => Promise.resolve(7)).then((n) => n);
    assert.equal(made instanceof StepPromise, false);
    assert.equal(await made, 7);
  });
});
