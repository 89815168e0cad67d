/**
 * What runs under a guarded lock that is lost is ended, whoever it is by now (rule 24). The processes are made up here, and
 * so is time; that real ones are told apart and hit is shown with real ones.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessIdentity } from "../../src/core/index.js";
import { type EndProcesses, GuardedCommands } from "../../src/front/guarded-commands.js";
import type { LockCarrier } from "../../src/front/lock-carriers.js";
import { instant, type LockName, lockName, sessionId, token } from "../../src/terms/index.js";

const holder = sessionId("a".repeat(32));
const stranger = sessionId("b".repeat(32));

interface Pretended {
  readonly locks: LockCarrier["locks"];
  startTime: string;
  /** What ends it; the first is what it ends of. */
  readonly endsBy: readonly string[];
  readonly ours: boolean;
  alive: boolean;
}

/** A world of processes, with a clock that goes only when somebody waits. */
function world(given: { readonly lookable?: boolean } = {}) {
  const processes = new Map<number, Pretended>();
  const said: string[] = [];
  let now = 0;
  let waiting: { at: number; go: () => void } | undefined;
  const system = { outOfFiles: false };
  const carriers = {
    *look() {
      for (const [pid, { locks, startTime, alive }] of [...processes]) {
        if (system.outOfFiles) throw new Error("EMFILE: too many open files");
        yield alive ? { pid, startTime, locks } : undefined;
      }
    },
    signal: ({ pid, startTime }: ProcessIdentity, signal: "SIGTERM" | "SIGKILL") => {
      const one = processes.get(pid);
      if (one === undefined || !one.alive || one.startTime !== startTime) return "gone" as const;
      if (!one.ours) return "not-ours" as const;
      said.push(`${now} ${signal} ${pid}`);
      if (one.endsBy.includes(signal)) one.alive = false;
      return "sent" as const;
    },
  };
  const guarded = new GuardedCommands({
    carriers: given.lookable === false ? undefined : carriers,
    processes: {
      fateOf: ({ pid, startTime }) => {
        const one = processes.get(pid);
        return one?.alive === true && one.startTime === startTime ? "alive" : "dead";
      },
    },
    now: () => instant(now),
    after: (ms, go) => {
      const timer = { at: now + ms, go };
      waiting = timer;
      return () => {
        if (waiting === timer) waiting = undefined;
      };
    },
    log: () => undefined,
    gone: (gone) => said.push(`gone ${gone}`),
  });
  const run = (pid: number, by: Partial<Pretended> & { readonly token?: number; readonly session?: string } = {}) => {
    const locks = [{ token: token(by.token ?? 7), session: sessionId(by.session ?? holder) }];
    processes.set(pid, { locks, startTime: "1", endsBy: ["SIGTERM", "SIGKILL"], ours: true, alive: true, ...by });
  };
  /** Lets so much time pass. */
  const pass = (ms: number) => {
    const until = now + ms;
    for (let timer = waiting; timer !== undefined && timer.at <= until; timer = waiting) {
      waiting = undefined;
      now = Math.max(now, timer.at);
      timer.go();
    }
    now = until;
  };
  return { guarded, run, pass, said, processes, system, isWaiting: () => waiting !== undefined };
}

/** The holder is a process that is gone, unless something else is said. */
function job(number: number, process: ProcessIdentity | undefined = { pid: 1, startTime: "1" }): EndProcesses {
  const identity = { program: "holdfast", version: "1", process, bound: false };
  const names = [lockName("a", 512) as LockName];
  return { to: "system", kind: "end-processes", token: token(number), session: holder, identity, names };
}

/** A program that lives and carries nothing itself. */
const living = { pid: 2, startTime: "1" };

function withHolder() {
  const it = world();
  it.run(living.pid, { token: 9 });
  return it;
}

test("processes that carry the token are told to end, and when none is left that is told", () => {
  const { guarded, run, pass, said } = world();
  run(11);
  run(12);
  guarded.end(job(7));
  pass(0);
  assert.deepEqual(said, ["0 SIGTERM 11", "0 SIGTERM 12"]);
  pass(1000);
  assert.deepEqual(said.slice(2), ["gone 7"]);
});

test("who carries another token, or the same token of another broker's session, is left alone", () => {
  const { guarded, run, pass, said } = world();
  run(11, { token: 8 });
  run(12, { session: stranger });
  guarded.end(job(7));
  pass(1000);
  assert.deepEqual(said, ["gone 7"]);
});

test("when it cannot be looked, nobody is taken for gone, and it is looked again", () => {
  const { guarded, run, pass, said, system } = world();
  run(11);
  system.outOfFiles = true;
  guarded.end(job(7));
  pass(5000);
  assert.deepEqual(said, []);
  system.outOfFiles = false;
  pass(2000);
  assert.match(said[0] ?? "", /SIGTERM 11$/);
  assert.deepEqual(said.slice(1), ["gone 7"]);
});

test("who does not end is killed after five seconds, and until then nobody gets the lock", () => {
  const { guarded, run, pass, said } = world();
  run(11, { endsBy: ["SIGKILL"] });
  guarded.end(job(7));
  pass(4900);
  assert.deepEqual(said, ["0 SIGTERM 11"]);
  pass(200);
  assert.match(said[1] ?? "", /^50\d\d SIGKILL 11$/);
  pass(200);
  assert.deepEqual(said.slice(2), ["gone 7"]);
});

test("in a time in which the broker stood still nobody could have ended", () => {
  const { guarded, run, pass, said } = world();
  run(11, { endsBy: ["SIGKILL"] });
  guarded.end(job(7));
  pass(1000);
  guarded.paused(60_000);
  pass(60_000);
  assert.deepEqual(said, ["0 SIGTERM 11"]);
  pass(5000);
  assert.equal(said.length, 3);
});

test("a process that is started meanwhile is found and told too", () => {
  const { guarded, run, pass, said, processes } = world();
  run(11, { endsBy: ["SIGKILL"] });
  guarded.end(job(7));
  pass(500);
  run(12);
  pass(1500);
  assert.deepEqual(
    said.slice(1).map((line) => line.replace(/^\d+ /, "")),
    ["SIGTERM 12"],
  );
  // And one that its end has left behind.
  processes.set(11, { ...(processes.get(11) as Pretended), alive: false });
  run(13);
  pass(1000);
  assert.deepEqual(
    said.slice(2).map((line) => line.replace(/^\d+ /, "")),
    ["SIGTERM 13", "gone 7"],
  );
});

test("one look that finds nobody is not enough", () => {
  const { guarded, run, pass, said } = world();
  guarded.end(job(7));
  pass(0);
  assert.equal(said.length, 0);
  // It was just being replaced by its program, or was begun behind the look.
  run(11);
  pass(15_000);
  assert.deepEqual(
    said.map((line) => line.replace(/^\d+ /, "")),
    ["SIGTERM 11", "gone 7"],
  );
});

// It was stopped between the answer of its acquire and the news of the loss.
test("a command that its holder starts after the lock has ended is found and ended before another has the lock", () => {
  const { guarded, run, pass, said } = withHolder();
  guarded.end(job(7, living));
  pass(1900);
  assert.equal(said.length, 0);
  run(11);
  pass(1000);
  assert.deepEqual(
    said.map((line) => line.replace(/^\d+ /, "")),
    ["SIGTERM 11", "gone 7"],
  );
});

test("a holder that lives and of which no command is seen is waited for as long as it may start one, and no longer", () => {
  for (const process of [living, undefined]) {
    const { guarded, pass, said } = withHolder();
    guarded.end({ ...job(7), identity: { ...job(7).identity, process } });
    pass(1999);
    assert.equal(said.length, 0);
    pass(300);
    assert.deepEqual(said, ["gone 7"]);
  }
});

test("a holder that ends while it is waited for starts nothing more", () => {
  const { guarded, pass, said, processes } = withHolder();
  guarded.end(job(7, living));
  pass(300);
  processes.delete(living.pid);
  pass(300);
  assert.deepEqual(said, ["gone 7"]);
});

test("a holder whose command was seen and has ended is not waited for", () => {
  const { guarded, run, pass, said } = withHolder();
  run(11);
  guarded.end(job(7, living));
  pass(200);
  assert.deepEqual(said, ["0 SIGTERM 11", "gone 7"]);
});

test("a pid that is used again is not hit, and not waited for", () => {
  const { guarded, run, pass, said, processes } = world();
  run(11, { endsBy: ["SIGKILL"] });
  guarded.end(job(7));
  pass(100);
  processes.delete(11);
  run(11, { startTime: "2", token: 9, endsBy: [] });
  pass(10_000);
  assert.deepEqual(said, ["0 SIGTERM 11", "gone 7"]);
});

test("a process that may not be signalled is waited for, however long it takes", () => {
  const { guarded, run, pass, said, processes } = world();
  run(11, { ours: false });
  guarded.end(job(7));
  pass(3_600_000);
  assert.equal(said.length, 0);
  processes.delete(11);
  pass(2000);
  assert.deepEqual(said, ["gone 7"]);
});

test("two locks that are lost are looked after together, and each is told for itself", () => {
  const { guarded, run, pass, said } = world();
  run(11, { token: 7, endsBy: ["SIGKILL"] });
  run(12, { token: 8 });
  guarded.end(job(7));
  guarded.end(job(8));
  guarded.end(job(7));
  pass(1000);
  assert.deepEqual(said.slice(2), ["gone 8"]);
  pass(5000);
  assert.equal(said.filter((line) => line === "gone 7").length, 1);
});

test("where nobody can be looked at, nobody is waited for", () => {
  const { guarded, pass, said } = world({ lookable: false });
  guarded.end(job(7));
  pass(0);
  assert.deepEqual(said, ["gone 7"]);
});

test("a broker that stops leaves the rest to the next one", () => {
  const { guarded, run, pass, said, isWaiting } = world();
  run(11, { endsBy: ["SIGKILL"] });
  guarded.end(job(7));
  pass(100);
  guarded.stop();
  assert.ok(!isWaiting());
  pass(10_000);
  assert.deepEqual(said, ["0 SIGTERM 11"]);
});
