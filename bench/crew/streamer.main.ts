/** Reads a large table to its end, row by row, in a process of its own, and tells how that went. */
import { connect } from "../../src/client/index.js";
import { openDirect } from "../floor/direct.js";
import { openPostgres } from "../peers/postgres-work.js";
import type { Contestant, Places } from "./order.js";
import { memoryBytesOf } from "./usage.js";

export interface StreamOrder {
  readonly who: Contestant;
  readonly places: Places;
}

export interface StreamOutcome {
  readonly rows: number;
  readonly firstMs: number;
  readonly totalMs: number;
  readonly peakBytes: number;
}

const sql = "select id, member, note from event";
/** Rows that a cursor gives at once; a few hundred kilobytes. */
const fetched = 4000;

type Streamed = (places: Places) => AsyncIterable<unknown>;

const readers: { readonly [Who in Contestant]?: Streamed } = {
  async *broker({ dir }) {
    const broker = await connect({ dir, start: false, program: "stream" });
    yield* broker.stream(sql);
    await broker.close();
  },
  async *sqlite({ database }) {
    const direct = openDirect(database);
    yield* direct.prepare(sql).iterate();
    direct.close();
  },
  async *postgres({ postgresDir }) {
    const client = await openPostgres(postgresDir);
    await client.query("begin");
    await client.query(`declare events cursor for ${sql}`);
    for (;;) {
      const { rows } = await client.query(`fetch ${fetched} from events`);
      if (rows.length === 0) break;
      yield* rows;
    }
    await client.query("commit");
    await client.end();
  },
};

process.once("message", async ({ who, places }: StreamOrder) => {
  const begun = performance.now();
  let rows = 0;
  let firstMs = 0;
  for await (const _ of readers[who]?.(places) ?? []) if (rows++ === 0) firstMs = performance.now() - begun;
  const totalMs = performance.now() - begun;
  const peakBytes = memoryBytesOf(process.pid, "VmHWM") ?? Number.NaN;
  process.send?.({ rows, firstMs, totalMs, peakBytes } satisfies StreamOutcome);
  process.disconnect();
});
