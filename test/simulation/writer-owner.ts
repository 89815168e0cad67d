/**
 * Who has the writer to itself, as a bystander sees it go to the writer, and who waits for it meanwhile: a transaction
 * that others wait for is over when its time is (rule 15), whatever its client does.
 */
import type { Command, Job, Letter } from "../../src/core/index.js";
import type { Limits } from "../../src/terms/index.js";
import type { Presence } from "./presence.js";

/** When its client says nothing, its end is confirmed after a moment; and a turn may come late. */
const confirmedMs = 1500;

interface Waiting {
  readonly session: string;
  readonly connection: number;
  /** In the broker's running time. */
  readonly since: number;
}

export class WriterOwner {
  readonly #limits: Limits;
  readonly #presence: Presence;
  /** Writes, and transactions that write, which have no answer: by `connection/request`. */
  readonly #waiting = new Map<string, Waiting>();
  /** The transaction that is with the writer. `since`: its begin was answered; `usedAt`: its client or the writer spoke. */
  #owner: { readonly seq: number; readonly session: string; since: number | undefined; usedAt: number } | undefined;

  constructor(limits: Limits, presence: Presence) {
    this.#limits = limits;
    this.#presence = presence;
  }

  /** Another life of the broker. */
  born(): void {
    this.#waiting.clear();
    this.#owner = undefined;
  }

  told(command: Command): void {
    this.#isUsed(command);
    switch (command.kind) {
      case "tx-begin":
        if (command.mode === "write") this.#waits(command);
        return;
      case "write":
        return this.#waits(command);
      case "disconnected":
        for (const [id, { connection }] of this.#waiting)
          if (connection === command.connection) this.#waiting.delete(id);
        return;
      case "writer-settled":
        for (const { seq, answer } of command.answers) {
          // A statement may take the whole transaction away: then it does not have the writer any more.
          if (answer.kind === "refused" && answer.ended === true) this.#owner = undefined;
          if (this.#owner === undefined || seq !== this.#owner.seq) continue;
          // One whose begin is refused has never had the writer.
          if (answer.kind === "refused") this.#owner = undefined;
          else this.#owner.since = this.#presence.running;
        }
        return;
      case "writer-gone":
        this.#owner = undefined;
        return;
      default:
    }
  }

  answered({ to, request }: Extract<Letter, { request: unknown }>): void {
    this.#waiting.delete(`${to}/${request}`);
  }

  dispatched(job: Job): void {
    if (job.to !== "writer" || job.kind !== "step") return;
    if (job.step === "begin") this.#owner = { seq: job.seq, session: job.session, since: undefined, usedAt: 0 };
    else if (job.step !== "run") this.#owner = undefined;
  }

  check(): void {
    const { since, session, usedAt = 0 } = this.#owner ?? {};
    if (since === undefined || this.#waiting.size === 0) return;
    const { running } = this.#presence;
    if (running <= usedAt + confirmedMs) return;
    const allowedMs = this.#limits.txContendedMs + confirmedMs;
    for (const other of this.#waiting.values()) {
      const waitedMs = running - Math.max(since, other.since);
      if (other.session !== session && waitedMs > allowedMs)
        throw new Error(`${session} has the writer to itself, and ${other.session} has waited for ${waitedMs} ms`);
    }
  }

  #isUsed(command: Command): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    const speaks = "connection" in command && this.#presence.sessionOf(command.connection) === owner.session;
    if (speaks || command.kind === "writer-settled") owner.usedAt = this.#presence.running;
  }

  #waits({ connection, request }: { readonly connection: number; readonly request: string | number }): void {
    const session = this.#presence.sessionOf(connection);
    const since = this.#presence.running;
    if (session !== undefined) this.#waiting.set(`${connection}/${request}`, { session, connection, since });
  }
}
