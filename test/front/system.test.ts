/** What the core asks of the system comes back as commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../src/core/index.js";
import { System } from "../../src/front/system.js";
import { connectionId, type Instant, instant, sessionId, token } from "../../src/terms/index.js";

const session = sessionId("a".repeat(32));
const process = { pid: 7, startTime: "1" };
const identity = { program: "", version: "", process, bound: false };

function rig() {
  const answers: Command[] = [];
  let timer: (() => void) | undefined;
  const heard = new Map<number, Instant>([[1, instant(40)]]);
  const system = new System({
    options: {
      processes: {
        pidNamespace: undefined,
        startTimeOf: () => undefined,
        fateOf: () => "dead",
        residentBytesOf: () => undefined,
      },
      carriers: undefined,
      log: () => undefined,
    },
    postman: { heardAt: (connection) => heard.get(connection) },
    now: () => instant(50),
    after: (_, go) => {
      timer = go;
      return () => {
        timer = undefined;
      };
    },
    answer: (command) => answers.push(command),
  });
  return { system, answers, ring: () => timer?.() };
}

test("a look at a process is answered with its fate, and not before the turn that asked is obeyed", () => {
  const { system, answers } = rig();
  system.ask({ to: "system", kind: "probe-process", session, process });
  assert.deepEqual(answers, []);
  assert.ok(!system.work());
  assert.deepEqual(answers, [{ kind: "process-fate", session, process, fate: "dead" }]);
});

test("a look at a connection is answered with when it was heard, unless it is gone", () => {
  const { system, answers } = rig();
  const look = { to: "system", kind: "look-connection", session } as const;
  system.ask({ ...look, connection: connectionId(1) });
  system.ask({ ...look, connection: connectionId(2) });
  system.work();
  assert.deepEqual(answers, [{ kind: "connection-seen", session, connection: 1, heardAt: 40 }]);
  system.work();
  assert.equal(answers.length, 1);
});

test("the end of processes is answered when none is left", () => {
  const { system, answers, ring } = rig();
  system.ask({ to: "system", kind: "end-processes", token: token(7), session, identity, names: [] });
  system.work();
  assert.deepEqual(answers, []);
  ring();
  assert.deepEqual(answers, [{ kind: "processes-gone", token: 7 }]);
});
