/**
 * What a statement of a transaction comes to, as the program gets it. It knows whether anybody listens: a refusal that
 * nobody listens to is told by the commit, and must not end the program before that as an unhandled rejection.
 */

/** Why a statement was refused. */
export interface Failed {
  readonly error: unknown;
}

export class StepPromise<T> extends Promise<T> {
  /** What is made of it by `then` is a plain one: when that rejects unheard, it is the program's. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Resolves when there is an outcome, with undefined unless it was refused. Never rejects. */
  readonly failed: Promise<Failed | undefined>;
  #tell!: (failed: Failed | undefined) => void;
  #heard = false;

  private constructor(answered: Promise<T>) {
    super((resolve, reject) => void answered.then(resolve, reject));
    this.failed = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  /**
   * From promise to promise there is one reaction on the way, and no other: else the stack of an error would end before
   * it comes to the program.
   */
  static of<T>(run: () => Promise<T>): StepPromise<T> {
    const answer = async (): Promise<T> => {
      try {
        const result = await run();
        step.#tell(undefined);
        return result;
      } catch (error) {
        step.#refused(error);
        throw error;
      }
    };
    const step: StepPromise<T> = new StepPromise(answer());
    return step;
  }

  /** Whether anybody waits for it, or has. An `await` is noted a microtask later. */
  get heard(): boolean {
    return this.#heard;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise, and this is how it knows of those who listen.
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#heard = true;
    return super.then(onFulfilled, onRejected);
  }

  #refused(error: unknown): void {
    if (!this.#heard) super.then(undefined, () => undefined);
    this.#tell({ error });
  }
}

/** The statements of one transaction that its commit has to tell of. */
export class Steps {
  /** Those that have no outcome yet, in order. */
  readonly #open = new Set<StepPromise<unknown>>();
  /** Those that were refused while nobody waited for them; somebody may by now. */
  readonly #unheard: StepPromise<unknown>[] = [];

  handOut<T>(run: () => Promise<T>): Promise<T> {
    const step = StepPromise.of(run);
    this.#open.add(step);
    void step.failed.then((failed) => {
      this.#open.delete(step);
      if (failed !== undefined && !step.heard) this.#unheard.push(step);
    });
    return step;
  }

  /** Waits for all that has no outcome yet: why one of it was refused, or one before that nobody has waited for. */
  async refusedUnheard(): Promise<Failed | undefined> {
    while (this.#open.size > 0)
      for (const step of [...this.#open]) {
        const failed = await step.failed;
        if (failed !== undefined) return failed;
      }
    return this.#unheard.find(({ heard }) => !heard)?.failed;
  }
}
