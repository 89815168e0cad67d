/** The reader processes. Which one gets what, when one is started and when it is killed, is the core's to say. */
import type { StoreEvent, StoreJob } from "../../core/index.js";
import { impossible, type ReaderId } from "../../terms/index.js";
import type { Frame } from "../pipe/frames.js";
import { readFromReader, sendToReader } from "../pipe/messages.js";
import type { Child } from "./child.js";
import type { Nursery, StoreOptions } from "./nursery.js";
import { isStopped } from "./process-identity.js";
import { requestIn, storeMethodOf } from "./store-request.js";
import { storeAnswer } from "./writer-desk.js";

export type ReaderJob = Extract<StoreJob, { to: "reader" }>;

interface Seat {
  readonly child: Child;
  state: "starting" | "ready";
  /** Why the process says that it cannot read; it ends then. */
  reason: string | undefined;
}

export class ReaderPool {
  readonly #options: StoreOptions;
  readonly #nursery: Nursery;
  readonly #on: (event: StoreEvent) => void;
  readonly #seats = new Map<ReaderId, Seat>();
  /** To be started when there may be more than one; afterwards nobody waits. */
  #waiting: Map<ReaderId, boolean> | undefined = new Map();
  #closing = false;

  constructor(options: StoreOptions, nursery: Nursery, on: (event: StoreEvent) => void) {
    this.#options = options;
    this.#nursery = nursery;
    this.#on = on;
  }

  get children(): readonly { readonly child: Child; readonly state: "starting" | "ready" }[] {
    return [...this.#seats.values()];
  }

  obey(job: ReaderJob): void {
    switch (job.kind) {
      case "start":
        if (this.#waiting !== undefined && this.#seats.size > 0)
          return void this.#waiting.set(job.reader, job.withoutWriter);
        return this.#start(job.reader, job.withoutWriter);
      case "kill":
        if (this.#waiting?.delete(job.reader)) return queueMicrotask(() => this.#gone(job.reader, job.why));
        return this.#seats.get(job.reader)?.child.kill(job.why);
      case "probe": {
        const seat = this.#seats.get(job.reader);
        // Never from inside of `obey`: the core is not to be asked while it speaks.
        if (seat !== undefined) queueMicrotask(() => this.#probe(job.reader, seat.child));
        return;
      }
      case "read": {
        const seat = this.#seats.get(job.reader);
        // Gone in this very turn: the core hears of it and gives the read to another.
        if (seat === undefined) return;
        const request = requestIn(job.parcel);
        const { encoding, raw } = request;
        const method = storeMethodOf(request);
        return sendToReader(seat.child.out, { kind: "read", read: job.read, method, encoding, raw });
      }
      default:
        return impossible(job, "job for a reader");
    }
  }

  /** From now on, as many as are asked for; before, one. `hasWriter`: it may have gone since they were asked for. */
  mayHaveMore(hasWriter: boolean): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    if (this.#closing) return;
    for (const [reader, withoutWriter] of waiting) this.#start(reader, withoutWriter || !hasWriter);
    this.flush();
  }

  flush(): void {
    for (const { child } of this.#seats.values()) child.flush();
  }

  close(): void {
    this.#closing = true;
    for (const { child } of this.#seats.values()) child.end();
  }

  #start(reader: ReaderId, withoutWriter: boolean): void {
    const { places, limits } = this.#options;
    try {
      const child = this.#nursery.bear({
        role: "reader",
        take: (frame) => this.#take(reader, frame),
        gone: ({ reason }) => this.#gone(reader, reason),
      });
      this.#seats.set(reader, { child, state: "starting", reason: undefined });
      sendToReader(child.out, { kind: "go", orders: { database: places.database, limits, withoutWriter } });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      queueMicrotask(() => this.#gone(reader, reason));
    }
  }

  #take(reader: ReaderId, frame: Frame): void {
    const message = readFromReader(frame);
    const seat = this.#seats.get(reader);
    if (seat === undefined || this.#closing) return;
    switch (message.kind) {
      case "loaded":
        return;
      case "ready":
        seat.state = "ready";
        return this.#on({ kind: "reader-ready", reader });
      case "begins":
        return this.#on({ kind: "read-begun", reader, read: message.read });
      case "unavailable":
        seat.reason = message.reason;
        return;
      case "answers":
        for (const answer of message.answers)
          this.#on({ kind: "read-settled", reader, read: answer.id, answer: storeAnswer(answer) });
        return;
      default:
        return impossible(message, "message from a reader");
    }
  }

  #probe(reader: ReaderId, { pid }: Child): void {
    if (!this.#closing) this.#on({ kind: "reader-seen", reader, stopped: isStopped(pid) });
  }

  #gone(reader: ReaderId, reason: string): void {
    const said = this.#seats.get(reader)?.reason;
    this.#seats.delete(reader);
    if (!this.#closing) this.#on({ kind: "reader-gone", reader, reason: said ?? reason });
  }
}
