/** What does one decision of the core cost, without sockets and files? In process, by tinybench. */
import { Bench } from "tinybench";
import { Core } from "../src/core/index.js";
import {
  connectionId,
  type Instant,
  instant,
  limitsWith,
  lockName,
  requestKey,
  seq,
  sessionId,
} from "../src/terms/index.js";
import type { Report } from "./report/report.js";
import { table } from "./report/table.js";
import type { Stage } from "./stage.js";

export const question = "decisions of the core alone, in process";

interface Player {
  readonly core: Core;
  now: Instant;
  key: number;
}

const connection = connectionId(1);
const silent = { place: false, contended: false };

function player(): Player {
  const core = new Core(limitsWith(), seq(0));
  const now = instant(0);
  core.handle(
    {
      kind: "writer-ready",
      epoch: 1,
      starts: 1,
      storedSeq: seq(0),
      previousBootId: null,
      heldBefore: false,
      movedFrom: null,
      incarnation: "bench",
      tokensFrom: 1,
      tokensTo: 2 ** 50,
    },
    now,
  );
  core.handle({ kind: "connected", connection }, now);
  const identity = { program: "bench", version: "", process: undefined, bound: false };
  core.handle(
    {
      kind: "hello",
      connection,
      request: 1,
      session: sessionId("0".repeat(32)),
      mode: "either",
      identity,
      windowMs: undefined,
      grants: [],
      pending: [],
      ackedBelow: undefined,
      outer: undefined,
    },
    now,
  );
  core.takeTurn();
  return { core, now, key: 1 };
}

function pair(it: Player): void {
  const name = lockName("bench/one", 512);
  if (typeof name !== "string") throw new Error("not a name");
  const { core, now } = it;
  core.handle(
    {
      kind: "acquire",
      connection,
      request: 2,
      key: requestKey(it.key++),
      claims: [{ name, mode: "exclusive" }],
      waitMs: undefined,
      reason: "",
      ttlMs: undefined,
      guarded: false,
      tell: silent,
      steal: false,
      under: undefined,
    },
    now,
  );
  const [granted] = core.takeTurn().send;
  if (granted?.kind !== "granted") throw new Error("not granted");
  const key = requestKey(it.key++);
  const { token } = granted.grant;
  core.handle({ kind: "release", connection, request: 3, key, name, token, lost: false }, now);
  core.handle({ kind: "ack", connection, below: key }, now);
  core.takeTurn();
}

function write(it: Player): void {
  const { core, now } = it;
  core.handle(
    {
      kind: "write",
      connection,
      request: 2,
      key: requestKey(it.key++),
      fences: [],
      alone: false,
      timeoutMs: undefined,
      parcel: { size: 150 },
    },
    now,
  );
  const answers = core
    .takeTurn()
    .dispatch.flatMap((job) =>
      job.to === "writer" && job.kind === "write"
        ? [{ seq: job.seq, answer: { kind: "done", body: null } as const }]
        : [],
    );
  core.handle({ kind: "writer-settled", answers, walBytes: 0 }, now);
  core.takeTurn();
}

export async function run(_stage: Stage, report: Report): Promise<void> {
  const bench = new Bench({ time: 500 });
  const [locks, writes] = [player(), player()];
  bench.add("acquire + release", () => pair(locks));
  bench.add("write, dispatched and settled", () => write(writes));
  await bench.run();
  const rows = bench.tasks.map(({ name, result }) => {
    if (result.state !== "completed") throw new Error(`${name}: ${result.state}`);
    return [
      name,
      (result.latency.p50 * 1000).toFixed(2),
      (result.latency.p99 * 1000).toFixed(2),
      Math.round(result.throughput.p50).toLocaleString("en-US"),
    ];
  });
  report.print(table(["decision", "p50 µs", "p99 µs", "per second"], rows));
}
