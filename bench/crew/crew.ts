/**
 * Several real client processes doing the same thing at the same time: all are started, all say that they are ready,
 * all begin at one word.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Histogram } from "./histogram.js";
import type { FromMember, MemberOutcome, Order } from "./order.js";

export interface CrewOutcome {
  readonly operations: number;
  readonly errors: number;
  /** Operations per second of all together. */
  readonly rate: number;
  readonly latencies: Histogram;
  /** The least operations of a process, as a share of the most (1: all alike). */
  readonly worstShare: number;
  /** Of the slowest process: the longest single operation, µs. */
  readonly maxUs: number;
  /** CPU time of the client processes per operation, µs. */
  readonly clientCpuUs: number;
  readonly elapsedMs: number;
}

const member = fileURLToPath(new URL("./member.main.js", import.meta.url));

async function next(child: ChildProcess): Promise<FromMember> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a member of the crew ended with ${String(code)} before it was done`);
  });
  const [message] = await Promise.race([once(child, "message"), ended]);
  return message as FromMember;
}

/** `around` is called when all are ready; what it does before and after the work is not measured. */
export async function runCrew(
  processes: number,
  order: Omit<Order, "member">,
  around?: { before(): void; after(): void },
): Promise<CrewOutcome> {
  const children = Array.from({ length: processes }, () =>
    fork(member, { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
  );
  try {
    const ready = children.map((child) => next(child));
    for (const [i, child] of children.entries()) child.send({ ...order, member: i } satisfies Order);
    await Promise.all(ready);
    const warm = children.map((child) => next(child));
    for (const child of children) child.send("warm up");
    await Promise.all(warm);
    around?.before();
    const done = children.map((child) => next(child));
    for (const child of children) child.send("go");
    const outcomes = (await Promise.all(done)).flatMap((message) => (message.kind === "done" ? [message.outcome] : []));
    around?.after();
    for (const child of children) child.disconnect();
    await Promise.all(children.map((child) => (child.exitCode === null ? once(child, "exit") : undefined)));
    return summary(outcomes);
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  }
}

function summary(outcomes: readonly MemberOutcome[]): CrewOutcome {
  const latencies = new Histogram();
  for (const outcome of outcomes) latencies.merge(outcome.latencies);
  const operations = outcomes.reduce((sum, outcome) => sum + outcome.operations, 0);
  const errors = outcomes.reduce((sum, outcome) => sum + outcome.errors, 0);
  const cpuMs = outcomes.reduce((sum, outcome) => sum + outcome.cpuMs, 0);
  const elapsedMs = Math.max(...outcomes.map((outcome) => outcome.elapsedMs));
  const counts = outcomes.map((outcome) => outcome.operations);
  return {
    operations,
    errors,
    rate: operations / (elapsedMs / 1000),
    latencies,
    worstShare: Math.min(...counts) / Math.max(1, ...counts),
    maxUs: latencies.maxUs,
    clientCpuUs: (cpuMs * 1000) / Math.max(1, operations),
    elapsedMs,
  };
}
