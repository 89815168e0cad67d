/**
 * One process of the crew, for order after order: opens its connections, waits for the word, works for so many seconds,
 * tells how it went, closes them.
 */
import { Histogram } from "./histogram.js";
import type { FromMember, MemberOutcome, Order, ToMember } from "./order.js";
import { type Connection, openConnection } from "./workloads.js";

function tell(message: FromMember): void {
  process.send?.(message);
}

let order: Order | undefined;
let connections: readonly Connection[] = [];
let toldOfError = false;

/** Until so much was done that the code is compiled as it will be, here and in the server; at most for `warmMsMax`. */
async function warmUp({ warmMsMin, warmMsMax, warmOperations }: Order): Promise<void> {
  const begun = performance.now();
  let done = 0;
  const warm = () => {
    const elapsedMs = performance.now() - begun;
    return elapsedMs >= warmMsMax || (elapsedMs >= warmMsMin && done >= warmOperations);
  };
  await Promise.all(
    connections.map(async ({ step, perStep = 1 }) => {
      while (!warm()) {
        try {
          await step();
        } catch {
          // What fails here fails again where it is counted, and told.
        }
        done += perStep;
      }
    }),
  );
}

async function work(seconds: number): Promise<MemberOutcome> {
  const latencies = new Histogram();
  let [operations, errors] = [0, 0];
  const changesBefore = changes();
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const loop = async ({ step, waitedUs, perStep = 1 }: Connection) => {
    let at = performance.now();
    while (at < until) {
      try {
        const pending = step();
        if (pending !== undefined) await pending;
        operations += perStep;
      } catch (error) {
        errors++;
        complain(error);
      }
      const now = performance.now();
      latencies.add(waitedUs?.() ?? (now - at) * 1000);
      at = now;
    }
  };
  await Promise.all(connections.map(loop));
  const elapsedMs = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    operations,
    errors,
    changes: changes() - changesBefore,
    elapsedMs,
    latencies: latencies.data(),
    cpuMs: (user + system) / 1000,
  };
}

function changes(): number {
  return connections.reduce((sum, { changes = () => 0 }) => sum + changes(), 0);
}

function complain(error: unknown): void {
  if (toldOfError) return;
  toldOfError = true;
  process.stderr.write(`${order?.who} ${order?.work}: ${error instanceof Error ? error.stack : String(error)}\n`);
}

async function closeAll(): Promise<void> {
  await Promise.all(connections.map((connection) => connection.close()));
  connections = [];
}

async function obey(message: ToMember): Promise<void> {
  if (message === "warm up") {
    if (order !== undefined) await warmUp(order);
    tell({ kind: "warm" });
  } else if (message === "go") {
    const outcome = await work(order?.seconds ?? 0);
    await closeAll();
    tell({ kind: "done", outcome });
  } else {
    const given = message;
    order = given;
    toldOfError = false;
    connections = await Promise.all(
      Array.from({ length: given.connections }, (_, connection) => openConnection(given, connection)),
    );
    tell({ kind: "ready" });
  }
}

process.on("message", (message: ToMember) => void obey(message));
process.once("disconnect", () => process.exit(0));
// A peer's library takes uncaught errors for its own business; here they end the process.
process.on("unhandledRejection", (error) => {
  process.stderr.write(`a member of the crew: ${String(error)}\n`);
  process.exit(1);
});
