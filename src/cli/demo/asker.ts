/** The ninth process: asks for the count again and again while the others write. What it has seen must never go away. */
import { Latencies, machineMs } from "./latencies.js";
import { type AskerCounts, listen, tell } from "./messages.js";
import { connectForDemo } from "./reach.js";

export const countFiles = "SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM files";
export const askEveryMs = 50;

export async function runAsker(): Promise<void> {
  let finish = false;
  listen((message) => {
    if (message.kind === "finish") finish = true;
    if (message.kind === "begin") void ask(message.home, () => finish).catch(fail);
  });
  tell({ kind: "ready" });
}

function fail(error: unknown): void {
  process.stderr.write(
    `holdfast demo: asker ${process.pid}: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}

async function ask(home: string, finished: () => boolean): Promise<void> {
  const broker = await connectForDemo(home, "asker");
  const tally = new AskerTally();
  while (!finished()) {
    const start = machineMs();
    const row = await broker.get(countFiles);
    tally.add(Number(row?.["files"] ?? 0), machineMs() - start);
    tell({ kind: "asked", counts: tally.counts() });
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
  await broker.close();
  tell({ kind: "done" });
}

/** What both kinds of asker keep count of. */
export class AskerTally {
  readonly #queries = new Latencies();
  #files = 0;
  #wentBack = 0;

  add(files: number, ms: number): void {
    this.#queries.add(ms);
    if (files < this.#files) this.#wentBack++;
    this.#files = files;
  }

  counts(): AskerCounts {
    return { files: this.#files, queries: this.#queries.summary(), wentBack: this.#wentBack };
  }
}
