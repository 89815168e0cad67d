/**
 * Several real client processes doing the same thing at the same time: all say that they are ready, all begin at one
 * word. They are kept for the next order, so that nobody's figures contain the start of a process.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Histogram } from "./histogram.js";
import type { FromMember, MemberOutcome, Order, ToMember } from "./order.js";

export interface CrewOutcome {
  readonly operations: number;
  readonly errors: number;
  /** Operations per second of all together. */
  readonly rate: number;
  /** Of locks that all want: how often per second one came to another than the one who had it last. */
  readonly changesRate: number;
  readonly latencies: Histogram;
  /** The least operations of a process, as a share of the most (1: all alike). */
  readonly worstShare: number;
  /** CPU time of the client processes per operation, µs. */
  readonly clientCpuUs: number;
}

export interface Around {
  /** When all are ready and warm. */
  before(): void;
  after(): void;
}

const member = fileURLToPath(new URL("./member.main.js", import.meta.url));

export class Crew {
  readonly #members: ChildProcess[] = [];

  /** What `around` does is not measured. */
  async run(processes: number, order: Omit<Order, "member">, around?: Around): Promise<CrewOutcome> {
    while (this.#members.length < processes)
      this.#members.push(fork(member, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    const members = this.#members.slice(0, processes);
    await all(members, (_, i) => ({ ...order, member: i }));
    await all(members, () => "warm up");
    around?.before();
    const outcomes = await all(members, () => "go", around);
    return summary(outcomes.flatMap((message) => (message.kind === "done" ? [message.outcome] : [])));
  }

  async close(): Promise<void> {
    for (const child of this.#members) child.disconnect();
    await Promise.all(this.#members.map((child) => (child.exitCode === null ? once(child, "exit") : undefined)));
    this.#members.length = 0;
  }
}

/** Says it to all, and waits for the answer of each. `after` is called when the first has answered. */
async function all(
  members: readonly ChildProcess[],
  word: (child: ChildProcess, i: number) => ToMember,
  around?: Around,
): Promise<FromMember[]> {
  const answers = members.map((child) => next(child));
  for (const [i, child] of members.entries()) child.send(word(child, i));
  if (around !== undefined) void Promise.race(answers).then(() => around.after());
  return Promise.all(answers);
}

async function next(child: ChildProcess): Promise<FromMember> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(([code]) => {
    throw new Error(`a member of the crew ended with ${String(code)} before it was done`);
  });
  ended.catch(() => {}); // Given up when the answer is there.
  try {
    const [message] = await Promise.race([once(child, "message", { signal: over.signal }), ended]);
    return message as FromMember;
  } finally {
    over.abort();
  }
}

function summary(outcomes: readonly MemberOutcome[]): CrewOutcome {
  const latencies = new Histogram();
  for (const outcome of outcomes) latencies.merge(outcome.latencies);
  const sum = (field: "operations" | "errors" | "changes" | "cpuMs") =>
    outcomes.reduce((total, outcome) => total + outcome[field], 0);
  const operations = sum("operations");
  const seconds = Math.max(...outcomes.map((outcome) => outcome.elapsedMs)) / 1000;
  const counts = outcomes.map((outcome) => outcome.operations);
  return {
    operations,
    errors: sum("errors"),
    rate: operations / seconds,
    changesRate: sum("changes") / seconds,
    latencies,
    worstShare: Math.min(...counts) / Math.max(1, ...counts),
    clientCpuUs: (sum("cpuMs") * 1000) / Math.max(1, operations),
  };
}
