/**
 * Results of any size, one snapshot for each. A stream belongs to the connection that asked for it and ends with it: it
 * is never taken up from another snapshot.
 *
 *   asked ──its turn──► opening ──answered with the columns──► open ──done──► (none)
 *     │ closed, cancelled │ refused                              │ closed, or lost with its snapshot
 *     └──────► (none) ◄───┴──────────────────────────────────────┘
 *
 * | state   | what holds                                            | what its client hears when it is over   |
 * |---------|-------------------------------------------------------|-----------------------------------------|
 * | asked   | it waits for the writes before it, or for a process    | its request is refused                  |
 * | opening | it has a process, which runs it to its first row       | its request is refused                  |
 * | open    | its request is answered; its rows go to the client     | that it is done, and why                |
 *
 * One whose process died before it had answered is asked once more: nothing of it was seen. One of a transaction has its
 * snapshot from that, and none of its own.
 */
import { type ConnectionId, type Instant, type Limits, type Refusal, refuse } from "../../terms/index.js";
import type { Asker, Parcel, StreamCommand } from "../command.js";
import type { Draft } from "../draft.js";
import { connectionOf, type Session } from "../sessions/session.js";
import { endOfStream } from "./read-ends.js";
import type { Borrower, Run, RunAnswer, Snapshot, SnapshotEnd } from "./snapshot.js";
import type { Snapshots } from "./snapshots.js";

export interface StreamsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly snapshots: Snapshots;
}

/** From whom it has its snapshot: the table of processes, for itself; or a transaction, whose snapshot it shares. */
export interface Lender {
  submit(stream: Borrower, now: Instant): void;
  /** It does not want its turn any more. */
  withdraw(stream: Borrower, now: Instant): void;
  /** It is over, or is to be ended where it runs. */
  giveBack(snapshot: Snapshot, now: Instant, stream: Borrower): void;
  /** One that was given back while it was being opened is not in the way of another any more. */
  readonly closed?: (now: Instant) => void;
}

type StreamState =
  | { readonly kind: "asked" }
  | { readonly kind: "opening"; readonly snapshot: Snapshot; readonly run: Run }
  | { readonly kind: "open"; readonly snapshot: Snapshot }
  | { readonly kind: "over" };

interface Stream extends Borrower {
  readonly asker: Asker;
  readonly number: number;
  readonly command: StreamCommand;
  readonly lender: Lender;
  state: StreamState;
  /** What it was given before its process was told of it. */
  credit: number;
  /** How many rows went to its client. */
  sent: number;
  /** How many processes have died while they opened it, by no doing of the broker's. */
  deaths: number;
}

export class Streams {
  readonly #parts: StreamsParts;
  readonly #streams = new Map<ConnectionId, Map<number, Stream>>();

  constructor(parts: StreamsParts) {
    this.#parts = parts;
  }

  get size(): number {
    let size = 0;
    for (const streams of this.#streams.values()) size += streams.size;
    return size;
  }

  // ── asked ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  open(session: Session, command: StreamCommand, now: Instant, lender: Lender = this.#parts.snapshots): void {
    const { connection, request, stream: number, credit, parcel } = command;
    if (this.#get(connection, number) !== undefined)
      return this.#refuse(command, refuse("PARAMS_INVALID", `stream ${number} is open already on this connection`));
    const stream: Stream = {
      ...{ session, after: session.writesSent, parcel, number, command, lender, credit, sent: 0, deaths: 0 },
      asker: { connection, request },
      state: { kind: "asked" },
      lent: (snapshot, at) => this.#lent(stream, snapshot, at),
      lost: (end, reason, at) => this.#lost(stream, end, reason, at),
    };
    this.#keep(stream);
    lender.submit(stream, now);
  }

  credit(connection: ConnectionId, number: number, bytes: number, now: Instant): void {
    const stream = this.#get(connection, number);
    if (stream === undefined) return; // It has just ended.
    if (stream.state.kind === "open") stream.state.snapshot.credit(bytes, now);
    else stream.credit += bytes;
  }

  close(connection: ConnectionId, number: number, now: Instant): void {
    const stream = this.#get(connection, number);
    if (stream !== undefined) this.#end(stream, refuse("CANCELLED", "the stream was closed by its client"), now);
  }

  /** Whether there was such a request. */
  cancel(asker: Asker, now: Instant): boolean {
    for (const stream of this.#streams.get(asker.connection)?.values() ?? []) {
      if (stream.asker.request !== asker.request || stream.state.kind === "open") continue;
      this.#end(stream, refuse("CANCELLED", "the stream was cancelled before it was open"), now);
      return true;
    }
    return false;
  }

  /** Nobody hears the rows any more. */
  connectionLost(session: Session, now: Instant): void {
    this.#withdrawAsked(session);
    for (const streams of [...this.#streams.values()])
      for (const stream of [...streams.values()]) if (stream.session === session) this.#letGo(stream, now);
  }

  sessionEnds(session: Session, over: Refusal, now: Instant): void {
    for (const stream of this.#withdrawAsked(session)) this.#refuse(stream.asker, over);
    for (const streams of [...this.#streams.values()])
      for (const stream of [...streams.values()]) if (stream.session === session) this.#end(stream, over, now);
  }

  check(): void {
    for (const [connection, streams] of this.#streams) {
      if (streams.size === 0) throw new Error("streams: a connection without streams is kept");
      for (const [number, stream] of streams) {
        const { state, session, asker } = stream;
        const wrong = (what: string) =>
          new Error(`stream ${number} of connection ${connection} is ${state.kind}: ${what}`);
        if (stream.number !== number || asker.connection !== connection) throw wrong("it is kept under another name");
        if (connectionOf(session) !== connection) throw wrong("its connection is gone");
        if (state.kind === "over") throw wrong("it is still listed");
        if (state.kind !== "asked" && stream.lender === this.#parts.snapshots && state.snapshot.borrower !== stream)
          throw wrong("its snapshot is another's");
        if (state.kind === "open" && state.snapshot.flow === undefined) throw wrong("nothing flows");
      }
    }
  }

  // ── its snapshot ──────────────────────────────────────────────────────────────────────────────────────────────────

  #lent(stream: Stream, snapshot: Snapshot, now: Instant): void {
    const { command, credit } = stream;
    const run = snapshot.stream(
      {
        credit,
        timeoutMs: command.timeoutMs,
        parcel: command.parcel,
        answered: (answer, at) => this.#answered(stream, snapshot, answer, at),
        rows: (message) => this.#rows(stream, snapshot, message),
        done: (refusal, at) => this.#done(stream, refusal, at),
      },
      now,
    );
    stream.state = { kind: "opening", snapshot, run };
  }

  #answered(stream: Stream, snapshot: Snapshot, answer: RunAnswer, now: Instant): void {
    const { connection: to, request } = stream.asker;
    // Closed while a transaction's process was opening it: that lives on, and has it open now.
    if (stream.state.kind === "over") {
      snapshot.closeStream(now);
      return stream.lender.closed?.(now);
    }
    switch (answer.kind) {
      case "done":
        this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
        stream.state = { kind: "open", snapshot };
        // What came while it was opening.
        if (stream.credit > (snapshot.flow?.credit ?? 0))
          snapshot.credit(stream.credit - (snapshot.flow?.credit ?? 0), now);
        return;
      case "refused":
        return this.#end(stream, answer.refusal, now);
      default:
        throw new Error(`streams: a stream was answered as ${answer.kind}`);
    }
  }

  #rows(stream: Stream, { process, flow }: Snapshot, message: Parcel): void {
    stream.sent = flow?.sent ?? stream.sent;
    this.#parts.draft.send.push({ kind: "rows", to: stream.asker.connection, process, message });
  }

  #done(stream: Stream, refusal: Refusal | undefined, now: Instant): void {
    this.#tellDone(stream, refusal);
    this.#letGo(stream, now);
  }

  #lost(stream: Stream, end: SnapshotEnd, reason: string, now: Instant): void {
    const { lender } = stream;
    const mayAgain = lender === this.#parts.snapshots && end === "crashed" && stream.state.kind === "opening";
    if (!mayAgain || stream.deaths++ > 0) return this.#over(stream, endOfStream(end, reason));
    stream.state = { kind: "asked" };
    lender.submit(stream, now);
  }

  // ── its end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Told, and then nothing of it is left. */
  #end(stream: Stream, refusal: Refusal, now: Instant): void {
    const { state } = stream;
    this.#over(stream, refusal);
    this.#giveBack(stream, state, now);
  }

  /** The snapshot is gone already. */
  #over(stream: Stream, refusal: Refusal): void {
    if (stream.state.kind === "open") this.#tellDone(stream, refusal);
    else this.#refuse(stream.asker, refusal);
    this.#forget(stream);
  }

  #letGo(stream: Stream, now: Instant): void {
    const { state } = stream;
    this.#forget(stream);
    this.#giveBack(stream, state, now);
  }

  #giveBack(stream: Stream, state: StreamState, now: Instant): void {
    const { lender } = stream;
    if (state.kind === "asked") return lender.withdraw(stream, now);
    if (state.kind === "over") return;
    if (state.kind === "opening") state.snapshot.cancel(state.run, now);
    lender.giveBack(state.snapshot, now, stream);
  }

  /** All of a session that wait for a process, together: each by itself would look through all the others. */
  #withdrawAsked(session: Session): ReadonlySet<Stream> {
    const asked = new Set<Stream>();
    for (const streams of this.#streams.values())
      for (const stream of streams.values())
        if (stream.session === session && stream.state.kind === "asked" && stream.lender === this.#parts.snapshots)
          asked.add(stream);
    for (const stream of asked) this.#forget(stream);
    if (asked.size > 0) this.#parts.snapshots.withdrawAll(session, asked);
    return asked;
  }

  #tellDone({ asker, number, sent: rows }: Stream, refusal: Refusal | undefined): void {
    this.#parts.draft.send.push({ kind: "stream-done", to: asker.connection, stream: number, rows, refusal });
  }

  #refuse({ connection: to, request }: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to, request, refusal });
  }

  #get(connection: ConnectionId, number: number): Stream | undefined {
    return this.#streams.get(connection)?.get(number);
  }

  #keep(stream: Stream): void {
    const { connection } = stream.asker;
    const streams = this.#streams.get(connection) ?? new Map<number, Stream>();
    streams.set(stream.number, stream);
    this.#streams.set(connection, streams);
  }

  #forget(stream: Stream): void {
    const { asker, number } = stream;
    stream.state = { kind: "over" };
    const streams = this.#streams.get(asker.connection);
    streams?.delete(number);
    if (streams?.size === 0) this.#streams.delete(asker.connection);
  }
}
