/**
 * The front's side of the writer, and of the one that stands by.
 *
 *   none ──start──► starting ──ready──► ready ──gone──► none      the core is told of each step and starts the next one
 *                      └──cannot──► none                        (one that dies without a word is replaced first)
 *
 * | state    | what holds                                                        | who may end it               |
 * |----------|-------------------------------------------------------------------|------------------------------|
 * | none     | nothing is sent: what the core gives meanwhile it gives again      | the core                     |
 * | starting | the process has its orders; it says ready, or why not, or dies     | the process; this (it hangs) |
 * | ready    | all that is given is sent, in the order in which it is given       | the process; the core (kill) |
 *
 * The standby has its code loaded and no orders, so that a writer that was killed is replaced at once. What the core
 * does not count is remembered here: an ended session is told to the next writer until one has stored it.
 */
import { realpathSync } from "node:fs";
import type { Parcel, StoreAnswer, StoreEvent, StoreJob } from "../../core/index.js";
import { impossible, type SessionId, seq } from "../../terms/index.js";
import type { Frame } from "../pipe/frames.js";
import { type Answer, type FromWriter, readFromWriter, sendToWriter, type ToWriter } from "../pipe/messages.js";
import { exitCodes } from "../pipe/parent.js";
import { readProgress } from "../pipe/progress-file.js";
import type { StepMessage } from "../pipe/step-message.js";
import type { Child, ChildEnd } from "./child.js";
import type { Nursery, StoreOptions } from "./nursery.js";
import { isStopped } from "./process-identity.js";
import { StartWatch } from "./start-watch.js";
import { requestIn, StoreBody, storeMethodOf } from "./store-request.js";

export type WriterJob = Extract<StoreJob, { to: "writer" }>;

type State = { readonly kind: "none" } | Starting | { readonly kind: "ready"; readonly child: Child };

interface Starting {
  readonly kind: "starting";
  readonly child: Child;
  readonly repair: boolean;
  readonly watch: StartWatch;
  excuse: Excuse | undefined;
}

type Excuse = Extract<FromWriter, { kind: "unavailable" }>;

/** Calls once, when it is time to look again at a writer that starts. */
type LookLater = (look: () => void) => void;

/** A process that is killed while it starts says nothing of the database; so many in a row do. */
const silentDeathsMax = 3;

export class WriterDesk {
  readonly #options: StoreOptions;
  readonly #nursery: Nursery;
  readonly #on: (event: StoreEvent) => void;
  readonly #lookLater: LookLater;
  #state: State = { kind: "none" };
  #standby: Child | undefined;
  #mayStandBy = false;
  /** Told to a writer and not known to be stored, in order. */
  readonly #ended: SessionId[] = [];
  /** How many of the sessions told to this writer it has stored. */
  #stored = 0;
  #silentDeaths = 0;
  #first = true;
  /** Since the last one that was ready. */
  #starts = 0;
  #closing = false;

  constructor(
    options: StoreOptions,
    nursery: Nursery,
    { on, lookLater }: { readonly on: (event: StoreEvent) => void; readonly lookLater: LookLater },
  ) {
    this.#options = options;
    this.#nursery = nursery;
    this.#on = on;
    this.#lookLater = lookLater;
  }

  get state(): "none" | "starting" | "ready" {
    return this.#state.kind;
  }

  get child(): Child | undefined {
    return this.#state.kind === "none" ? undefined : this.#state.child;
  }

  get standby(): Child | undefined {
    return this.#standby;
  }

  /** From now on, with every writer that is ready, there is to be one that waits. */
  mayStandBy(): void {
    this.#mayStandBy = true;
    if (this.#state.kind === "ready") this.#standBy();
  }

  obey(job: WriterJob): void {
    switch (job.kind) {
      case "start":
        return this.#start(job.repair);
      case "kill":
        return this.child?.kill(job.why);
      case "probe":
        return this.#later({
          kind: "writer-progress",
          progress: this.#progress(),
          stopped: this.child !== undefined && isStopped(this.child.pid),
        });
      case "write": {
        const { seq: at, mode, session, key, ackedBelow, alone } = job;
        const request = requestIn(job.parcel);
        const { encoding, raw } = request;
        const method = storeMethodOf(request);
        return this.#send({ kind: "write", seq: at, mode, session, key, ackedBelow, alone, method, encoding, raw });
      }
      case "step": {
        const { step, seq: at, transaction, session, key, commits } = job;
        const request = job.parcel === undefined ? undefined : requestOf(job.parcel);
        return this.#send({ kind: "step", step, seq: at, transaction, session, key, commits, request });
      }
      case "settle":
        return this.#send({
          kind: "settle",
          seq: job.seq,
          session: job.session,
          keys: job.keys,
          encoding: requestIn(job.parcel).encoding,
        });
      case "end-session":
        this.#ended.push(job.session);
        return this.#send({ kind: "end-session", session: job.session });
      case "forget":
        return this.#send({ kind: "forget", session: job.session, below: job.below });
      case "reserve":
        return this.#send({ kind: "reserve", above: job.above, newIncarnation: job.newIncarnation });
      case "nothing-held":
      case "checkpoint":
        return this.#send({ kind: job.kind });
      case "watch":
        return this.#send({ kind: "watch", set: job.set, tables: job.tables, dropped: job.dropped });
      default:
        return impossible(job, "job for the writer");
    }
  }

  /** No more events; what is there ends when it has heard so. */
  close(): void {
    this.#closing = true;
    this.#standby?.end();
    this.child?.end();
  }

  #send(message: ToWriter): void {
    if (this.#state.kind === "ready") sendToWriter(this.#state.child.out, message);
  }

  // ── the life of a writer ──────────────────────────────────────────────────────────────────────────────────────────

  #start(repair: boolean): void {
    if (this.#state.kind !== "none") throw new Error(`a writer was to be started while one is ${this.#state.kind}`);
    const { places, limits, bootId } = this.#options;
    const { database, writerLock, progress } = places;
    try {
      const place = realpathSync(places.runDir);
      const child = this.#standby ?? this.#bear("writer");
      this.#standby = undefined;
      const watch = new StartWatch(this.#progress(), this.#silentDeaths);
      this.#state = { kind: "starting", child, repair, watch, excuse: undefined };
      this.#lookAgain(this.#state);
      const orders = { database, writerLock, progress, limits, bootId, place, repair, first: this.#first };
      sendToWriter(child.out, { kind: "go", orders });
      this.#starts++;
    } catch (error) {
      this.#later({ kind: "writer-unavailable", reason: error instanceof Error ? error.message : String(error) });
    }
  }

  #startAgain(repair: boolean): void {
    this.#start(repair);
    this.child?.flush();
  }

  /** As long as it starts. */
  #lookAgain(starting: Starting): void {
    const { child, watch } = starting;
    const look = () => {
      if (this.#state !== starting || this.#closing) return;
      if (watch.look(this.#progress())) child.kill("it does not come as far as the writer's lock");
      else this.#lookAgain(starting);
    };
    this.#lookLater(look);
  }

  #bear(role: "writer" | "standby"): Child {
    const child = this.#nursery.bear({
      role,
      take: (frame) => this.#take(child, frame),
      gone: (end) => this.#gone(child, end),
    });
    return child;
  }

  #standBy(): void {
    if (!this.#mayStandBy || this.#standby !== undefined || this.#closing || this.#options.standby === false) return;
    try {
      this.#standby = this.#bear("standby");
    } catch (error) {
      // Without one the next writer takes longer to start; that is all.
      this.#options.log("warn", {}, `no writer stands by: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #take(child: Child, frame: Frame): void {
    const message = readFromWriter(frame);
    if (child === this.child && !this.#closing) this.#hear(message, frame.payload.length);
  }

  #hear(message: FromWriter, bytes: number): void {
    switch (message.kind) {
      case "loaded":
        if (this.#state.kind === "starting") this.#state.watch.loaded();
        return;
      case "ready":
        return this.#ready(message);
      case "unavailable":
        if (this.#state.kind === "starting") this.#state.excuse = message;
        return;
      case "settled": {
        const { ranMs, committedMs } = message;
        this.#housekept(message.housekept);
        return this.#on({
          kind: "writer-settled",
          answers: message.answers.map((answer) => ({ seq: seq(answer.id), answer: storeAnswer(answer) })),
          storedSeq: seq(message.storedSeq),
          walBytes: message.walBytes,
          times: { ranMs, committedMs },
        });
      }
      case "reserved": {
        const { tokensFrom, tokensTo, incarnation } = message;
        return this.#on({ kind: "tokens-reserved", tokensFrom, tokensTo, incarnation });
      }
      case "watched": {
        const { set, upTo, absent, wrong } = message;
        return this.#on({ kind: "tables-watched", set, upTo: seq(upTo), absent, wrong });
      }
      case "changed": {
        const { seq: at, outside, tables } = message;
        return this.#on({ kind: "tables-changed", seq: seq(at), outside, tables, bytes });
      }
      case "checkpointed":
        return this.#on({ kind: "checkpointed", walBytes: message.walBytes, complete: message.complete });
      default:
        return impossible(message, "message from the writer");
    }
  }

  #ready(message: Extract<FromWriter, { kind: "ready" }>): void {
    if (this.#state.kind !== "starting") throw new Error(`a writer that is ${this.#state.kind} says that it is ready`);
    const { child } = this.#state;
    this.#state = { kind: "ready", child };
    this.#stored = 0;
    this.#silentDeaths = 0;
    this.#first = false;
    for (const session of this.#ended) this.#send({ kind: "end-session", session });
    child.flush();
    this.#standBy();
    const { epoch, storedSeq, previousBootId, heldBefore, movedFrom, incarnation, tokensFrom, tokensTo } = message;
    const starts = this.#starts;
    this.#starts = 0;
    this.#on({
      kind: "writer-ready",
      epoch,
      starts,
      storedSeq: seq(storedSeq),
      previousBootId,
      heldBefore,
      movedFrom,
      incarnation,
      tokensFrom,
      tokensTo,
    });
  }

  #housekept(stored: number): void {
    if (stored > this.#stored) this.#ended.splice(0, stored - this.#stored);
    this.#stored = stored;
  }

  #gone(child: Child, { exitCode, reason }: ChildEnd): void {
    if (child === this.#standby) this.#standby = undefined;
    if (this.#state.kind === "none" || child !== this.#state.child) return;
    const before = this.#state;
    this.#state = { kind: "none" };
    if (this.#closing) return;
    if (before.kind === "starting") {
      if (before.excuse === undefined && ++this.#silentDeaths < silentDeathsMax) return this.#startAgain(before.repair);
      this.#silentDeaths = 0;
      const { excuse } = before;
      const word = excuse?.refused === undefined ? {} : { refused: excuse.refused };
      const { reason: said = reason, lockHeld = false, ioFailed = false } = excuse ?? {};
      return this.#on({ kind: "writer-unavailable", reason: said, lockHeld, ioFailed, ...word });
    }
    const ioFailed = exitCode === exitCodes.diskFailed;
    this.#on({ kind: "writer-gone", progress: this.#progress(), ioFailed, left: exitCode === 0, reason });
  }

  #progress() {
    return readProgress(this.#options.places.progress);
  }

  /** Never from inside of `obey`: the core is not to be asked while it speaks. */
  #later(event: StoreEvent): void {
    queueMicrotask(() => {
      if (!this.#closing) this.#on(event);
    });
  }
}

function requestOf(parcel: Parcel): StepMessage["request"] {
  const request = requestIn(parcel);
  const { encoding, raw } = request;
  return { method: storeMethodOf(request), encoding, raw };
}

export function storeAnswer(answer: Answer): StoreAnswer {
  switch (answer.kind) {
    case "done":
      return { kind: "done", body: new StoreBody(answer.bytes, answer.encoding) };
    case "refused":
      return answer.ended === true
        ? { kind: "refused", refusal: answer.refusal, ended: true }
        : { kind: "refused", refusal: answer.refusal };
    case "absent":
      return { kind: "absent" };
  }
}
