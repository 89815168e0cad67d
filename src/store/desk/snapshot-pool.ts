/**
 * The processes that hold one session's snapshot each. Which one gets what, when one is started and when it is killed,
 * is the core's to say; here is only held back what a client does not take.
 */
import type { SnapshotEvent, SnapshotJob, StoreEvent } from "../../core/index.js";
import { impossible, type SnapshotProcessId, seq } from "../../terms/index.js";
import type { Frame } from "../pipe/frames.js";
import { readFromReader, sendToReader } from "../pipe/messages.js";
import { type FromSnapshot, readFromSnapshot, sendToSnapshot } from "../pipe/snapshot-messages.js";
import type { Child } from "./child.js";
import type { Nursery, StoreOptions } from "./nursery.js";
import { requestIn, StreamPiece, storeMethodOf } from "./store-request.js";
import { storeAnswer } from "./writer-desk.js";

interface Seat {
  readonly child: Child;
  state: "starting" | "ready";
  /** Why the process says that it cannot read; it ends then. */
  reason: string | undefined;
}

export class SnapshotPool {
  readonly #options: StoreOptions;
  readonly #nursery: Nursery;
  readonly #on: (event: StoreEvent) => void;
  readonly #seats = new Map<SnapshotProcessId, Seat>();
  #closing = false;

  constructor(options: StoreOptions, nursery: Nursery, on: (event: StoreEvent) => void) {
    this.#options = options;
    this.#nursery = nursery;
    this.#on = on;
  }

  get children(): readonly { readonly child: Child; readonly state: "starting" | "ready" }[] {
    return [...this.#seats.values()];
  }

  obey(job: SnapshotJob): void {
    const seat = this.#seats.get(job.process);
    if (job.kind === "start") return this.#start(job.process, job.withoutWriter);
    // Gone in this very turn: the core hears of it.
    if (seat === undefined) return;
    const { child } = seat;
    switch (job.kind) {
      case "kill":
        return child.kill(job.why);
      case "begin":
        return sendToSnapshot(child.out, { kind: "begin", run: job.run });
      case "run": {
        const request = requestIn(job.parcel);
        const { encoding, raw } = request;
        return sendToSnapshot(child.out, { kind: "run", run: job.run, method: storeMethodOf(request), encoding, raw });
      }
      case "stream": {
        const { encoding, raw } = requestIn(job.parcel);
        return sendToSnapshot(child.out, { kind: "stream", run: job.run, credit: job.credit, encoding, raw });
      }
      case "credit":
        return sendToSnapshot(child.out, { kind: "credit", run: job.run, bytes: job.bytes });
      case "close":
        return sendToSnapshot(child.out, { kind: "close", run: job.run });
      case "end":
        return sendToSnapshot(child.out, { kind: "end" });
      default:
        return impossible(job, "job for a snapshot");
    }
  }

  /** While held, nothing that this process sends is read: it stops when its pipe is full. */
  hold(process: SnapshotProcessId, held: boolean): void {
    this.#seats.get(process)?.child.hold(held);
  }

  flush(): void {
    for (const { child } of this.#seats.values()) child.flush();
  }

  close(): void {
    this.#closing = true;
    for (const { child } of this.#seats.values()) {
      child.hold(false);
      child.end();
    }
  }

  #start(process: SnapshotProcessId, withoutWriter: boolean): void {
    const { places, limits } = this.#options;
    try {
      const child = this.#nursery.bear({
        role: "snapshot",
        take: (frame) => this.#take(process, frame),
        gone: ({ reason }) => this.#gone(process, reason),
      });
      this.#seats.set(process, { child, state: "starting", reason: undefined });
      sendToReader(child.out, { kind: "go", orders: { database: places.database, limits, withoutWriter } });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      queueMicrotask(() => this.#gone(process, reason));
    }
  }

  #take(process: SnapshotProcessId, frame: Frame): void {
    const seat = this.#seats.get(process);
    if (seat === undefined || this.#closing) return;
    const told = readFromSnapshot(frame);
    if (told !== undefined) return this.#on(eventOf(process, told));
    const message = readFromReader(frame);
    switch (message.kind) {
      case "loaded":
        return;
      case "ready":
        seat.state = "ready";
        return this.#on({ kind: "snapshot-ready", process });
      case "unavailable":
        seat.reason = message.reason;
        return;
      case "answers":
      case "begins":
        throw new Error("a process for snapshots has run a plain read");
      default:
        return impossible(message, "message from a snapshot");
    }
  }

  #gone(process: SnapshotProcessId, reason: string): void {
    const said = this.#seats.get(process)?.reason;
    this.#seats.delete(process);
    if (!this.#closing) this.#on({ kind: "snapshot-gone", process, reason: said ?? reason });
  }
}

function eventOf(process: SnapshotProcessId, told: FromSnapshot): SnapshotEvent {
  switch (told.kind) {
    case "begun":
      return { kind: "snapshot-begun", process, run: told.run, seq: seq(told.seq), commits: told.commits };
    case "answered":
      return { kind: "snapshot-answered", process, run: told.answer.id, answer: storeAnswer(told.answer) };
    case "rows":
      return { kind: "snapshot-rows", process, run: told.run, rows: told.rows, message: new StreamPiece(told.message) };
    case "waits":
      return { kind: "snapshot-waits", process, run: told.run, credit: told.credit };
    case "streamed":
      return { kind: "snapshot-streamed", process, run: told.run, refusal: told.refusal };
    case "cleared":
      return { kind: "snapshot-cleared", process };
    default:
      return impossible(told, "message from a snapshot");
  }
}
