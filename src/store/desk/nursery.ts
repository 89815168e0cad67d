/** Starts children, and keeps the list of those that live where the next front will look for it (rule 2). */
import type { Limits } from "../../terms/index.js";
import type { Frame } from "../pipe/frames.js";
import { type BegunChild, endBegun, startChild, takeBegun } from "./begun.js";
import { Child, type ChildEnd, type StoreLog } from "./child.js";
import { type ChildRecord, currentBootId, forgetChildren, isThere, livingOrphans, writeChildren } from "./orphans.js";

export interface StorePlaces {
  readonly database: string;
  readonly writerLock: string;
  readonly progress: string;
  readonly children: string;
  readonly runDir: string;
}

export interface StoreOptions {
  /** The program that runs the entries; Node's own by default. */
  readonly node?: string;
  readonly entry: { readonly writer: string; readonly reader: string };
  readonly places: StorePlaces;
  readonly limits: Limits;
  /** Names this run of the machine; written into the database. */
  readonly bootId: string;
  /** Milliseconds since 1970. */
  readonly nowWall: () => number;
  readonly log: StoreLog;
  /** For tests: what else is given to children. */
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Children that were begun before, for those entries; in the store's hands from now on. */
  readonly begun?: readonly BegunChild[] | undefined;
  /** Keeps a second writer's process warm; true by default. */
  readonly standby?: boolean;
}

export interface Cradle {
  readonly role: "writer" | "standby" | "reader" | "snapshot";
  readonly take: (frame: Frame) => void;
  readonly gone: (end: ChildEnd) => void;
}

export class Nursery {
  readonly #options: StoreOptions;
  readonly #living = new Map<Child, ChildRecord>();
  readonly #bootId = currentBootId() ?? "";
  /** Children of an earlier front that did not end when they were killed: the next front must find them too. */
  #inherited: readonly ChildRecord[] | undefined;
  readonly #begun: BegunChild[];

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#begun = [...(options.begun ?? [])];
  }

  /** The child is on the list when this returns; before that it must not be told anything. Throws when it cannot be started. */
  bear({ role, take, gone }: Cradle): Child {
    const { node = process.execPath, entry, execArgv = [], env = process.env, limits, log } = this.#options;
    const path = role === "reader" || role === "snapshot" ? entry.reader : entry.writer;
    const start = { node, entry: path, execArgv, env, bytesMax: limits.childBytesMax };
    let written = false;
    const child = new Child({
      role,
      process: takeBegun(this.#begun, start) ?? startChild(start),
      log,
      take,
      gone: (end) => {
        this.#living.delete(child);
        this.#strike(child);
        if (written) gone(end);
      },
    });
    this.#living.set(child, { pid: child.pid, startTime: child.startTime, role, bootId: this.#bootId });
    try {
      this.#write();
    } catch (error) {
      child.kill("it could not be written down");
      throw error;
    }
    written = true;
    return child;
  }

  get children(): readonly Child[] {
    return [...this.#living.keys()];
  }

  /** What is still there stays written down. */
  close(): void {
    endBegun(this.#begun);
    if (this.#living.size === 0 && (this.#inherited ?? []).filter(isThere).length === 0)
      forgetChildren(this.#options.places.children);
    else this.#write();
  }

  /** One too many on the list does no harm: it is looked for, and not found. */
  #strike(child: Child): void {
    try {
      this.#write();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log(
        "warn",
        { role: child.role, pid: child.pid },
        `the list of children could not be written: ${reason}`,
      );
    }
  }

  #write(): void {
    const { children } = this.#options.places;
    this.#inherited = (this.#inherited ?? livingOrphans(children)).filter(isThere);
    writeChildren(children, [...this.#living.values(), ...this.#inherited]);
  }
}
