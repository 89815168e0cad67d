/**
 * Watches of tables, as a bystander sees them: who is told of what, whether a gap was needed, and that the writer watches
 * what somebody wants and nothing else.
 */
import type { Command, Job, Letter, Turn, WatchTablesCommand } from "../../src/core/index.js";
import type { Limits } from "../../src/terms/index.js";
import { type Cursor, writerOf } from "./told-tables.js";

type WatchJob = Extract<Job, { to: "writer"; kind: "watch" }>;
type Watching = Extract<Letter, { kind: "table-watching" }>;
type Changes = Extract<Letter, { kind: "table-changes" }>;

/** No program here asks for more. */
const windowMsMax = 10_000;

export interface TablesSeenParts {
  readonly limits: Limits;
  /** The broker's own time. */
  readonly running: () => number;
  readonly storedSeq: () => number;
  /** How long a client may be away. */
  readonly windowOf: (connection: number) => number | undefined;
  /** Which of these did not exist when so much was committed. */
  readonly absentAt: (cursor: Cursor, names: readonly string[]) => readonly string[];
  readonly onTold: (what: string) => void;
}

interface Seen {
  readonly command: WatchTablesCommand;
  readonly names: readonly string[];
  readonly keys: boolean;
  answered: boolean;
  cursor: Cursor | undefined;
}

/** Of a watch that was ended, or whose connection was lost. */
interface Away {
  readonly names: readonly string[];
  readonly keys: boolean;
  /** So long at least, and at most, its tables stay watched. */
  readonly least: number;
  readonly most: number;
}

export class TablesSeen {
  readonly #parts: TablesSeenParts;
  readonly #watches = new Map<string, Seen>();
  /** By request, until it is answered. */
  readonly #asked = new Map<string, WatchTablesCommand>();
  /** By request, until it is answered: what is to end. */
  readonly #ended = new Map<string, { readonly watch: string; readonly seen: Seen | undefined }>();
  /** What its client was answered, and was not told to be over. */
  readonly #open = new Map<string, Seen>();
  #gone: number[] = [];
  #away: Away[] = [];
  #ready = false;
  #epoch = 0;
  /** How often this writer told of a number that was past. */
  #repeats = 0;
  /** The highest number that any writer has told of in this life of the broker. */
  #last = 0;
  #incarnation = "";
  /** What the writer was asked for and has not answered. */
  #sent: WatchJob | undefined;
  /** Tables, and tables with keys, that somebody watches without a break: every commit above this number is known. */
  readonly #since = new Map<string, number>();
  /** The same, of all that the writer watches, for whomever. */
  readonly #watchedSince = new Map<string, number>();
  /** Numbers of commits that this writer has told of. */
  #told: number[] = [];
  #hugeToldOf = false;
  #strangers: number[] = [];

  constructor(parts: TablesSeenParts) {
    this.#parts = parts;
  }

  /** Another life of the broker. */
  born(writer: { readonly epoch: number; readonly incarnation: string }): void {
    for (const all of [this.#watches, this.#asked, this.#ended, this.#open]) all.clear();
    this.#away = [];
    this.#gone = [];
    this.#last = 0;
    this.#writerReady(writer);
  }

  // ── what the core is told ─────────────────────────────────────────────────────────────────────────────────────────

  command(command: Command): void {
    switch (command.kind) {
      case "watch-tables":
        return this.#watch(command);
      case "unwatch-tables":
        this.#ended.set(requestOf(command), {
          watch: watchOf(command),
          seen: this.#watches.get(watchOf(command)),
        });
        this.#leaves(watchOf(command), this.#parts.limits.watchLingerMs, this.#parts.limits.watchLingerMs);
        return this.#look();
      case "disconnected":
        return this.#disconnected(command.connection);
      case "writer-ready":
        return this.#writerReady(command);
      case "writer-gone":
        this.#ready = false;
        return;
      case "tokens-reserved":
        if (command.incarnation === this.#incarnation) return;
        this.#incarnation = command.incarnation;
        return this.#since.clear();
      case "tables-watched":
        this.#last = Math.max(this.#last, command.upTo);
        return this.#watched(command.set, command.upTo);
      case "tables-changed":
        if (command.seq <= this.#last) this.#repeats++;
        this.#last = Math.max(this.#last, command.seq);
        this.#told.push(command.seq);
        this.#hugeToldOf ||= command.bytes > 1024 * 1024;
        if (!command.outside) return;
        this.#strangers.push(command.seq);
        for (const table of this.#since.keys()) this.#since.set(table, command.seq);
        return;
      default:
    }
  }

  /** How it stands for one that is asked for, in a word. */
  stateOf({ tables, keys, after }: WatchTablesCommand): string {
    if (!this.#ready) return "waits";
    if (after !== undefined) return after.source === this.#source ? "on" : "strange";
    const wants = wantsOf({ names: tables.map((name) => name.toLowerCase()), keys });
    return wants.every((table) => this.#watchedSince.has(table)) ? "beside" : "anew";
  }

  stateOfEnd(command: { readonly connection: number; readonly watch: number }): string {
    const watch = this.#watches.get(watchOf(command));
    if (watch === undefined) return "gone";
    return watch.answered ? "open" : "asked";
  }

  #watch(command: WatchTablesCommand): void {
    const names = command.tables.map((name) => name.toLowerCase());
    const { keys } = command;
    this.#watches.set(watchOf(command), { command, names, keys, answered: false, cursor: undefined });
    this.#asked.set(requestOf(command), command);
    // Those who are away may have to give way.
    if (this.#parts.limits.tablesWatchedMax > 10) return;
    this.#away = this.#away.map((one) => ({ ...one, least: 0 }));
    this.#look();
  }

  #watched(set: number, upTo: number): void {
    if (set !== this.#sent?.set) return;
    const { tables, dropped } = this.#sent;
    this.#sent = undefined;
    const all = [...tables, ...dropped.map((table) => ({ table, keys: undefined }))];
    for (const { table, keys } of all) {
      const watched = keys === undefined ? [] : wantsOf({ names: [table], keys });
      for (const one of wantsOf({ names: [table], keys: true }))
        if (!watched.includes(one)) this.#watchedSince.delete(one);
        else if (!this.#watchedSince.has(one)) this.#watchedSince.set(one, upTo);
    }
  }

  #disconnected(connection: number): void {
    this.#gone.push(connection);
    this.#allLeave(connection);
  }

  #allLeave(connection: number): void {
    const { windowOf, limits } = this.#parts;
    // Of one that came in this very turn nobody knows yet for how long it may be away, and of one that is over no more.
    const window = windowOf(connection);
    const least = Math.min(window ?? 0, limits.resumeWindowMs);
    const most = Math.max(window ?? windowMsMax, limits.resumeWindowMs);
    for (const [id, { command }] of this.#watches) if (command.connection === connection) this.#leaves(id, least, most);
  }

  #leaves(id: string, leastMs: number, mostMs: number): void {
    const seen = this.#watches.get(id);
    if (seen === undefined) return;
    this.#watches.delete(id);
    const { names, keys, answered, cursor } = seen;
    const now = this.#parts.running();
    // One that is not answered, or not told of the new writer, may have been in this very turn.
    const least = answered && cursor?.source === this.#source ? now + leastMs - 1 : 0;
    this.#away.push({ names, keys, least, most: now + mostMs + 1 });
  }

  #writerReady({ epoch, incarnation }: { readonly epoch: number; readonly incarnation: string }): void {
    this.#ready = true;
    this.#epoch = epoch;
    this.#repeats = 0;
    this.#incarnation = incarnation;
    this.#sent = undefined;
    this.#away = this.#away.map((one) => ({ ...one, least: 0 }));
    this.#since.clear();
    this.#watchedSince.clear();
    this.#told = [];
    this.#hugeToldOf = false;
    this.#strangers = [];
  }

  // ── what it decides ───────────────────────────────────────────────────────────────────────────────────────────────

  decided({ dispatch, send }: Turn): void {
    for (const job of dispatch) if (job.to === "writer" && job.kind === "watch") this.#sent = job;
    this.#look();
    for (const letter of send) {
      if (letter.kind === "table-watching") this.#answered(letter);
      else if (letter.kind === "table-changes") this.#changes(letter);
      else if (letter.kind === "refused") this.#refused(requestOf({ connection: letter.to, request: letter.request }));
      else if (letter.kind === "unwatched") this.#over(requestOf({ connection: letter.to, request: letter.request }));
    }
    for (const connection of this.#gone)
      for (const [id, { command }] of this.#open) if (command.connection === connection) this.#open.delete(id);
    this.#gone = [];
    this.#writerKnows();
  }

  #answered({ to, request, upTo, source, gap, absent }: Watching): void {
    const id = requestOf({ connection: to, request });
    const command = this.#asked.get(id);
    this.#asked.delete(id);
    if (command === undefined) return;
    const { after } = command;
    const watch = this.#watches.get(watchOf(command));
    const seen = watch?.command === command ? watch : { ...seenOf(command), answered: true };
    if (upTo > this.#parts.storedSeq()) throw new Error(`a watch was begun at ${upTo}, which is not committed`);
    if (after === undefined && gap) throw new Error("a watch that begins was told of a gap");
    if (after !== undefined && after.source !== source && !gap)
      throw new Error(`a watch was told of no gap between ${after.source} and ${source}`);
    if (after !== undefined && gap) this.#gapWasNeeded(seen, after, source);
    const unknown = wantsOf(seen).find((table) => (this.#watchedSince.get(table) ?? upTo + 1) > (after?.seq ?? upTo));
    if (!gap && unknown !== undefined) throw new Error(`a watch was told of no gap, and ${unknown} was not watched`);
    const missing = this.#parts.absentAt(
      { seq: upTo, source },
      command.tables.map((name) => name.toLowerCase()),
    );
    if (absent.map((name) => name.toLowerCase()).join() !== missing.join())
      throw new Error(`${absent} was said not to exist, and ${missing} did not`);
    seen.answered = true;
    seen.cursor = { seq: gap || after === undefined ? upTo : after.seq, source };
    this.#open.set(watchOf(command), seen);
    if (watch !== seen) return;
    // Somebody else may have written in the very turn in which this one began.
    const since = Math.max(upTo, ...this.#strangers);
    for (const table of wantsOf(seen)) if (!this.#since.has(table)) this.#since.set(table, since);
  }

  #changes({ to: connection, watch, source, upTo, gap, changes }: Changes): void {
    const seen = this.#open.get(watchOf({ connection, watch }));
    if (seen === undefined) throw new Error(`watch ${watch} of connection ${connection} was told of, and is not open`);
    const { cursor, names } = seen;
    if (upTo > this.#parts.storedSeq()) throw new Error(`commit ${upTo} was told and is not there`);
    const before = cursor !== undefined && writerOf(cursor.source) === writerOf(source) ? cursor.seq : 0;
    if (upTo < before || (!gap && upTo === before)) throw new Error(`${upTo} was told after ${before}`);
    if (!gap && changes.length === 0) throw new Error("nothing was told");
    if (!gap && cursor?.source !== source) throw new Error(`after ${cursor?.source} came ${source} without a gap`);
    const strange = changes.find(({ table }) => !names.includes(table.toLowerCase()));
    if (strange !== undefined) throw new Error(`${strange.table} was told of to one who does not watch it`);
    seen.cursor = { seq: upTo, source };
    if (changes.length > 0) this.#parts.onTold("changes");
    if (gap) this.#parts.onTold(this.#whyGap(cursor, source));
  }

  #whyGap(cursor: Cursor | undefined, source: string): string {
    if (cursor === undefined || writerOf(cursor.source) !== writerOf(source)) return "replaced";
    return this.#strangers.some((seq) => seq >= cursor.seq) ? "outside" : "flooded";
  }

  #refused(id: string): void {
    // Its session is over, and what it watches goes with its connection.
    const ended = this.#ended.get(id);
    if (this.#ended.delete(id) && ended?.seen !== undefined) {
      const { connection } = ended.seen.command;
      this.#watches.set(ended.watch, ended.seen);
      if (this.#gone.includes(connection)) this.#allLeave(connection);
    }
    const command = this.#asked.get(id);
    this.#asked.delete(id);
    if (command !== undefined && this.#watches.get(watchOf(command))?.command === command)
      this.#watches.delete(watchOf(command));
  }

  #over(id: string): void {
    const ended = this.#ended.get(id);
    this.#ended.delete(id);
    if (ended !== undefined) this.#open.delete(ended.watch);
  }

  // ── who needs what ────────────────────────────────────────────────────────────────────────────────────────────────

  get #source(): string {
    const writer = `${this.#incarnation.slice(0, 16)}.${this.#epoch}`;
    return this.#repeats === 0 ? writer : `${writer}.${this.#repeats}`;
  }

  /** What is watched for nobody any more may be known no more. */
  #look(): void {
    const now = this.#parts.running();
    this.#away = this.#away.filter(({ most }) => most > now);
    const wanted = new Set([...this.#watches.values()].filter(({ answered }) => answered).flatMap(wantsOf));
    for (const one of this.#away) if (one.least > now) for (const table of wantsOf(one)) wanted.add(table);
    for (const table of this.#since.keys()) if (!wanted.has(table)) this.#since.delete(table);
  }

  #gapWasNeeded(seen: Seen, after: Cursor, source: string): void {
    if (after.source !== source || this.#hugeToldOf) return;
    const isKnown = wantsOf(seen).every((table) => (this.#since.get(table) ?? Number.POSITIVE_INFINITY) <= after.seq);
    const missed = this.#told.filter((seq) => seq > after.seq).length;
    if (isKnown && missed <= this.#parts.limits.changesKeptMax)
      throw new Error(`a watch that went on after ${after.seq} was told of a gap that need not be`);
  }

  /** Costs nothing when nobody has watched for a while, and what somebody watches is watched. */
  #writerKnows(): void {
    if (!this.#ready || this.#sent !== undefined) return;
    const watched = new Set(this.#watchedSince.keys());
    const wanted = new Set([...this.#watches.values()].flatMap(wantsOf));
    for (const table of wanted) if (!watched.has(table)) throw new Error(`the writer does not watch ${table}`);
    for (const table of this.#away.flatMap(wantsOf)) wanted.add(table);
    for (const table of watched) if (!wanted.has(table)) throw new Error(`the writer watches ${table} for nobody`);
    for (const { answered, cursor } of this.#watches.values())
      if (answered && cursor?.source !== this.#source) throw new Error("a watch was not told of the new writer");
  }
}

function seenOf(command: WatchTablesCommand): Seen {
  const names = command.tables.map((name) => name.toLowerCase());
  return { command, names, keys: command.keys, answered: false, cursor: undefined };
}

/** With keys is more than without. */
function wantsOf({ names, keys }: { readonly names: readonly string[]; readonly keys: boolean }): string[] {
  return names.flatMap((name) => (keys ? [name, `${name} with keys`] : [name]));
}

function watchOf({ connection, watch }: { readonly connection: number; readonly watch: number }): string {
  return `${connection}/${watch}`;
}

function requestOf({ connection, request }: { readonly connection: number; readonly request: unknown }): string {
  return `${connection}/${String(request)}`;
}
