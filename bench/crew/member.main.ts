/** One process of the crew: opens its connections, waits for the word, works for so many seconds, tells how it went. */
import { Histogram } from "./histogram.js";
import type { FromMember, MemberOutcome, Order } from "./order.js";
import { type Connection, workloads } from "./workloads.js";

/** Sends it, and resolves when it has left: the process may end after. */
function tell(message: FromMember): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

/** Code that has just been loaded runs slower: nothing is measured before this is over (ms). */
const warmUpMs = 2000;

async function warmUp(connections: readonly Connection[]): Promise<void> {
  const until = performance.now() + warmUpMs;
  await Promise.all(
    connections.map(async ({ step }) => {
      while (performance.now() < until) await step();
    }),
  );
}

async function work(connections: readonly Connection[], seconds: number): Promise<MemberOutcome> {
  const latencies = new Histogram();
  let errors = 0;
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const loop = async ({ step }: Connection) => {
    let at = performance.now();
    while (at < until) {
      try {
        const pending = step();
        if (pending !== undefined) await pending;
      } catch (error) {
        errors++;
        if (errors === 1) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      }
      const now = performance.now();
      latencies.add((now - at) * 1000);
      at = now;
    }
  };
  await Promise.all(connections.map(loop));
  const elapsedMs = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    operations: latencies.total - errors,
    errors,
    elapsedMs,
    latencies: latencies.data(),
    cpuMs: (user + system) / 1000,
  };
}

process.once("message", async (order: Order) => {
  const connections = await Promise.all(
    Array.from({ length: order.connections }, (_, i) => workloads[order.workload](order, i)),
  );
  await tell({ kind: "ready" });
  process.once("message", async () => {
    await warmUp(connections);
    await tell({ kind: "warm" });
    process.once("message", async () => {
      const outcome = await work(connections, order.seconds);
      await tell({ kind: "done", outcome });
    });
  });
  // The last word of the crew: all have been heard.
  process.once("disconnect", async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    process.exit(0);
  });
});
