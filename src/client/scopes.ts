/**
 * Which of its locks a task of the program has in its hands while it asks for another: what the broker must know to find
 * deadlocks, and cannot see. A session is too coarse for that, since the tasks of a program go on beside each other.
 *
 * What runs inside `withLock` is a scope and holds its lock; scopes nest, and each asynchronous task is in its own. What
 * was acquired without a scope belongs to the whole program: nobody can know which task will give it back, and when. The
 * common program has one task and acquires one lock after the other, and two of these in opposite order must not wait for
 * ever; so it is taken to be given back only after everything that is asked for meanwhile. Who has tasks that do without
 * each other says so: by scopes, or with the option `under`.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Grant } from "./conversation/index.js";
import { living, type Nested, nearest } from "./nesting.js";

interface Scope extends Nested<Scope> {
  /** Where what began in it stands when it is over. Passes over those that are over, or a loop would hold all its turns. */
  outer: Scope | undefined;
  readonly grants: Set<Grant>;
  over: boolean;
}

const current = new AsyncLocalStorage<Scope>();

/** Beyond so many the broker is told nothing, and takes all of the session: it knows them without a list. */
const tokensMax = 256;

/** Those of one broker handle. */
export class Scopes {
  readonly #program = new Set<Grant>();
  /** How many scopes are begun, or wait for their lock. */
  #count = 0;
  readonly #places = new WeakMap<Grant, Set<Grant>>();

  /** What happens meanwhile belongs to a scope, or is about to. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await work();
    } finally {
      this.#count--;
    }
  }

  /** Runs `work` as a task that has `grant` until it ends. */
  async run<T>(grant: Grant, work: () => Promise<T>): Promise<T> {
    const scope: Scope = { owner: this, outer: living(current.getStore()), grants: new Set(), over: false };
    this.#put(grant, scope.grants);
    try {
      return await current.run(scope, work);
    } finally {
      this.forget(grant);
      scope.over = true;
      const around = this.#enclosing(scope)?.grants ?? this.#program;
      for (const left of [...scope.grants]) this.#put(left, around);
    }
  }

  /** It was acquired without a scope of its own. */
  note(grant: Grant): void {
    this.#put(grant, this.#here()?.grants ?? this.#program);
  }

  /** It is not held any more. */
  forget(grant: Grant): void {
    this.#places.get(grant)?.delete(grant);
    this.#places.delete(grant);
  }

  /**
   * The tokens that are not given back before a request is done that is made here. Undefined: all that the session has,
   * which the broker knows, and what it is about to get as well; but a wait for one of its own is no deadlock.
   *
   * `names`: what it asks for. What the whole program has of these, another task may give back: that is worth a wait.
   */
  under(names: readonly string[]): readonly number[] | undefined {
    if (this.#count === 0) return undefined;
    const tokens = [...this.inHand()];
    if (tokens.length + this.#program.size > tokensMax) return undefined;
    for (const grant of this.#program)
      if (grant.mayStay && !grant.names.some((name) => names.includes(name))) tokens.push(grant.token);
    return tokens;
  }

  /** Those of the scopes that we are in: of a task that does without everything else that the program has. */
  *inHand(): Iterable<number> {
    for (let scope = this.#here(); scope !== undefined; scope = this.#enclosing(scope))
      for (const { mayStay, token } of scope.grants) if (mayStay) yield token;
  }

  #put(grant: Grant, place: Set<Grant>): void {
    this.forget(grant);
    if (!grant.mayStay) return;
    place.add(grant);
    this.#places.set(grant, place);
  }

  #here(): Scope | undefined {
    return nearest(this, current.getStore());
  }

  #enclosing(scope: Scope): Scope | undefined {
    scope.outer = living(scope.outer);
    return nearest(this, scope.outer);
  }
}
