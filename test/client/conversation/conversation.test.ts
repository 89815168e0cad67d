/**
 * Stories of one conversation: what the program asks, what the broker says, and what follows. The clock stands still
 * but for `passes`. Left of `=`, `→`, `refused` is the name that the story gave to a request.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

describe("a conversation begins", () => {
  it("and says hello with a secret that may be new or known", () => {
    const rig = new Rig();
    assert.deepEqual(rig.handle({ kind: "open" }), ["connect"]);
    assert.deepEqual(rig.connect(), ["→ session.hello"]);
    const { secret, mode, grants, pending, protocol } = rig.params("session.hello");
    assert.deepEqual(
      { secret, mode, grants, pending, protocol },
      { secret: "first", mode: "either", grants: [], pending: [], protocol: { min: 1, max: 1 } },
    );
    assert.deepEqual(rig.welcome(), ["opened"]);
  });

  it("and calls that came before the welcome follow it in their order", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    assert.deepEqual(rig.ask("r", "read"), []);
    assert.deepEqual(rig.ask("w", "write"), []);
    rig.connect();
    assert.deepEqual(rig.welcome(), ["opened", "→ r", "→ w key 1"]);
  });

  it("and ends at once when no broker runs and none may be started", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    const refusal = { refused: "NO_BROKER", message: "" } as const;
    assert.deepEqual(rig.handle({ kind: "connect-failed", why: "nobody", refusal, luck: 0 }), [
      "disconnect",
      "ended NO_BROKER",
    ]);
  });

  it("and tries again while the broker is busy, until its time is over", () => {
    const rig = new Rig({ openMs: 100 });
    rig.handle({ kind: "open" });
    const refusal = { refused: "CONNECTIONS_FULL", message: "" } as const;
    assert.deepEqual(rig.handle({ kind: "connect-failed", why: "busy", refusal, luck: 0.5 }), []);
    assert.deepEqual(rig.passes(99), ["connect"]);
    assert.deepEqual(rig.passes(1), ["disconnect", "ended CONNECTIONS_FULL"]);
  });

  it("and a socket that closes before the welcome is tried again without a word", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    rig.connect();
    assert.deepEqual(rig.breaks(), []);
    assert.deepEqual(rig.passes(5), ["connect"]);
    rig.connect();
    assert.deepEqual(rig.welcome(), ["opened"]);
  });

  it("and a session that was never heard of, and may have ended since, is not asked for again", () => {
    const secrets = (bound: boolean) => {
      const rig = new Rig({ bound, openMs: 10_000 });
      rig.handle({ kind: "open" });
      return [5, 5, 2000, 5].map((ms) => {
        rig.connect();
        const { secret } = rig.params("session.hello");
        rig.breaks();
        rig.passes(ms);
        return secret;
      });
    };
    assert.deepEqual(secrets(false), ["first", "first", "first", "fresh-4"]);
    assert.deepEqual(secrets(true), ["first", "first", "first", "first"]);
  });

  it("and ends when no version is in common", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    rig.connect();
    assert.deepEqual(rig.refuse("session.hello", "PROTOCOL_VERSION"), ["disconnect", "ended PROTOCOL_VERSION"]);
  });

  it("and ends rather than guess when the welcome is not understood", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    rig.connect();
    assert.deepEqual(rig.answer("session.hello", { session: 7 }), ["disconnect", "ended INTERNAL"]);
  });
});

describe("request keys", () => {
  it("rise with each write, and acknowledge what is answered without a gap", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("a", "write");
    rig.ask("b", "write");
    rig.ask("c", "write");
    rig.answer("b", 2);
    rig.ask("d", "write");
    assert.equal(rig.params("db.execute")["ack"], 1);
    rig.answer("a", 1);
    rig.ask("e", "write");
    assert.equal(rig.params("db.execute")["ack"], 3);
  });

  it("of locks are a run of their own, so that a long wait holds up no acknowledgement", () => {
    const rig = new Rig();
    rig.begin();
    assert.deepEqual(rig.acquire("lock"), ["→ lock key L0"]);
    rig.ask("a", "write");
    rig.answer("a", 1);
    assert.deepEqual(rig.ask("b", "write"), ["→ b key 2"]);
    assert.equal(rig.params("db.execute")["ack"], 2);
  });

  it("are acknowledged after a second of silence when no write takes the word along", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("a", "write");
    rig.answer("a", 1);
    assert.deepEqual(rig.passes(999), []);
    assert.deepEqual(rig.passes(1), ["→ session.ack"]);
    assert.deepEqual(rig.params("session.ack"), { below: 2 });
    assert.deepEqual(rig.passes(10_000), []);
  });

  it("are acknowledged all the same when a read came in between", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.answer("w", 1);
    rig.ask("r", "read");
    rig.answer("r", 1);
    assert.deepEqual(rig.passes(1000), ["→ session.ack"]);
  });
});

describe("a connection breaks", () => {
  it("and what is unanswered is sent again in its first order, under the same keys, before anything new", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("r1", "read");
    rig.ask("w1", "write");
    rig.ask("w2", "write");
    rig.answer("w1", "done");
    rig.breaks();
    rig.ask("w3", "write");
    assert.deepEqual(rig.passes(5), ["connect"]);
    rig.connect();
    assert.equal(rig.params("session.hello")["mode"], "resume");
    assert.equal(rig.params("session.hello")["ack"], 2);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ r1", "→ w2 key 2", "→ w3 key 3"]);
  });

  it("and a request that must not be sent twice has an unknown outcome", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("stop", "once");
    assert.deepEqual(rig.breaks(), ["stop refused OUTCOME_UNKNOWN"]);
    assert.deepEqual(rig.returns(), ["connect", "→ session.hello"]);
  });

  it("and such a request that was not sent yet is sent to the next broker", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    rig.ask("stop", "once");
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ stop"]);
  });

  it("and after the patience calls end: what was sent with unknown outcome, what was not with none", () => {
    const rig = new Rig({ patienceMs: 1000 });
    rig.begin();
    rig.ask("sent", "write");
    rig.ask("read", "read");
    rig.breaks();
    rig.ask("kept", "write");
    rig.passes(5);
    assert.deepEqual(rig.passes(994), []);
    assert.deepEqual(rig.passes(1), [
      "sent refused CONNECTION_LOST, outcome unknown",
      "read refused CONNECTION_LOST",
      "kept refused CONNECTION_LOST",
      "disconnect",
    ]);
  });

  it("and when all hope is lost nothing is tried until the next call, which has patience of its own", () => {
    const rig = new Rig({ patienceMs: 1000 });
    rig.begin();
    rig.breaks();
    rig.passes(1000);
    assert.equal(rig.conversation.at, "resting");
    assert.deepEqual(rig.passes(60_000), []);
    assert.deepEqual(rig.ask("r", "read"), ["connect"]);
    assert.deepEqual(rig.passes(999), []);
    assert.deepEqual(rig.passes(1), ["r refused CONNECTION_LOST", "disconnect"]);
  });

  it("and with a hello that is never answered patience ends too: dropped first, since it has named what was pending", () => {
    const rig = new Rig({ patienceMs: 1000 });
    rig.begin();
    rig.acquire("a");
    rig.ask("w", "write");
    rig.returns();
    assert.deepEqual(rig.passes(994), []);
    assert.deepEqual(rig.passes(1), [
      "disconnect",
      "a refused CONNECTION_LOST",
      "w refused CONNECTION_LOST, outcome unknown",
    ]);
    rig.ask("later", "read");
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["pending"], []);
  });

  it("and after a rest the attempts follow each other as quickly as after a loss", () => {
    const rig = new Rig({ patienceMs: 1000 });
    const refusal = { refused: "NO_BROKER", message: "" } as const;
    const fails = () => rig.handle({ kind: "connect-failed", why: "busy", refusal, luck: 0 });
    rig.begin();
    rig.breaks();
    for (let passed = 0; passed < 1000; passed += 50) {
      rig.passes(50);
      fails();
    }
    assert.equal(rig.conversation.at, "resting");
    rig.ask("r", "read");
    fails();
    assert.deepEqual(rig.passes(5), ["connect"]);
  });

  it("ten times over the same write, and it is taken for the cause", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("poison", "write");
    for (let time = 1; time < 10; time++) {
      rig.returns();
      assert.deepEqual(rig.welcome({ resumed: true })[1], "→ poison key 1");
    }
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), [
      "open again, resumed",
      "poison refused CONNECTION_LOST, outcome unknown",
    ]);
  });

  it("ten times over a write under a key of the program's own, and it is taken for the cause as well", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("poison", "named");
    for (let time = 1; time < 10; time++) {
      rig.returns();
      assert.deepEqual(rig.welcome({ resumed: true })[1], "→ poison");
    }
    rig.returns();
    assert.equal(rig.welcome({ resumed: true })[1], "poison refused CONNECTION_LOST, outcome unknown");
  });

  it("and a write that the next broker finds too large may be applied, and a read has seen nothing", () => {
    const rig = new Rig();
    rig.begin();
    for (const kind of ["write", "named", "read"] as const) rig.ask(kind, kind);
    assert.deepEqual(rig.ask("new", "write"), ["→ new key 2"]);
    assert.deepEqual(rig.tooLarge("new"), ["new refused FRAME_TOO_LARGE"]);
    rig.returns();
    assert.equal(rig.welcome({ resumed: true })[0], "open again, resumed");
    assert.deepEqual(rig.tooLarge("write"), ["write refused FRAME_TOO_LARGE, outcome unknown"]);
    assert.deepEqual(rig.tooLarge("named"), ["named refused FRAME_TOO_LARGE, outcome unknown"]);
    assert.deepEqual(rig.tooLarge("read"), ["read refused FRAME_TOO_LARGE"]);
  });

  it("and a write that is too large for the next broker is not applied where the one before has turned it away", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.refuse("w", "SHUTTING_DOWN");
    rig.returns();
    rig.welcome({ resumed: true });
    assert.deepEqual(rig.tooLarge("w"), ["w refused FRAME_TOO_LARGE"]);
  });

  it("with an answer on the way, and the late answer of a call that is over is ignored", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("r", "read");
    rig.cancel("r");
    assert.deepEqual(rig.answer("r", 1), []);
  });
});

/** Holds "a" under token 7, and has asked for a write and behind it for the release. */
function writesAndReleases(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.acquire("a");
  rig.granted("a", 7);
  rig.ask("w", "write");
  rig.release("r", "a");
  return rig;
}

describe("a broker ends", () => {
  it("and calls wait for the next one, to be sent under the key they have", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w1", "write");
    assert.deepEqual(rig.notify("session.closing", { reason: "stop", retryAfterMs: 50 }), []);
    assert.deepEqual(rig.ask("w2", "write"), []);
    assert.deepEqual(rig.refuse("w1", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.breaks(), []);
    assert.deepEqual(rig.passes(49), []);
    assert.deepEqual(rig.passes(1), ["connect"]);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w1 key 1", "→ w2 key 2"]);
  });

  // promise 3: a read sees every write sent before it
  it("and what was read behind a write that waits for the next one is read anew, and sees it", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("before", "read");
    rig.ask("w", "write");
    rig.ask("r", "read");
    rig.ask("wrong", "read");
    assert.deepEqual(rig.refuse("w", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.answer("r", "without w"), []);
    assert.deepEqual(rig.refuse("wrong", "SQLITE_ERROR"), []);
    assert.deepEqual(rig.answer("before", 1), ["before = 1"]);
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w key 1", "→ r", "→ wrong"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1"]);
    assert.deepEqual(rig.answer("r", "with w"), ['r = "with w"']);
  });

  it("and what was read behind a write that has no key is read anew as well", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "once");
    rig.ask("r", "read");
    assert.deepEqual(rig.refuse("w", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.answer("r", "without w"), []);
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w", "→ r"]);
  });

  // rule 5: a release takes effect after the writes sent before it
  it("and a release that it turns away behind a write comes to the next one behind it, and the lock is held until then", () => {
    const rig = writesAndReleases();
    assert.deepEqual(rig.refuse("w", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.refuse("r", "SHUTTING_DOWN"), []);
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    const grants = [{ name: "a", token: 7, key: 2 ** 48 }];
    const sent = rig.welcome({ resumed: true, grants });
    assert.deepEqual(sent, ["open again, resumed", "→ w key 1", "→ r key L1"]);
    assert.deepEqual([rig.answer("w", 1), rig.answer("r", {})].flat(), ["w = 1", "r = {}"]);
  });

  it("and what a program that closes has released is given back with its goodbye", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.acquire("b");
    rig.release("r", "a");
    rig.handle({ kind: "close" });
    assert.deepEqual(rig.refuse("r", "SHUTTING_DOWN"), ["r = {}", "→ session.goodbye"]);
  });

  it("and what a program that closes has released behind a write that waits for the next one goes there behind it", () => {
    const rig = writesAndReleases();
    rig.handle({ kind: "close" });
    assert.deepEqual([rig.refuse("w", "SHUTTING_DOWN"), rig.refuse("r", "SHUTTING_DOWN")], [[], []]);
    assert.deepEqual(rig.returns(), ["connect", "→ session.hello"]);
    const grants = [{ name: "a", token: 7, key: 2 ** 48 }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), ["open again, resumed", "→ w key 1", "→ r key L1"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1"]);
    assert.deepEqual(rig.answer("r", {}), ["r = {}", "→ session.ack", "→ session.goodbye"]);
  });

  it("and what the program does not want any more is not asked of the next one", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.ask("w", "write");
    assert.deepEqual(rig.cancel("a"), ["→ lock.cancel key L1"]);
    assert.deepEqual(rig.cancel("w"), ["→ session.cancel"]);
    assert.deepEqual(rig.refuse("a", "SHUTTING_DOWN"), ["a refused CANCELLED"]);
    assert.deepEqual(rig.refuse("w", "SHUTTING_DOWN"), ["w refused CANCELLED"]);
    rig.refuse("lock.cancel", "SHUTTING_DOWN");
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed"]);
  });

  // rule 6: the first sending may have been applied
  it("and a write that it had got before is settled, should the session be over by then", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w key 1"]);
    assert.deepEqual(rig.refuse("w", "SHUTTING_DOWN", { outcome: "unknown" }), []);
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["session lost", "→ session.hello"]);
    assert.deepEqual(rig.welcome(), ["→ session.settle"]);
    const outcomes = [{ key: 1, outcome: "applied", result: 1 }];
    assert.deepEqual(rig.answer("session.settle", { outcomes }), ["w = 1", "open again"]);
  });

  it("and is not started again merely because somebody was connected", () => {
    const rig = new Rig();
    rig.begin();
    rig.notify("session.closing", { reason: "stop", retryAfterMs: 0 });
    rig.breaks();
    assert.equal(rig.conversation.at, "resting");
    assert.deepEqual(rig.passes(60_000), []);
    assert.deepEqual(rig.ask("r", "read"), ["connect"]);
  });

  it("and who holds a lock looks for the next one, but starts none", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.notify("session.closing", { reason: "stop", retryAfterMs: 0 });
    rig.breaks();
    assert.deepEqual(rig.passes(5), ["connect, start nothing"]);
  });

  it("by a crash, and it is started again also when nothing waits", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    assert.deepEqual(rig.passes(5), ["connect"]);
  });
});

describe("a session is over", () => {
  /** One write answered, one not, a read, a lock held, one waited for; then the broker does not know the session. */
  function story(): Rig {
    const rig = new Rig();
    rig.begin();
    rig.ask("done", "write");
    rig.answer("done", 1);
    rig.acquire("held");
    rig.granted("held", 7);
    rig.ask("w1", "write");
    rig.ask("r", "read");
    rig.acquire("waits", 1000);
    rig.ask("w2", "write");
    rig.returns();
    return rig;
  }

  it("and its locks are lost, a new one begins, and what was not answered is settled before anything is sent", () => {
    const rig = story();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), [
      "lost held 7",
      "session lost",
      "→ session.hello",
    ]);
    assert.deepEqual(
      [rig.params("session.hello")["secret"], rig.params("session.hello")["mode"]],
      ["fresh-2", "either"],
    );
    assert.deepEqual(rig.params("session.hello")["pending"], []);
    assert.deepEqual(rig.welcome(), ["→ session.settle"]);
    assert.deepEqual(rig.params("session.settle"), { secret: "first", keys: [2, 3] });
    assert.deepEqual(rig.ask("new", "write"), []);
    const outcomes = [
      { key: 2, outcome: "applied", result: "stored", resultKept: true },
      { key: 3, outcome: "never", resultKept: false },
    ];
    assert.deepEqual(rig.answer("session.settle", { outcomes }), [
      'w1 = "stored"',
      "open again",
      "→ r",
      "→ waits key L0 wait 995",
      "→ w2 key 1",
      "→ new key 2",
    ]);
    assert.equal(rig.params("db.execute")["ack"], 1);
  });

  it("and a write of which nothing is known any more is refused with unknown outcome, by the table's word", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    const lines = rig.answer("session.settle", { outcomes: [{ key: 2, outcome: "unknown", resultKept: false }] });
    assert.deepEqual(lines.slice(0, 2), ["w1 refused RETRY_TOO_OLD", "w2 refused RETRY_TOO_OLD"]);
  });

  it("and a write whose result was too large to keep says so", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    const outcomes = [
      { key: 2, outcome: "applied", resultKept: false },
      { key: 3, outcome: "never", resultKept: false },
    ];
    assert.equal(rig.answer("session.settle", { outcomes })[0], "w1 refused RESULT_NOT_KEPT");
  });

  it("and the settling is asked again on the next connection, of the session that is over, not of the new one", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    rig.returns();
    assert.deepEqual(
      [rig.params("session.hello")["secret"], rig.params("session.hello")["mode"]],
      ["fresh-2", "resume"],
    );
    assert.deepEqual(rig.welcome({ resumed: true }), ["→ session.settle"]);
    assert.deepEqual(rig.params("session.settle"), { secret: "first", keys: [2, 3] });
  });

  it("and a write under a key of the program's own may be applied: it is sent again, and given up with unknown outcome", () => {
    const rig = new Rig({ patienceMs: 1000 });
    rig.begin();
    rig.ask("k", "named");
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["session lost", "→ session.hello"]);
    assert.deepEqual(rig.cancel("k"), [], "what became of it is awaited");
    rig.breaks();
    assert.deepEqual(rig.passes(1000).at(-2), "k refused CONNECTION_LOST, outcome unknown");
  });

  it("twice, and the writes of the first are still settled by its own secret", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["session lost", "→ session.hello"]);
    assert.equal(rig.params("session.hello")["secret"], "fresh-3");
    rig.welcome();
    assert.deepEqual(rig.params("session.settle"), { secret: "first", keys: [2, 3] });
    const outcomes = [2, 3].map((key) => ({ key, outcome: "never", resultKept: false }));
    assert.deepEqual(
      rig.answer("session.settle", { outcomes }).filter((line) => line.includes("key")),
      ["→ w1 key 1", "→ waits key L0 wait 990", "→ w2 key 2"],
    );
  });

  it("and a settling that the writer cannot answer now is asked again a little later", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    assert.deepEqual(rig.refuse("session.settle", "WRITER_UNAVAILABLE"), []);
    assert.deepEqual(rig.passes(199), []);
    assert.deepEqual(rig.passes(1), ["→ session.settle"]);
  });

  it("and a write that is given up meanwhile is not asked about any more", () => {
    const rig = story();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    rig.breaks();
    const given = rig.passes(60_000).filter((line) => line.includes("CONNECTION_LOST"));
    assert.deepEqual(given, [
      "w1 refused CONNECTION_LOST, outcome unknown",
      "r refused CONNECTION_LOST",
      "waits refused CONNECTION_LOST",
      "w2 refused CONNECTION_LOST, outcome unknown",
    ]);
    rig.ask("later", "write");
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ later key 1"]);
  });

  it("and more writes than one question takes are settled in several", () => {
    const rig = new Rig();
    rig.begin();
    for (let i = 0; i < 1500; i++) rig.ask(`w${i}`, "write");
    rig.returns();
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    const keys = rig.params("session.settle")["keys"] as number[];
    assert.equal(keys.length, 1024);
    const outcomes = keys.map((key) => ({ key, outcome: "applied", result: key, resultKept: true }));
    assert.equal(rig.answer("session.settle", { outcomes }).at(-1), "→ session.settle");
    assert.deepEqual((rig.params("session.settle")["keys"] as number[]).length, 476);
  });

  it("and a release that was under way is done: the lock went with the session", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.release("r", "a");
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["r = {}", "session lost", "→ session.hello"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("while connected, and the next connection begins a new one", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.ask("w", "write");
    assert.deepEqual(rig.notify("session.expired", {}), ["lost a 7", "session lost", "disconnect"]);
    assert.deepEqual(rig.passes(5), ["connect"]);
    rig.connect();
    assert.equal(rig.params("session.hello")["secret"], "fresh-1");
    assert.deepEqual(rig.welcome(), ["→ session.settle"]);
  });

  it("because another took it, and that is the end: its writes are not settled, which would end the other's", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.acquire("a");
    rig.granted("a", 7);
    assert.deepEqual(rig.notify("session.taken", {}), [
      "lost a 7",
      "w refused SESSION_TAKEN, outcome unknown",
      "disconnect",
      "ended SESSION_TAKEN",
    ]);
    assert.deepEqual(rig.ask("late", "read"), ["late refused SESSION_TAKEN"]);
  });

  it("that was taken up from another program, and there is no other to take its place", () => {
    const rig = new Rig({ takenUp: { held: [{ name: "shell", token: 3 }], keysUsed: 100 } });
    rig.handle({ kind: "open" });
    rig.connect();
    assert.deepEqual(
      [rig.params("session.hello")["mode"], rig.params("session.hello")["grants"]],
      ["resume", [{ name: "shell", token: 3 }]],
    );
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), [
      "lost shell 3",
      "disconnect",
      "ended SESSION_EXPIRED",
    ]);
  });
});

describe("closing", () => {
  it("says goodbye when nothing is in flight any more, and acknowledges first", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    assert.deepEqual(rig.handle({ kind: "close" }), []);
    assert.deepEqual(rig.ask("late", "read"), ["late refused CLOSED"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1", "→ session.ack", "→ session.goodbye"]);
    assert.deepEqual(rig.answer("session.goodbye", {}), ["disconnect", "parted"]);
  });

  it("ends waits for locks and tells those who hold some", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("held");
    rig.granted("held", 7);
    rig.acquire("waits");
    assert.deepEqual(rig.handle({ kind: "close" }), ["waits refused CLOSED", "lost held 7", "→ session.goodbye"]);
  });

  it("does not wait for a broker that is not there", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    assert.deepEqual(rig.handle({ kind: "close" }), ["disconnect", "ended"]);
  });

  it("waits for a connection, a while, when there are locks to give back", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.breaks();
    assert.deepEqual(rig.handle({ kind: "close" }), ["lost a 7"]);
    assert.deepEqual(rig.passes(5), ["connect, start nothing"]);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ session.goodbye"]);
  });

  it("waits likewise when a lock that it asked for may have been granted, and the answer was lost", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.breaks();
    assert.deepEqual(rig.handle({ kind: "close" }), ["a refused CLOSED"]);
    assert.deepEqual(rig.passes(5), ["connect, start nothing"]);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["pending"], []);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ session.goodbye"]);
  });

  it("does not wait when no broker can have heard of the lock that it asked for", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    rig.acquire("a");
    assert.deepEqual(rig.handle({ kind: "close" }), ["a refused CLOSED", "disconnect", "ended"]);
  });

  it("leaves the lines in which it stands when something else is in flight", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("mine");
    rig.granted("mine", 7);
    rig.ask("w", "write");
    rig.acquire("a");
    rig.upgrade("up", "mine");
    const lines = [
      "a refused CLOSED",
      "→ lock.cancel key L3",
      "up refused CLOSED",
      "→ lock.cancel key L4",
      "lost mine 7",
    ];
    assert.deepEqual(rig.handle({ kind: "close" }), lines);
    assert.equal(rig.params("lock.cancel")["of"], 2 ** 48 + 2);
    assert.deepEqual(rig.answer("lock.cancel", { outcome: "cancelled" }), []);
    assert.deepEqual(rig.refuse("a", "CANCELLED"), []);
    rig.handle({ kind: "answered", id: rig.lastId("lock.cancel") - 1, result: { outcome: "cancelled" } });
    assert.deepEqual(rig.answer("w", 1), ["w = 1", "→ session.ack", "→ session.goodbye"]);
  });

  it("gives back what was granted before that was heard", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.acquire("a");
    assert.deepEqual(rig.handle({ kind: "close" }), ["a refused CLOSED", "→ lock.cancel key L1"]);
    assert.deepEqual(rig.granted("a", 7), ["→ lock.release key L2"]);
    assert.deepEqual(rig.params("lock.release")["token"], 7);
    assert.deepEqual(rig.answer("lock.cancel", { outcome: "granted" }), []);
    assert.deepEqual(rig.answer("lock.release", {}), []);
    assert.deepEqual(rig.answer("w", 1), ["w = 1", "→ session.ack", "→ session.goodbye"]);
  });

  it("and gives that up after five seconds", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.breaks();
    rig.handle({ kind: "close" });
    assert.deepEqual(rig.passes(4999), ["connect, start nothing"]);
    assert.deepEqual(rig.passes(1), ["disconnect", "ended"]);
  });

  it("sees unanswered writes through a reconnect first", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.breaks();
    assert.deepEqual(rig.handle({ kind: "close" }), []);
    assert.deepEqual(rig.passes(5), ["connect"]);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w key 1"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1", "→ session.ack", "→ session.goodbye"]);
  });

  it("waits for the next broker when one that ends has turned away what was in flight", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.ask("r", "read");
    rig.handle({ kind: "close" });
    assert.deepEqual([rig.refuse("w", "SHUTTING_DOWN"), rig.refuse("r", "SHUTTING_DOWN")], [[], []]);
    assert.deepEqual(rig.returns(), ["connect", "→ session.hello"]);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w key 1", "→ r"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1"]);
    assert.deepEqual(rig.answer("r", 1), ["r = 1", "→ session.ack", "→ session.goodbye"]);
  });

  it("waits for that no longer than for any connection", () => {
    const rig = new Rig({ patienceMs: 3000 });
    rig.begin();
    rig.ask("w", "write");
    rig.handle({ kind: "close" });
    rig.refuse("w", "SHUTTING_DOWN");
    rig.breaks();
    const lines = rig.passes(3000).filter((line) => line !== "connect");
    assert.deepEqual(lines, ["w refused CONNECTION_LOST", "disconnect", "ended"]);
  });

  it("keeps the locks for the writes under them until these are answered", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.ask("w", "write");
    assert.deepEqual(rig.handle({ kind: "close" }), ["lost a 7"]);
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    const grants = [{ name: "a", token: 7, key: 2 ** 48 }];
    const sent = rig.welcome({ resumed: true, grants });
    assert.deepEqual(sent, ["open again, resumed", "→ w key 1", "→ lock.release key L1"]);
    assert.deepEqual(rig.answer("w", 1), ["w = 1"]);
    assert.deepEqual(rig.answer("lock.release", {}), ["→ session.ack", "→ session.goodbye"]);
  });

  it("does not wait for ever for the broker's goodbye", () => {
    const rig = new Rig();
    rig.begin();
    rig.handle({ kind: "close" });
    assert.deepEqual(rig.passes(5000), ["disconnect", "ended"]);
  });

  it("knows that the session is over only from the broker", () => {
    for (const [code, end] of [
      ["SESSION_EXPIRED", "parted"],
      ["SHUTTING_DOWN", "ended"],
    ] as const) {
      const rig = new Rig();
      rig.begin();
      assert.deepEqual(rig.handle({ kind: "close" }), ["→ session.goodbye"]);
      assert.deepEqual(rig.refuse("session.goodbye", code), ["disconnect", end]);
    }
  });

  it("is not prevented by a broker that breaks the connection instead of answering", () => {
    const rig = new Rig();
    rig.begin();
    rig.handle({ kind: "close" });
    assert.deepEqual(rig.breaks(), ["disconnect", "ended"]);
  });

  it("differs from letting go: the session lives on and no lock is lost", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    assert.deepEqual(rig.handle({ kind: "detach" }), ["disconnect", "ended"]);
  });
});
