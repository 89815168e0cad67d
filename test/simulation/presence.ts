/**
 * Who is there, as a bystander knows it: which connection speaks for which session, since when nobody does, when each was
 * heard last, and whether a session may be over.
 */
import type { Command, HelloCommand, Letter, ProcessIdentity, SessionRow } from "../../src/core/index.js";

/** How late the end of a window or lease may be confirmed, and the turn in which that is found (ms). */
export const lateMsMax = 5000 + 1500;

const saidGoodbye = "it says goodbye";

export interface Session {
  /** The connection that speaks for it. */
  presentOn: number | undefined;
  /** It was there without a break since the turn began. */
  steady: boolean;
  /** It was there at some moment of this turn. */
  touched: boolean;
  /** In running time of the broker; valid while nobody speaks for it. */
  awaySince: number;
  /** In running time: when a byte of it was read last, or the broker began to read it again. */
  heardAt: number;
  /** The same when the broker has looked in this turn: what comes after that look is too late for its lease. */
  heardAtLook: number | undefined;
  /** After a restart no lease ends before, unless it has come back. */
  graceUntil: number;
  windowMs: number;
  bound: boolean;
  process: ProcessIdentity | undefined;
  outer: string | undefined;
  /** Why it may end before its window is over. */
  mayEnd: string | undefined;
  /** This life of the broker was told that its process is dead; one that ends at that moment leaves it to the next. */
  toldDead: boolean;
  /** It was told so before this turn. */
  mustEnd: boolean;
  lastSeq: number;
}

export class Presence {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  /** Of sessions that have ended. */
  readonly #lastSeqs = new Map<string, number>();
  readonly #connections = new Map<number, string>();
  /** Written down since the last turn: who said hello, who went. */
  #log: Extract<Command, { kind: "hello" | "disconnected" }>[] = [];
  #pausedMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The broker's own time, in which it stood still for nobody. */
  get running(): number {
    return this.#now() - this.#pausedMs;
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  sessionOf(connection: number): string | undefined {
    return this.#connections.get(connection);
  }

  readonly isThere = (id: string): boolean => this.#sessions.get(id)?.presentOn !== undefined;

  readonly wasThere = (id: string): boolean => this.#sessions.get(id)?.steady === true;

  readonly outerOf = (id: string): string | undefined => {
    const outer = this.#sessions.get(id)?.outer;
    return outer !== undefined && this.#sessions.has(outer) ? outer : undefined;
  };

  // ── what happens ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Another life of the broker, with these sessions. `graceMs`: that of leases. */
  born(rows: Iterable<SessionRow>, graceMs: number): void {
    const before = new Map(this.#sessions);
    this.#sessions.clear();
    this.#lastSeqs.clear();
    this.#connections.clear();
    this.#log = [];
    for (const row of rows) {
      const { mayEnd } = before.get(row.session) ?? {};
      const graceUntil = this.running + graceMs;
      this.#sessions.set(row.session, { ...absent(row, this.running), mayEnd, graceUntil });
    }
  }

  told(command: Command): void {
    switch (command.kind) {
      case "hello":
      case "disconnected":
        this.#log.push(command);
        return;
      case "paused":
        return this.#paused(command.ms);
      case "process-fate":
        return this.#fate(command);
      case "connection-seen":
        return this.#looked(command.session);
      case "settle":
        return this.#mayEnd(command.session, "its successor settles it");
      case "goodbye":
        return this.#mayEnd(this.#connections.get(command.connection), saidGoodbye);
      default:
    }
  }

  /** A byte of it was read, or it is not read by the broker's own will. */
  heard(connection: number): void {
    const session = this.#sessions.get(this.#connections.get(connection) ?? "");
    if (session !== undefined) session.heardAt = this.running;
  }

  /** What the core has made of those who came and went. Gives those who are welcome. */
  turned(send: readonly Letter[]): HelloCommand[] {
    for (const session of this.#sessions.values()) {
      session.mustEnd = session.toldDead;
      session.steady = session.presentOn !== undefined;
      session.touched = session.steady;
    }
    const welcome: HelloCommand[] = [];
    for (const command of this.#log) {
      if (command.kind === "disconnected") this.#gone(command.connection);
      else if (send.some((letter) => isWelcome(letter, command))) {
        this.#comes(command);
        welcome.push(command);
      }
    }
    this.#log = [];
    return welcome;
  }

  opened(row: SessionRow): void {
    const { session, windowMs, identity, outer } = row;
    const known = this.#sessions.get(session) ?? absent(row, this.running);
    const { bound, process } = identity;
    this.#sessions.set(session, Object.assign(known, { windowMs, bound, process, outer }));
  }

  ended(id: string): void {
    if (this.whyOver(id) === undefined) throw new Error(`session ${id} was ended, and it was not over`);
    this.#lastSeqs.set(id, this.lastSeqOf(id));
    this.#sessions.delete(id);
  }

  /** The last that was dispatched for this session, also if it has ended. */
  lastSeqOf(id: string): number {
    return this.#sessions.get(id)?.lastSeq ?? this.#lastSeqs.get(id) ?? 0;
  }

  /** Why the session may be over now, if it may. */
  whyOver(id: string): string | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return "it is not there";
    if (session.mayEnd !== undefined) return session.mayEnd;
    const { presentOn, bound, awaySince, windowMs } = session;
    const over = presentOn === undefined && !bound && this.running - awaySince >= windowMs;
    return over ? "its window is over" : undefined;
  }

  /** What was decided in this turn is written down. */
  decided(): void {
    for (const session of this.#sessions.values()) session.heardAtLook = undefined;
  }

  /** Nobody stays beyond his window, but for his writes that are with the writer: these may be endless one after the other. */
  check(settledThrough: number): void {
    for (const [id, { presentOn, bound, awaySince, windowMs, mayEnd, lastSeq }] of this.#sessions)
      if (mayEnd === undefined && presentOn === undefined && !bound && lastSeq <= settledThrough)
        if (this.running - awaySince > windowMs + lateMsMax)
          throw new Error(`${id} has been away for ${this.running - awaySince} ms and has ${windowMs}`);
  }

  // ── one session ───────────────────────────────────────────────────────────────────────────────────────────────────

  #comes(hello: HelloCommand): void {
    const session = this.#sessions.get(hello.session) ?? absent({ identity: hello.identity }, this.running);
    this.#sessions.set(hello.session, session);
    session.presentOn = hello.connection;
    session.touched = true;
    session.heardAt = this.running;
    session.graceUntil = 0;
    // Welcome again, so its goodbye went with the connection before.
    if (session.mayEnd === saidGoodbye) session.mayEnd = undefined;
    this.#connections.set(hello.connection, hello.session);
  }

  #gone(connection: number): void {
    const id = this.#connections.get(connection);
    this.#connections.delete(connection);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session === undefined || session.presentOn !== connection) return;
    session.presentOn = undefined;
    session.steady = false;
    session.awaySince = this.running;
  }

  #paused(ms: number): void {
    // Running time goes back by it, and what was is as long ago as before.
    this.#pausedMs += ms;
  }

  #fate({ session: id, process, fate }: Extract<Command, { kind: "process-fate" }>): void {
    const known = this.#sessions.get(id)?.process;
    const isIts = known?.pid === process.pid && known.startTime === process.startTime;
    if (fate !== "dead" || !isIts) return;
    this.#mayEnd(id, "its process is dead");
    const session = this.#sessions.get(id);
    if (session !== undefined) session.toldDead = true;
  }

  #looked(id: string): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) session.heardAtLook = session.heardAt;
  }

  #mayEnd(id: string | undefined, why: string): void {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session !== undefined) session.mayEnd = why;
  }
}

function absent({ windowMs = 0, identity, outer }: Partial<SessionRow>, now: number): Session {
  return {
    ...{ presentOn: undefined, steady: false, touched: false, awaySince: now, heardAt: now, heardAtLook: undefined },
    ...{ windowMs, bound: identity?.bound ?? false, process: identity?.process, outer },
    ...{ graceUntil: 0, mayEnd: undefined, toldDead: false, mustEnd: false, lastSeq: 0 },
  };
}

function isWelcome(letter: Letter, { connection, request }: HelloCommand): boolean {
  return letter.kind === "welcome" && letter.to === connection && letter.request === request;
}
