/** Takes locks for the program, and knows the handle of each grant that it has. */
import type { HolderRow } from "../protocol/index.js";
import { HoldfastError, isHoldfastError } from "../terms/index.js";
import type { Grant } from "./conversation/index.js";
import { ask, failure } from "./datastore.js";
import { Question } from "./driver.js";
import { type HandleParts, LockHandle } from "./lock-handle.js";
import { type AcquireOptions, lockRequest, modeOf, type QueuedInfo, type RequestMore } from "./lock-request.js";

export type LockWork<T, Lock = LockHandle> = (lock: Lock) => T | Promise<T>;

export class HeldLocks {
  readonly #parts: HandleParts;
  readonly #handles = new WeakMap<Grant, LockHandle>();

  constructor(parts: HandleParts) {
    this.#parts = parts;
  }

  /** One that the program gives back when it likes. */
  async acquire(name: string, options: AcquireOptions): Promise<LockHandle> {
    const [grant, lock] = await this.#take(name, options, {});
    this.#parts.scopes.note(grant);
    return lock;
  }

  /** One that a task of its own asks for: of all that the program has it needs nothing but the scopes that it is in. */
  acquireApart(name: string, options: AcquireOptions): Promise<LockHandle> {
    const { scopes } = this.#parts;
    return scopes.during(async () => {
      const [grant, lock] = await this.#take(name, options, { under: [...scopes.inHand()] });
      scopes.note(grant);
      return lock;
    });
  }

  /** One that is held while `work` runs. */
  run<T>(name: string, options: AcquireOptions, more: RequestMore, work: LockWork<T>): Promise<T> {
    const { scopes } = this.#parts;
    return scopes.during(async () => {
      const [grant, lock] = await this.#take(name, options, more);
      return scopes.run(grant, () => runUnder(lock, work));
    });
  }

  /** The same without a wait; `work` gets null if it is not to be had. */
  async runIfFree<T>(name: string, options: AcquireOptions, work: LockWork<T, LockHandle | null>): Promise<T> {
    const { scopes } = this.#parts;
    return scopes.during(async () => {
      const taken = await this.#take(name, { ...options, waitMs: 0 }, {}).catch(nullIfHeld);
      if (taken === null) return work(null);
      const [grant, lock] = taken;
      return scopes.run(grant, () => runUnder(lock, work));
    });
  }

  all(): LockHandle[] {
    return [...this.#parts.driver.grants].filter(({ state }) => state === "held").map((grant) => this.#handleOf(grant));
  }

  /** It was given back with a write. */
  forget(grant: Grant): void {
    this.#parts.scopes.forget(grant);
  }

  /** The handle, if the program has one. */
  of(grant: Grant): LockHandle | undefined {
    return this.#handles.get(grant);
  }

  async #take(name: string, options: AcquireOptions, more: RequestMore): Promise<readonly [Grant, LockHandle]> {
    const { driver, scopes } = this.#parts;
    const { signal, onQueued } = options;
    const under = options.under === undefined ? scopes.under(namesOf(name, options)) : tokensOf(options.under);
    const params = lockRequest(name, options, { under: more.under ?? under, steal: more.steal });
    const question = new Question("acquire", "lock.acquire", params);
    if (onQueued !== undefined) {
      question.onQueued = (news) => {
        const info: QueuedInfo = { ...news, holders: news.holders as readonly HolderRow[] };
        queueMicrotask(() => onQueued(info));
      };
    }
    // Made at once: what the broker says of the grant may come in the same breath.
    question.onGranted = () => this.#handleFor(question, options);
    await ask(driver, question, signal);
    const { granted } = question;
    const handle = granted && this.#handles.get(granted.grant);
    if (granted === undefined || handle === undefined) throw failure(question, signal);
    return [granted.grant, handle];
  }

  #handleFor({ granted }: Question, options: AcquireOptions): void {
    if (granted === undefined) return;
    const { grant, waitedMs, waiting } = granted;
    const handle = new LockHandle(this.#parts, grant, { waitedMs, mode: modeOf(options), options });
    this.#handles.set(grant, handle);
    if (waiting > 0) handle.onContended(waiting);
  }

  /** Of a session that was taken up: the program has not asked for it itself. */
  #handleOf(grant: Grant): LockHandle {
    const known = this.#handles.get(grant);
    if (known !== undefined) return known;
    const handle = new LockHandle(this.#parts, grant, { waitedMs: 0, mode: "exclusive", options: {} });
    this.#handles.set(grant, handle);
    return handle;
  }
}

function namesOf(name: string, { also = [] }: AcquireOptions): readonly string[] {
  return also.length === 0 ? [name] : [name, ...also.map((one) => (typeof one === "string" ? one : one.name))];
}

/** What is not held any more holds nothing up. */
function tokensOf(locks: readonly LockHandle[]): readonly number[] {
  if (!Array.isArray(locks) || !locks.every((lock) => lock instanceof LockHandle))
    throw new HoldfastError("MISUSE", "under must be a list of locks as acquire gives them, which may be empty");
  return locks.filter(({ mayStay }) => mayStay).map(({ token }) => token);
}

/** Of a function with options that may be left out: which is which. */
export function workOf<Options, Work>(what: string, options: Options | Work, work: Work | undefined): [Options, Work] {
  const call = `${what}(name, options, work)`;
  if (typeof options === "function") {
    if (work === undefined) return [{} as Options, options as Work];
    throw new HoldfastError("MISUSE", `${call} takes its options before the function`);
  }
  if (typeof work !== "function") throw new HoldfastError("MISUSE", `${call} needs a function`);
  return [options as Options, work];
}

/** Gives the lock back whatever happens. A loss is told even if the work did not notice: it must not count as done. */
async function runUnder<T>(lock: LockHandle, work: LockWork<T>): Promise<T> {
  let result: T;
  try {
    result = await work(lock);
  } catch (error) {
    // The work's own error is the one to be told.
    await lock.release().catch(() => {});
    throw error;
  }
  if (lock.lost) throw lock.lossError();
  await lock.end();
  return result;
}

function nullIfHeld(error: unknown): null {
  if (isHoldfastError(error) && error.code === "LOCK_HELD") return null;
  throw error;
}
