/** What is asked, in a word, and how things stand for it when it is asked: as a bystander knows it, from the rows. */
import type { AcquireCommand, Claim, ClientCommand, Command, ConvertCommand, Letter } from "../../src/core/index.js";
import type { Held, Shadow } from "./shadow.js";
import type { TablesSeen } from "./tables-seen.js";
import type { TransactionShadow } from "./transaction-shadow.js";

/** How things stand for whoever asks. */
export interface Standing {
  readonly shadow: Shadow;
  readonly transactions: TransactionShadow;
  readonly tables: TablesSeen;
  readonly sessionOf: (connection: number) => string | undefined;
  readonly isKnown: (session: string) => "unknown" | "away" | "live";
  /** It runs under a lock of another one. */
  readonly isNested: (session: string) => boolean;
}

/** What has one answer. */
export type Asked = Extract<ClientCommand, { request: unknown }>;

interface Claiming {
  readonly claims: readonly Claim[];
}

export function isAsked(command: Command): command is Asked {
  return "request" in command && command.kind !== "cancel";
}

/** `operation state`, of a request for locks by how it waits and by what it wants, of one in a transaction by what that is. */
export function situations(command: Asked, standing: Standing): string[] {
  const state = stateFor(command, standing);
  switch (command.kind) {
    case "acquire":
      return [`${waiting("acquire", command)} ${state}`, `${wanted(command, standing)} ${state}`];
    case "convert":
      return [`${command.to === "shared" ? "downgrade" : waiting("upgrade", command)} ${state}`];
    case "hello":
      return [`hello-${command.mode} ${state}`];
    case "watch-tables":
      return [`watch-${command.keys ? "keys" : "tables"} ${state}`];
    case "write":
      return [`${command.release === undefined ? "write" : "last-write"} ${state}`];
    case "tx-begin":
    case "tx-step":
    case "tx-commit":
    case "tx-rollback":
      return [`${command.kind} ${state}`, inTransaction(command, standing)];
    case "stream":
      return [command.transaction === undefined ? `stream ${state}` : inTransaction(command, standing)];
    default:
      return [`${command.kind} ${state}`];
  }
}

export function outcome(letter: Extract<Letter, { request: unknown }>): string {
  if (letter.kind === "refused") return letter.refusal.refused;
  if ((letter.kind === "watching" || letter.kind === "table-watching") && letter.gap) return "gap";
  return letter.kind === "acquire-cancelled" ? letter.outcome : letter.kind;
}

type InTransaction = Extract<Asked, { kind: `tx-${string}` | "stream" }>;

function inTransaction(command: InTransaction, { transactions }: Standing): string {
  if (command.kind === "tx-begin") return `tx-begin ${command.mode}`;
  const state = transactions.stateOf(command.connection, command.transaction ?? 0);
  switch (command.kind) {
    case "stream":
      return `tx-stream ${state}`;
    case "tx-step":
      return `tx-${(command.control && "savepoint") || (command.writes ? "write" : "read")} ${state}`;
    default:
      return `${command.kind} ${state}`;
  }
}

function waiting(operation: string, { waitMs }: { readonly waitMs: number | undefined }): string {
  if (waitMs === undefined) return operation;
  return waitMs === 0 ? `${operation}-try` : `${operation}-timed`;
}

/** The first of these that it is: what is rarer comes first. */
function wanted({ connection, claims, steal, guarded, ttlMs }: AcquireCommand, standing: Standing): string {
  if (steal) return "steal";
  const session = standing.sessionOf(connection);
  if (session !== undefined && standing.isNested(session)) return "nested";
  if (guarded) return "guarded";
  if (ttlMs !== undefined) return "leased";
  return claims.length > 1 ? "several" : (claims[0]?.mode ?? "exclusive");
}

function stateFor(command: Asked, standing: Standing): string {
  const { shadow } = standing;
  const asker = standing.sessionOf(command.connection);
  switch (command.kind) {
    case "hello":
    case "settle":
      return standing.isKnown(command.session);
    case "acquire":
      return stateOf(command.claims, shadow, asker);
    case "break":
    case "transfer":
    case "history":
      return stateOf([{ name: command.name }], shadow, asker);
    case "resize":
      return shadow.slots.has(command.name) ? "slots" : stateOf([{ name: command.name }], shadow, undefined);
    case "convert":
      return stateToConvert(command, shadow, asker);
    case "release":
      return stateOfGrant(shadow.held.get(command.token), asker);
    case "cancel-acquire":
      return stateOfKey(command.of, shadow, asker);
    case "write": {
      if (command.fences.length === 0) return "unfenced";
      return command.fences.every(({ token }) => isHeld(shadow.held.get(token))) ? "held" : "broken";
    }
    case "watch-tables":
      return standing.tables.stateOf(command);
    case "unwatch-tables":
      return standing.tables.stateOfEnd(command);
    case "watch":
      return command.after === undefined ? "anew" : "on";
    default:
      return "-";
  }
}

/** Of several names that of which most can be said. */
function stateOf(names: readonly { readonly name: string }[], shadow: Shadow, asker: string | undefined): string {
  const isOn = ({ claims }: Claiming) => claims.some((claim) => names.some(({ name }) => name === claim.name));
  const held = [...shadow.held.values()].filter(isOn);
  if (held.some((one) => one.session === asker && !one.ending)) return "own";
  if (held.some((one) => !one.ending)) return "held";
  if (held.length > 0) return "ending";
  if (shadow.draining.some((one) => isOn(one.held))) return "draining";
  return shadow.places.some(isOn) ? "waited" : "free";
}

function stateToConvert({ token, name }: ConvertCommand, shadow: Shadow, asker: string | undefined): string {
  const held = shadow.held.get(token);
  const state = stateOfGrant(held, asker);
  const claim = held?.claims.find((one) => one.name === name);
  if (state !== "own" || held === undefined || claim === undefined) return "gone";
  if (claim.mode !== "shared") return claim.mode;
  const other = shadow.places.find((place) => place.convertOf !== undefined && isOn(place, name));
  if (other !== undefined) return "second";
  const others = [...shadow.held.values(), ...shadow.draining.map((one) => one.held)];
  return others.some((one) => one.origin !== held.origin && isOn(one, name)) ? "shared" : "alone";
}

function stateOfGrant(held: Held | undefined, asker: string | undefined): string {
  if (!isHeld(held)) return "gone";
  return held?.session === asker ? "own" : "held";
}

function stateOfKey(key: number, { held, places }: Shadow, asker: string | undefined): string {
  const isIt = (one: { readonly session: string; readonly key: number }) => one.session === asker && one.key === key;
  if (places.some(isIt)) return "waited";
  return [...held.values()].some((one) => isIt(one) && !one.ending) ? "own" : "gone";
}

function isHeld(held: Held | undefined): boolean {
  return held !== undefined && !held.ending;
}

function isOn({ claims }: Claiming, name: string): boolean {
  return claims.some((claim) => claim.name === name);
}
