/** One question of a program and its one outcome. */

import { Call, type CallKind, type CallMore } from "../../src/client/conversation/index.js";
import type { Outcome } from "../../src/terms/index.js";
import type { Cable } from "./cable.js";

export interface Fence {
  readonly name: string;
  readonly token: number;
}

export interface AskMore extends CallMore {
  readonly what?: string;
  readonly names?: readonly string[];
  readonly guard?: boolean;
  readonly shared?: boolean;
  readonly fences?: readonly Fence[];
  readonly behind?: readonly Ask[];
  readonly onlyReads?: boolean;
}

/** A key of the program's own for what does this. */
export function ownKeyOf(what: string): string {
  return `the key of ${what}`;
}

export class Ask extends Call {
  /** What a write or read does; no two do the same. */
  readonly what: string;
  /** Names of locks that it is about. */
  readonly names: readonly string[];
  /** A command is to run under the lock. */
  readonly guard: boolean;
  /** It asks for a name that others may share. */
  readonly shared: boolean;
  readonly fences: readonly Fence[];
  /** Writes of its program that were asked for before it and not answered then. */
  readonly behind: readonly Ask[];
  /** Its program may have meant it to write: the library holds it for a write, and only the broker knows better. */
  readonly onlyReads: boolean;
  /** Connections it was sent on. */
  readonly sentOn: Cable[] = [];
  outcome: "open" | "done" | Outcome = "open";
  /** Of a stream that is open: how many rows have come. */
  rows = 0;
  /** Of a stream: it was open, and is not any more. */
  over = false;
  /** Of what reads: how many writes must be there for it, and for a stream: how many are there. */
  mustShow = 0;
  shows: number | undefined;
  /** A write under locks that it holds and has not given back: nothing that it asks later can break these fences. */
  sure = false;

  constructor(kind: CallKind, method: string, params: object, more: AskMore = {}) {
    super(kind, method, params, more);
    this.what = more.what ?? "";
    this.names = more.names ?? [];
    this.guard = more.guard ?? false;
    this.shared = more.shared ?? false;
    this.fences = more.fences ?? [];
    this.behind = more.behind ?? [];
    this.onlyReads = more.onlyReads ?? false;
  }

  /** It writes to the database, at once or with its transaction. */
  get changes(): boolean {
    return this.writes && !this.onlyReads;
  }

  /** It may be looked at again, and others may have come between. */
  unsure(): void {
    this.sure = false;
  }
}
