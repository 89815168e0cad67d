/**
 * What was asked, how things stood, and what came of it: counted over all lives. A simulation that never asks for a lock
 * that drains proves nothing about it, so each combination that can happen is named here, and must have happened.
 */
import type { Command, Letter } from "../../src/core/index.js";
import type { Shadow } from "./shadow.js";

export type Counts = Record<string, number>;

export function addCounts(to: Counts, from: Counts): void {
  for (const [what, count] of Object.entries(from)) to[what] = (to[what] ?? 0) + count;
}

/** How things stand for whoever asks. */
export interface Standing {
  readonly shadow: Shadow;
  readonly sessionOf: (connection: number) => string | undefined;
  readonly isKnown: (session: string) => "unknown" | "away" | "live";
}

export class Coverage {
  readonly counts: Counts = {};
  readonly #asked = new Map<string, string>();
  readonly #standing: Standing;

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  asked(command: Command): void {
    if (!("request" in command) || command.kind === "cancel") return;
    this.#asked.set(`${command.connection}/${command.request}`, `${operation(command)} ${this.#state(command)}`);
  }

  answered(letter: Letter): void {
    if (!("request" in letter)) return;
    const id = `${letter.to}/${letter.request}`;
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    const what = `${asked} ${outcome(letter)}`;
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Another life of the broker. */
  forget(): void {
    this.#asked.clear();
  }

  #state(command: Extract<Command, { request: unknown }>): string {
    switch (command.kind) {
      case "hello":
        return this.#standing.isKnown(command.session);
      case "acquire":
        return this.#name(command.claims[0]?.name ?? "", this.#standing.sessionOf(command.connection));
      case "release":
        return this.#standing.shadow.held.has(command.token) ? "held" : "gone";
      case "write": {
        if (command.fences.length === 0) return "unfenced";
        const held = command.fences.every(({ token }) => this.#standing.shadow.held.has(token));
        return held ? "held" : "broken";
      }
      default:
        return "-";
    }
  }

  #name(name: string, asker: string | undefined): string {
    const { held, draining, places } = this.#standing.shadow;
    const isOn = ({ claims }: { readonly claims: readonly { readonly name: string }[] }) =>
      claims.some((claim) => claim.name === name);
    for (const one of held.values()) if (isOn(one)) return one.session === asker ? "own" : "held";
    if (draining.some((one) => isOn(one.held))) return "draining";
    return places.some(isOn) ? "waited" : "free";
  }
}

function operation(command: Extract<Command, { request: unknown }>): string {
  if (command.kind === "hello") return `hello-${command.mode}`;
  if (command.kind !== "acquire") return command.kind;
  if (command.waitMs === 0) return "try";
  return command.waitMs === undefined ? "acquire" : "acquire-timed";
}

function outcome(letter: Extract<Letter, { request: unknown }>): string {
  if (letter.kind === "refused") return letter.refusal.refused;
  return letter.kind === "acquire-cancelled" ? letter.outcome : letter.kind;
}

/**
 * Operation, how things stood, and every outcome that there can be; behind the bar those that are too rare to ask for in
 * a run of ordinary length.
 */
const table = `
acquire         draining  granted | LOCKS_FULL QUEUE_FULL SESSION_EXPIRED DISK_FULL DEADLOCK CANCELLED
acquire         free      DISK_FULL LOCKS_FULL granted | CANCELLED QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN DEADLOCK
acquire         held      CANCELLED DEADLOCK LOCKS_FULL QUEUE_FULL SESSION_EXPIRED granted | DISK_FULL SHUTTING_DOWN
acquire         own       CANCELLED DEADLOCK LOCKS_FULL SESSION_EXPIRED granted | DISK_FULL QUEUE_FULL SHUTTING_DOWN
acquire         waited    | granted QUEUE_FULL LOCKS_FULL DEADLOCK CANCELLED
acquire-timed   draining  | CANCELLED LOCKS_FULL LOCK_TIMEOUT QUEUE_FULL granted DEADLOCK
acquire-timed   free      LOCKS_FULL granted | CANCELLED DISK_FULL LOCK_TIMEOUT SESSION_EXPIRED SHUTTING_DOWN DEADLOCK QUEUE_FULL
acquire-timed   held      CANCELLED DEADLOCK LOCKS_FULL LOCK_TIMEOUT QUEUE_FULL granted | DISK_FULL SESSION_EXPIRED SHUTTING_DOWN
acquire-timed   own       CANCELLED DEADLOCK LOCKS_FULL LOCK_TIMEOUT granted | DISK_FULL QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN
acquire-timed   waited    | LOCK_TIMEOUT QUEUE_FULL granted DISK_FULL DEADLOCK CANCELLED LOCKS_FULL
cancel-acquire  -         cancelled granted | gone
goodbye         -         farewell
hello-either    away      welcome
hello-either    live      welcome
hello-either    unknown   DISK_FULL SHUTTING_DOWN welcome | SESSION_EXPIRED
hello-resume    away      welcome | SESSION_EXPIRED
hello-resume    live      welcome
hello-resume    unknown   SESSION_EXPIRED
list            -         listing | NOT_READY
read            -         STATEMENT_TIMEOUT answer | CANCELLED SESSION_EXPIRED
release         gone      released | LOCK_NOT_HELD
release         held      released
settle          -         | answer
stream          -         STATEMENT_TIMEOUT answer | CANCELLED SESSION_EXPIRED SHUTTING_DOWN SQLITE_ERROR STATEMENT_CRASHED SNAPSHOT_ENDED
try             draining  | LOCKS_FULL LOCK_HELD granted QUEUE_FULL
try             free      LOCKS_FULL LOCK_HELD granted | DISK_FULL SHUTTING_DOWN
try             held      LOCKS_FULL LOCK_HELD QUEUE_FULL | DISK_FULL NOT_READY SHUTTING_DOWN granted
try             own       LOCKS_FULL LOCK_HELD granted | DISK_FULL QUEUE_FULL SHUTTING_DOWN
try             waited    | LOCK_HELD granted QUEUE_FULL
write           broken    FENCED WRITER_UNAVAILABLE answer | CANCELLED CONNECTION_LOST SESSION_EXPIRED SHUTTING_DOWN SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT DISK_FULL
write           held      FENCED SQLITE_CONSTRAINT STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer | CANCELLED CONNECTION_LOST SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED DISK_FULL OUTCOME_UNKNOWN
write           unfenced  CANCELLED CONNECTION_LOST SHUTTING_DOWN SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer | OUTCOME_UNKNOWN SESSION_EXPIRED DISK_FULL
`;

const expected: string[] = [];
const known = new Set<string>();
for (const line of table.trim().split("\n")) {
  const [often = "", rarely = ""] = line.split("|");
  const [operation, state, ...outcomes] = words(often);
  for (const outcome of outcomes) expected.push(`${operation} ${state} ${outcome}`);
  for (const outcome of [...outcomes, ...words(rarely)]) known.add(`${operation} ${state} ${outcome}`);
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

/** What can happen and never did. */
export function missing(counts: Counts): string[] {
  return expected.filter((what) => counts[what] === undefined);
}

/** What happened and is in no table. */
export function surplus(counts: Counts): string[] {
  return Object.keys(counts).filter((what) => !known.has(what));
}
