/**
 * Lives of a broker that each end with a loss of power. What a life does to its files is written down call by call
 * (support/disk-calls.ts); afterwards the disk is put together as it may have been at many moments of it (disk-model.ts),
 * and SQLite alone looks at each. At one of them the next life begins, and asks for everything that the broker promised.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../simulation/random.js";
import { Home, type Life } from "../support/broker.js";
import { type DiskCall, DiskCalls, readCalls } from "../support/disk-calls.js";
import { DiskModel } from "./disk-model.js";
import { PowerBook } from "./power-book.js";
import { PowerPrograms } from "./power-programs.js";

export interface PowerOptions {
  readonly seed: number;
  readonly points: number;
  /** When it is over no further life begins. Milliseconds from now. */
  readonly forMs?: number;
}

export interface PowerReport {
  readonly seed: number;
  readonly points: number;
  readonly lives: number;
  readonly acknowledged: number;
  readonly calls: number;
  readonly wrong: readonly string[];
}

/** Moments of one life that are looked at. */
const pointsOfLife = 10;
/** Then a database is begun anew: a small one is looked at quickly. */
const livesOfDatabase = 20;

export async function powerRun(life: Life, { seed, points, forMs = Infinity }: PowerOptions): Promise<PowerReport> {
  const random = new Random(seed);
  const disk = DiskCalls.make(new Home(life).dir);
  const end = performance.now() + forMs;
  const report = { seed, points: 0, lives: 0, acknowledged: 0, calls: 0, wrong: [] as string[] };
  while (report.points < points && performance.now() < end && report.wrong.length === 0) {
    const lasts: (() => void | Promise<void>)[] = [];
    const world = new World({ after: (act) => lasts.push(act) }, disk, random);
    try {
      for (let n = 0; n < livesOfDatabase && report.points < points && report.wrong.length === 0; n++) {
        const done = await world.live(Math.min(pointsOfLife, points - report.points));
        report.lives++;
        report.points += done.points;
        report.acknowledged += done.acknowledged;
        report.calls += done.calls;
        report.wrong.push(...done.wrong);
      }
      if (report.wrong.length === 0) report.wrong.push(...(await world.lookAgain()));
    } finally {
      for (const last of lasts) await last();
    }
  }
  return report;
}

/** One line for people. */
export function powerSummary({ seed, points, lives, acknowledged, calls, wrong }: PowerReport): string {
  return (
    `power, seed ${seed}: ${points} losses of power in ${lives} lives of the broker, ${calls} calls to the disk, ` +
    `${acknowledged} acknowledged writes, ${wrong.length} contradictions`
  );
}

/** One database through its lives. */
class World {
  readonly #home: Home;
  readonly #disk: DiskCalls;
  readonly #random: Random;
  readonly #book: PowerBook;
  readonly #scratch: string;
  #lives = 0;

  constructor(life: Life, disk: DiskCalls, random: Random) {
    this.#home = new Home(life);
    this.#disk = disk;
    this.#random = random;
    this.#book = new PowerBook();
    this.#scratch = join(this.#home.dir, "moment");
    mkdirSync(this.#scratch);
  }

  get #data(): string {
    return join(this.#home.dir, "data");
  }

  async live(points: number): Promise<{ points: number; acknowledged: number; calls: number; wrong: string[] }> {
    const { record, before } = await this.#begin();
    const programs = await PowerPrograms.start(this.#home, this.#book, this.#random);
    const acknowledged = await programs.work(20 + this.#random.below(160));
    await this.#home.killAll();
    programs.over();
    const calls = readCalls(record);
    rmSync(record);
    const wrong = programs.wrong.concat(this.#lookAt(new DiskModel(before), calls, points));
    return { points, acknowledged, calls: calls.length, wrong };
  }

  /** At the end of all lives: the broker starts once more, and everything is there. */
  async lookAgain(): Promise<string[]> {
    await this.#begin();
    const programs = await PowerPrograms.start(this.#home, this.#book, this.#random);
    await this.#home.killAll();
    programs.over();
    return programs.wrong;
  }

  async #begin(): Promise<{ record: string; before: ReturnType<typeof filesIn> }> {
    const boot = join(this.#home.dir, "boot-id");
    const record = join(this.#home.dir, `calls-${++this.#lives}`);
    writeFileSync(boot, `${randomUUID()}\n`);
    mkdirSync(this.#data, { recursive: true, mode: 0o700 });
    const before = filesIn(this.#data);
    const env = this.#disk.recording({ file: record, dir: this.#data, boot });
    await this.#home.start({ env, limits: { readersMin: 1 } });
    return { record, before };
  }

  /** Looks at moments of the life that is over, and leaves the disk as it was at one of them. */
  #lookAt(model: DiskModel, calls: readonly DiskCall[], points: number): string[] {
    const moments = Array.from({ length: points }, () => this.#random.below(calls.length + 1)).sort((a, b) => a - b);
    const goesOnAt = this.#random.below(points);
    const wrong: string[] = [];
    let next: { readonly files: Map<string, Buffer>; readonly last: number; readonly before: number } | undefined;
    let done = 0;
    for (const [n, moment] of moments.entries()) {
      for (; done < moment; done++) model.apply(calls[done] as DiskCall);
      const files = model.crash(this.#random);
      // Acknowledged before the next call began: before that the power was there. Sent after the last ended: too late.
      const last = calls[moment]?.begun ?? Infinity;
      const before = Math.max(0, ...calls.slice(0, moment).map(({ ended }) => ended));
      put(this.#scratch, files);
      const found = this.#book.judge(join(this.#scratch, "data.db"), last);
      wrong.push(...found.map((one) => `life ${this.#lives}, after call ${moment} of ${calls.length}: ${one}`));
      if (n === goesOnAt) next = { files, last, before };
    }
    if (next !== undefined) {
      put(this.#data, next.files);
      this.#book.powerLost(next.last, next.before);
    }
    return wrong;
  }
}

function filesIn(dir: string): { name: string; inode: number; bytes: Buffer }[] {
  return readdirSync(dir).map((name) => {
    const path = join(dir, name);
    return { name, inode: statSync(path).ino, bytes: readFileSync(path) };
  });
}

/** Nothing but these files. */
function put(dir: string, files: ReadonlyMap<string, Buffer>): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name));
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes, { mode: 0o600 });
}
