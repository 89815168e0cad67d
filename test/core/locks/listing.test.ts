/** Lists of very many locks: in parts, each name once, and never more at once than a client and the loop can bear. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, Core, type Letter } from "../../../src/core/index.js";
import { connectionId, instant, limitsWith, requestKey, seq, sessionId } from "../../../src/terms/index.js";
import { acquire, hello, name, writerReady } from "../support/values.js";

const [connection, now] = [connectionId(1), instant(0)];
type ListWords = Partial<Omit<Extract<Command, { kind: "list" }>, "kind" | "connection" | "request">>;

/** A core in which one session holds all these. */
class Crowd {
  readonly core = new Core(limitsWith({ locksPerSessionMax: 50_000 }), seq(0));

  constructor(names: readonly string[], reason = "") {
    this.#ask(writerReady({ tokensTo: 1_000_000 }));
    this.#ask({ kind: "connected", connection });
    const identity = { program: "p", version: "", process: undefined, bound: false };
    this.#ask(hello({ connection, session: sessionId("a".repeat(32)), identity }));
    for (const [at, one] of names.entries()) {
      const claims = [{ name: name(one), mode: "exclusive" }] as const;
      this.#ask(acquire({ connection, key: requestKey(at + 1), claims, reason }));
    }
    assert.equal(this.core.counts.held, names.length);
  }

  #ask(command: Command): readonly Letter[] {
    this.core.handle(command, now);
    return this.core.takeTurn().send;
  }

  list(words: ListWords = {}) {
    const all = { name: undefined, prefix: "", session: undefined, contended: false, waitersMax: 100 };
    const [letter] = this.#ask({ kind: "list", connection, request: 7, ...all, ...words });
    assert.ok(letter?.kind === "listing");
    return letter;
  }

  /** All parts, as a client asks for them. */
  parts(words: ListWords = {}) {
    const parts: string[][] = [];
    for (let { after } = words; ; ) {
      const { locks, more } = this.list({ ...words, after });
      parts.push(locks.map((lock) => lock.name));
      after = locks.at(-1)?.name;
      if (!more) return parts;
    }
  }

  watch(): Letter | undefined {
    return this.#ask({
      kind: "watch",
      connection,
      request: 8,
      watch: 1,
      name: undefined,
      prefix: "",
      after: undefined,
    })[0];
  }
}

/** In no order. */
function named(count: number, head = "lock/"): string[] {
  return Array.from({ length: count }, (_, n) => `${head}${String((n * 7919) % count).padStart(6, "0")}`);
}

test("a list of very many locks comes in parts, by name, and each lock is in one of them", () => {
  const names = named(12_000);
  const parts = new Crowd(names).parts();
  assert.deepEqual(
    parts.map(({ length }) => length),
    [5000, 5000, 2000],
  );
  assert.deepEqual(parts.flat(), [...names].sort());
});

test("a list that just fits is in one part, and what is behind the last name is nothing", () => {
  const crowd = new Crowd(named(5000));
  assert.deepEqual([crowd.list().locks.length, crowd.list().more], [5000, false]);
  assert.deepEqual(crowd.parts({ after: name("lock/999999") }), [[]]);
  assert.deepEqual(crowd.parts({ after: name("lock/004997") }), [["lock/004998", "lock/004999"]]);
});

test("of a part the filters count, and not what they leave out", () => {
  const crowd = new Crowd([...named(5500, "a/"), ...named(300, "b/")]);
  assert.deepEqual(crowd.parts({ prefix: "b/" }).length, 1);
  assert.deepEqual(crowd.parts({ contended: true }), [[]]);
});

test("long texts make a part shorter", () => {
  const crowd = new Crowd(named(2000), "x".repeat(4000));
  const parts = crowd.parts();
  assert.ok(parts.length > 1, `${parts.length} parts`);
  assert.equal(parts.flat().length, 2000);
  const { length } = JSON.stringify(crowd.list());
  assert.ok(length > 1024 * 1024 && length < 16 * 1024 * 1024, `${length} characters`);
});

test("a watch of so much that it cannot be shown at once is refused, and there is no watch", () => {
  const crowd = new Crowd(named(8000), "x".repeat(4000));
  const letter = crowd.watch();
  assert.ok(letter?.kind === "refused");
  assert.equal(letter.refusal.refused, "RESULT_TOO_LARGE");
  crowd.core.check();
  assert.equal(new Crowd(named(100), "x".repeat(4000)).watch()?.kind, "watching");
});
