/**
 * The same small piece of work again and again, from the broker's start to its end; each time another one of the calls by
 * which it changes its files fails. Whatever fails: what was acknowledged is there, what was surely not done is not there,
 * every answer is a known code, and the broker goes on, or ends and starts again, when the disk is well.
 */
import { join } from "node:path";
import { refusals } from "../../src/terms/index.js";
import { Random } from "../simulation/random.js";
import { type Ending, type Front, Home } from "../support/broker.js";
import {
  arm,
  type CallError,
  type CallName,
  callNames,
  DiskCalls,
  disarm,
  type Fault,
  type FaultState,
  faultState,
} from "../support/disk-calls.js";
import { standStillFor, until, within } from "../support/patience.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";
import { type Answer, Refused, type Wire } from "../support/wire.js";

export interface SweepOptions {
  /** These and no others; without them all, in an order by chance, so that a run that is cut off has had some of each. */
  readonly faults?: readonly Fault[];
  readonly seed?: number;
  /** When it is over no further call fails. Milliseconds from now. */
  readonly forMs?: number;
  readonly tell?: (line: string) => void;
}

export interface SweepReport {
  readonly runs: number;
  /** Calls of a run in which nothing fails. */
  readonly counts: { readonly [Name in CallName]: number };
  /** Runs in which the broker did not start, or ended, and started again when told to. */
  readonly ended: number;
  /** Runs in which it went on by itself. */
  readonly wentOn: number;
  /** Runs of which the time was over. */
  readonly leftOut: number;
  readonly acknowledged: number;
  readonly refused: { readonly [code: string]: number };
  readonly wrong: readonly string[];
}

const ways: readonly { readonly error: CallError; readonly stays: boolean }[] = [
  { error: "EIO", stays: false },
  { error: "ENOSPC", stays: true },
  { error: "EDQUOT", stays: false },
  { error: "EIO", stays: true },
];

export async function sweep(life: TestLife, options: SweepOptions = {}): Promise<SweepReport> {
  const { forMs = Infinity, tell = () => undefined } = options;
  const end = performance.now() + forMs;
  const disk = DiskCalls.make(tempDir(life));
  const whole = await new Run(disk, undefined).whole();
  const { counts } = whole;
  const faults = options.faults ?? shuffled(everyFault(counts), new Random(options.seed ?? 0));
  const report = { runs: 0, counts, ended: 0, wentOn: 0, leftOut: 0, acknowledged: 0, wrong: [...whole.wrong] };
  const refused: { [code: string]: number } = {};
  for (const fault of faults) {
    if (performance.now() > end) {
      report.leftOut++;
      continue;
    }
    const told = await new Run(disk, fault).whole();
    report.runs++;
    report.acknowledged += told.acknowledged;
    if (told.ended) report.ended++;
    else report.wentOn++;
    for (const code of told.codes) refused[code] = (refused[code] ?? 0) + 1;
    const name = `${fault.call} ${fault.nth}, ${fault.error}${fault.stays ? " from then on" : ""} (${told.where})`;
    for (const one of told.wrong) {
      tell(`${name}: ${one}`);
      report.wrong.push(`${name}: ${one}`);
    }
  }
  return { ...report, refused };
}

function everyFault(counts: SweepReport["counts"]): Fault[] {
  return ways.flatMap((way) =>
    callNames.flatMap((call) => Array.from({ length: counts[call] }, (_, at) => ({ call, nth: at + 1, ...way }))),
  );
}

function shuffled(faults: readonly Fault[], random: Random): Fault[] {
  return faults
    .map((fault) => ({ fault, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ fault }) => fault);
}

/** One line for people. */
export function sweepSummary({
  runs,
  counts,
  ended,
  wentOn,
  leftOut,
  acknowledged,
  refused,
  wrong,
}: SweepReport): string {
  const words = (all: { readonly [name: string]: number }) =>
    Object.entries(all)
      .map(([name, n]) => `${n} ${name}`)
      .join(", ");
  return (
    `calls: ${runs} runs (a whole one has ${words(counts)}), ${leftOut} left out, in ${wentOn} the broker went on, in ${ended} it ended and began anew; ` +
    `${acknowledged} acknowledged writes, refused: ${words(refused)}; ${wrong.length} contradictions`
  );
}

interface Told {
  readonly counts: SweepReport["counts"];
  readonly where: string;
  readonly ended: boolean;
  readonly acknowledged: number;
  readonly codes: readonly string[];
  readonly wrong: readonly string[];
}

/** What a write may leave: rows with its number. */
interface Write {
  readonly n: number;
  rows: number;
  told: "applied" | "not applied" | "unknown";
}

const steps = ["table", "writes", "batch", "locked", "transaction", "writes", "read"] as const;
const nothingYet: FaultState = { failed: 0, where: "", counts: { sync: 0, write: 0, cut: 0, open: 0, unlink: 0 } };
/** For how long nothing happens for want of room. */
const patienceMs = 1000;
const insert = "insert into item (n) values (?)";

/** One piece of work, one call of which fails. */
class Run {
  readonly #disk: DiskCalls;
  readonly #fault: Fault | undefined;
  readonly #writes: Write[] = [];
  readonly #codes: string[] = [];
  readonly #wrong: string[] = [];
  #file = "";
  #next = 1;
  #token = 0;

  constructor(disk: DiskCalls, fault: Fault | undefined) {
    this.#disk = disk;
    this.#fault = fault;
  }

  async whole(): Promise<Told> {
    const lasts: (() => void | Promise<void>)[] = [];
    const home = new Home({ after: (act) => lasts.push(act) });
    const file = join(home.dir, "fault");
    this.#file = file;
    const told = { ended: false, ...nothingYet };
    try {
      arm(file, this.#fault);
      const front = home.launch({ env: this.#disk.failing({ file, root: home.dir }), limits: { readersMin: 1 } });
      const serves = (await this.#starts(front)) && (await this.#work(home, front));
      // Whatever has not failed by now may fail while it ends.
      if (serves && faultState(file).failed === 0) await this.#stop(front);
      Object.assign(told, faultState(file));
      disarm(file);
      if (serves && told.failed > 0) await this.#goesOn(home, front);
      told.ended = front.isGone;
      await home.killAll();
      await this.#anew(home);
    } catch (error) {
      this.#wrong.push(error instanceof Error ? error.message : String(error));
    } finally {
      for (const last of lasts) await last();
    }
    const acknowledged = this.#writes.filter((one) => one.told === "applied").length;
    return { ...told, acknowledged, codes: this.#codes, wrong: this.#wrong };
  }

  /** Whether it serves. One that does not says why, in words for people. */
  async #starts(front: Front): Promise<boolean> {
    try {
      await front.ready();
      return true;
    } catch (error) {
      if (String(error).includes("in vain")) throw error;
      this.#lastWords(front, await within("the front's end", front.exited));
      return false;
    }
  }

  async #stop(front: Front): Promise<void> {
    const { code, signal } = await front.stop();
    if (code === null) this.#wrong.push(`the broker ended by ${signal}: ${front.output}`);
  }

  #lastWords({ output }: Front, { code, signal }: Ending): void {
    if (code === null) this.#wrong.push(`the broker ended by ${signal}: ${output}`);
    else if (/^ {4}at /m.test(output)) this.#wrong.push(`the broker ended with a stack trace: ${output}`);
    else if (output === "") this.#wrong.push(`the broker ended with ${code} and said nothing`);
  }

  /** Whether the broker is there afterwards. */
  async #work(home: Home, front: Front): Promise<boolean> {
    for (const step of steps) {
      try {
        this.#wire ??= await home.wire();
        await this[step](this.#wire);
      } catch (error) {
        if (error instanceof Refused) continue;
        if (this.#wire?.socket.readyState === 1) throw error;
        this.#wire = undefined;
      }
      if (front.isGone) break;
    }
    if (!front.isGone) return true;
    this.#lastWords(front, await within("the front's end", front.exited));
    return false;
  }

  // ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #wire: Wire | undefined;

  async table(wire: Wire): Promise<void> {
    const sql = "create table if not exists item (n integer)";
    await this.#answered(wire.post("db.execute", { sql, key: wire.key() }));
  }

  async writes(wire: Wire): Promise<void> {
    const keys = [wire.key(), wire.key(), undefined, `own ${this.#next}`];
    await Promise.all(
      keys.map((key) => {
        const { n, write } = this.#write(1);
        const params = { sql: insert, args: [n], ...(key === undefined ? {} : { key }) };
        return this.#written(write, wire.post("db.execute", params));
      }),
    );
  }

  async batch(wire: Wire): Promise<void> {
    const { n, write } = this.#write(3);
    const statements = [1, 2, 3].map(() => ({ sql: insert, args: [n] }));
    await this.#written(write, wire.post("db.batch", { statements, key: wire.key() }));
  }

  async locked(wire: Wire): Promise<void> {
    const name = "lock";
    const granted = wire.post("lock.acquire", { name, key: wire.key() });
    // What cannot be written down is not told before there is room.
    if (this.#fault?.stays === true && !(await Promise.race([granted.then(() => true), standStillFor(patienceMs)])))
      disarm(this.#file);
    const { result } = await this.#answered(granted);
    if (result === undefined) return;
    this.#token = result.token;
    const { n, write } = this.#write(1);
    const fence = [{ name, token: result.token }];
    await this.#written(write, wire.post("db.execute", { sql: insert, args: [n], fence, key: wire.key() }));
    await this.#answered(wire.post("lock.release", { name, token: result.token, key: wire.key() }));
  }

  async transaction(wire: Wire): Promise<void> {
    const { n, write } = this.#write(2);
    const tx = n;
    const steps_ = [wire.post("tx.begin", { tx, mode: "write" })];
    for (let one = 0; one < 2; one++) steps_.push(wire.post("tx.execute", { tx, sql: insert, args: [n] }) as never);
    const commit = wire.post("tx.commit", { tx, key: wire.key() });
    const begun = await Promise.all(steps_.map((step) => this.#answered(step)));
    const refused = begun.filter(({ error }) => error !== undefined).length;
    if (refused > 0) await this.#answered(wire.post("tx.rollback", { tx }));
    await this.#written(write, commit);
    // The commit was sent with its steps: it comes to those that were not refused, be it none.
    write.rows = Math.max(0, write.rows - refused);
  }

  async read(wire: Wire): Promise<void> {
    await this.#answered(wire.post("db.query", { sql: "select count(*) from item" }));
  }

  #write(rows: number): { n: number; write: Write } {
    const write: Write = { n: this.#next++, rows, told: "unknown" };
    this.#writes.push(write);
    return { n: write.n, write };
  }

  async #written(write: Write, answer: Promise<Answer>): Promise<void> {
    const { error } = await this.#answered(answer);
    if (error === undefined) write.told = "applied";
    else if (error.data.outcome === "none") write.told = "not applied";
  }

  async #answered<T>(answer: Promise<Answer<T>>): Promise<Answer<T>> {
    const told = await answer;
    if (told.error === undefined) return told;
    const { code } = told.error.data;
    this.#codes.push(code);
    if (!Object.hasOwn(refusals, code)) this.#wrong.push(`an answer with the code ${code}`);
    if (code === "INTERNAL") this.#wrong.push(`an answer with the code INTERNAL: ${told.error.message}`);
    return told;
  }

  // ── afterwards ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The disk is well: without a restart it serves everything again, or it has ended and will be started. */
  async #goesOn(home: Home, front: Front): Promise<void> {
    await until("the broker to take writes again, or to end", async () => {
      if (front.isGone) return true;
      try {
        const wire = await home.wire();
        await this.table(wire);
        const { n, write } = this.#write(1);
        await this.#written(write, wire.post("db.execute", { sql: insert, args: [n], key: wire.key() }));
        const { result } = await this.#answered(wire.post("lock.acquire", { name: `${n}`, key: wire.key() }));
        await wire.drop();
        return write.told === "applied" && result !== undefined;
      } catch (error) {
        if (front.isGone) return true;
        if (error instanceof Refused) return false;
        throw error;
      }
    });
  }

  async #anew(home: Home): Promise<void> {
    await home.start();
    const wire = await home.wire();
    await wire.call("db.execute", { sql: "create table if not exists item (n integer)", key: wire.key() });
    const { rows } = await wire.call("db.query", { sql: "select n, count(*) from item group by n" });
    const there = new Map(rows as [number, number][]);
    for (const { n, rows: whole, told } of this.#writes) {
      const found = there.get(n) ?? 0;
      if (told === "applied" && found === 0 && whole > 0) this.#wrong.push(`write ${n} was acknowledged and is gone`);
      else if (told === "not applied" && found > 0)
        this.#wrong.push(`write ${n} was said not to be applied, and is there`);
      else if (found !== 0 && found !== whole) this.#wrong.push(`write ${n} has ${found} rows of ${whole}`);
    }
    const { rows: integrity } = await wire.call("db.query", { sql: "pragma integrity_check" });
    if (integrity[0]?.[0] !== "ok") this.#wrong.push(`integrity_check says ${String(integrity[0]?.[0])}`);
    const { token } = await wire.call("lock.acquire", { name: "after", key: wire.key() });
    if (token <= this.#token) this.#wrong.push(`token ${token} after ${this.#token}`);
  }
}
