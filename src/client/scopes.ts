/**
 * Which of its locks a task of the program has in its hands while it asks for another: what the broker must know to find
 * deadlocks, and cannot see. A session is too coarse for that, since the tasks of a program go on beside each other.
 *
 * What runs inside `withLock` is a scope and holds its lock; scopes nest, and each asynchronous task is in its own. What
 * was acquired without a scope belongs to the whole program: any task may be the one that gives it back, or none.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Grant } from "./conversation/index.js";

interface Scope {
  readonly owner: Scopes;
  readonly outer: Scope | undefined;
  readonly grants: Set<Grant>;
}

const current = new AsyncLocalStorage<Scope>();

/** Beyond so many the broker is told nothing, and takes all of the session: it knows them without a list. */
const tokensMax = 256;

/** Those of one broker handle. */
export class Scopes {
  readonly #program = new Set<Grant>();
  readonly #places = new WeakMap<Grant, Set<Grant>>();

  /** Runs `work` as a task that has `grant` until it ends. */
  async run<T>(grant: Grant, work: () => Promise<T>): Promise<T> {
    const around = this.#here()?.grants ?? this.#program;
    const scope: Scope = { owner: this, outer: current.getStore(), grants: new Set() };
    this.#put(grant, scope.grants);
    try {
      return await current.run(scope, work);
    } finally {
      this.forget(grant);
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
   * The tokens that are not given back before a request is done that is made here. Undefined: nobody can tell which, so
   * all of the session's count, but a wait for one of its own is no deadlock.
   *
   * `scoped`: the request itself is the beginning of a scope; then a task that has nothing in its hands is known as such.
   * `names`: what it asks for. What the whole program has of these, another task may give back: that is worth a wait.
   */
  under(names: readonly string[], scoped: boolean): readonly number[] | undefined {
    const here = this.#here();
    if (here === undefined && !scoped) return undefined;
    const tokens: number[] = [];
    for (let scope = here; scope !== undefined; scope = this.#enclosing(scope))
      for (const { state, token } of scope.grants) if (state === "held") tokens.push(token);
    if (tokens.length + this.#program.size > tokensMax) return undefined;
    for (const grant of this.#program)
      if (grant.state === "held" && !grant.names.some((name) => names.includes(name))) tokens.push(grant.token);
    return tokens;
  }

  #put(grant: Grant, place: Set<Grant>): void {
    this.forget(grant);
    if (grant.state !== "held") return;
    place.add(grant);
    this.#places.set(grant, place);
  }

  #here(): Scope | undefined {
    const scope = current.getStore();
    return scope === undefined || scope.owner === this ? scope : this.#enclosing(scope);
  }

  #enclosing({ outer }: Scope): Scope | undefined {
    let scope = outer;
    while (scope !== undefined && scope.owner !== this) scope = scope.outer;
    return scope;
  }
}
