/**
 * What must hold whatever happens: the promises, as a bystander checks them who sees each turn of the core and what
 * becomes of each write, and knows nothing of how the core decides.
 */
import type { Claim, Job, LedgerEntry, Letter, Turn } from "../../src/core/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import { whatOf } from "../core/support/values.js";

type Fences = readonly { readonly name: string; readonly token: number }[];

interface Queued {
  readonly arrival: number;
  readonly session: string;
  readonly key: number;
}

interface Name {
  holder: { readonly token: number; readonly session: string } | undefined;
  /** The last token given for it. */
  token: number;
  queue: Queued[];
}

/** A write as it was first given to the writer. */
interface Sent {
  /** What its fences and its session's grants were then: nobody else may have been granted these when it is applied. */
  readonly under: Fences;
}

export class CoreWatch {
  readonly #names = new Map<string, Name>();
  /** Sessions that somebody speaks for. */
  readonly present = new Set<string>();
  readonly #sent = new Map<string, Sent>();
  readonly #answers = new Map<string, number>();
  readonly #fences = new Map<string, Fences>();
  readonly #whats = new Map<string, string>();
  readonly #over = new Set<string>();
  #tokenHigh = 0;
  #seqHigh = 0;

  /** A write that a client asks for, by what it does; no two do the same. */
  asked(what: string, fences: Fences, request: string): void {
    this.#fences.set(what, fences);
    this.#whats.set(request, what);
  }

  /** How often this request on this connection was answered. */
  answers(to: number, request: string | number): number {
    return this.#answers.get(`${to}/${request}`) ?? 0;
  }

  turn({ ledger, dispatch, send }: Turn): void {
    for (const letter of send) if (letter.kind === "welcome") this.present.add(letter.session);
    const before = new Map([...this.#names].map(([name, { holder }]) => [name, holder]));
    for (const [place, entry] of ledger.entries()) this.#entry(entry, ledger[place - 1]);
    for (const job of dispatch) this.#job(job, before);
    for (const letter of send) this.#letter(letter);
  }

  /** A write is there for all to see. */
  applied({ what, seq }: Applied): void {
    const sent = this.#sent.get(what);
    if (sent === undefined) throw new Error(`write ${seq} (${what}) was applied and never dispatched`);
    for (const { name, token } of sent.under) {
      const given = this.#names.get(name)?.token ?? 0;
      if (given > token)
        throw new Error(
          `${what} was sent while ${name} was held under ${token}, and applied after ${given} was granted`,
        );
    }
  }

  /** A new writer begins with what its predecessor had. */
  writerReady(): void {
    this.#seqHigh = 0;
  }

  #name(name: string): Name {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const made: Name = { holder: undefined, token: 0, queue: [] };
    this.#names.set(name, made);
    return made;
  }

  #entry(entry: LedgerEntry, before: LedgerEntry | undefined): void {
    switch (entry.kind) {
      case "queued": {
        const { arrival, session, key } = entry.row;
        this.#name(nameOf(entry.row)).queue.push({ arrival, session, key });
        return;
      }
      case "unqueued":
        for (const name of this.#names.values()) {
          const waiter = name.queue.find(({ arrival }) => arrival === entry.arrival);
          if (waiter !== undefined) this.#left = waiter;
          name.queue = name.queue.filter((other) => other !== waiter);
        }
        return;
      case "granted":
        return this.#granted(entry.row, before?.kind === "unqueued" ? this.#left : undefined);
      case "grant-ended":
        for (const name of this.#names.values()) if (name.holder?.token === entry.token) name.holder = undefined;
        return;
      default:
    }
  }

  #left: Queued | undefined;

  #granted(row: Extract<LedgerEntry, { kind: "granted" }>["row"], left: Queued | undefined): void {
    const { session, key, token } = row;
    const name = nameOf(row);
    const known = this.#name(name);
    if (known.holder !== undefined) throw new Error(`${name} was granted while ${known.holder.session} held it`);
    if (token <= this.#tokenHigh) throw new Error(`token ${token} after ${this.#tokenHigh}`);
    if (!this.present.has(session)) throw new Error(`${name} was granted to ${session}, which is not there`);
    const waited = left !== undefined && left.session === session && left.key === key;
    const arrival = waited ? left.arrival : Number.POSITIVE_INFINITY;
    const passed = known.queue.find((other) => other.arrival < arrival && this.present.has(other.session));
    if (passed !== undefined)
      throw new Error(`${name} was granted to ${session} past ${passed.session}, which was there before`);
    known.holder = { token, session };
    known.token = token;
    this.#tokenHigh = token;
  }

  #job(job: Job, before: ReadonlyMap<string, Name["holder"]>): void {
    if (job.to !== "writer" || (job.kind !== "write" && job.kind !== "settle")) return;
    if (job.seq <= this.#seqHigh) throw new Error(`write ${job.seq} was dispatched after ${this.#seqHigh}`);
    this.#seqHigh = job.seq;
    if (job.kind === "settle") return;
    const { what } = whatOf(job.parcel);
    // What goes again because its writer died was sent while it was held, and nobody has been granted it since.
    const holds = (name: string, token: number) =>
      before.get(name)?.token === token ||
      this.#names.get(name)?.holder?.token === token ||
      (this.#sent.has(what) && this.#names.get(name)?.token === token);
    const fences = this.#fences.get(what) ?? [];
    const broken = fences.find(({ name, token }) => !holds(name, token));
    if (broken !== undefined && job.mode === "run")
      throw new Error(`${what} was sent to run, and its fence on ${broken.name} is broken`);
    if (this.#sent.has(what) && !this.#over.delete(what)) return;
    const own = [...this.#names].flatMap(([name, { holder }]) =>
      holder?.session === job.session ? [{ name, token: holder.token }] : [],
    );
    this.#sent.set(what, { under: [...fences, ...own] });
  }

  #letter(letter: Letter): void {
    if (!("request" in letter)) return;
    // One that was refused is over; asked again, it is another one, under the locks of then.
    if (letter.kind === "refused") this.#over.add(this.#whats.get(`${letter.request}`) ?? "");
    const id = `${letter.to}/${letter.request}`;
    const count = (this.#answers.get(id) ?? 0) + 1;
    this.#answers.set(id, count);
    if (count > 1) throw new Error(`request ${letter.request} was answered ${count} times: ${JSON.stringify(letter)}`);
  }
}

function nameOf({ claims }: { readonly claims: readonly Claim[] }): string {
  return claims[0]?.name ?? "";
}
