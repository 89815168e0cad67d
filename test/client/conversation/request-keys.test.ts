import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backoffMs } from "../../../src/client/conversation/backoff.js";
import { lockKeysFrom, RequestKeys } from "../../../src/client/conversation/request-keys.js";

describe("request keys", () => {
  it("rise, writes from 1 and locks far above them", () => {
    const keys = new RequestKeys();
    assert.deepEqual(
      [keys.takeForWrite(), keys.takeForWrite(), keys.takeForLock(), keys.takeForLock()],
      [1, 2, lockKeysFrom, lockKeysFrom + 1],
    );
  });

  it("are acknowledged up to the first that is not answered, in whatever order answers come", () => {
    const keys = new RequestKeys();
    for (let i = 0; i < 5; i++) keys.takeForWrite();
    const below = [3, 1, 5, 2, 4].map((key) => {
      keys.answered(key);
      keys.check();
      return keys.below;
    });
    assert.deepEqual(below, [1, 2, 2, 4, 6]);
  });

  it("of locks do not move what is acknowledged", () => {
    const keys = new RequestKeys();
    keys.answered(keys.takeForLock());
    assert.equal(keys.below, 1);
  });

  it("of a session that another program had begin after all that it may have used", () => {
    const keys = new RequestKeys(1000);
    assert.deepEqual([keys.takeForWrite(), keys.takeForLock(), keys.below], [1001, lockKeysFrom + 1000, 1001]);
  });

  it("stay whole numbers that JavaScript can hold", () => {
    assert.ok(Number.isSafeInteger(lockKeysFrom * 2));
  });
});

describe("the wait before the next attempt", () => {
  it("doubles from 5 to 500 ms, and is spread over its upper half", () => {
    assert.deepEqual(
      [0, 1, 2, 7, 50].map((attempts) => backoffMs(attempts, 1, false)),
      [5, 10, 20, 500, 500],
    );
    assert.deepEqual(
      [0, 50].map((attempts) => backoffMs(attempts, 0, false)),
      [2.5, 250],
    );
  });

  it("is longer after a start that failed, up to ten seconds", () => {
    assert.deepEqual(
      [0, 1, 50].map((attempts) => backoffMs(attempts, 1, true)),
      [500, 1000, 10_000],
    );
  });
});
