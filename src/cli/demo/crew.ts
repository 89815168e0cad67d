/** The processes of the demo: started, spoken to, listened to, and killed when the plot wants it. */
import { type ChildProcess, fork } from "node:child_process";
import type { AskerCounts, FromChild, IndexerCounts, Role, ToChild } from "./messages.js";

export type Fate = "working" | "done" | "killed" | "failed";

export interface Member {
  readonly role: Role;
  /** From 1, among its kind. */
  readonly number: number;
  readonly child: ChildProcess;
  readonly pid: number;
  fate: Fate;
  indexed: IndexerCounts | undefined;
  asked: AskerCounts | undefined;
  /** Directories whose locks it holds, with their number of files. */
  readonly holding: Map<string, number>;
}

export interface CrewOptions {
  /** The script of this very program. */
  readonly script: string;
  readonly env: { readonly [name: string]: string | undefined };
}

interface Expectation {
  readonly fits: (member: Member, message: FromChild) => boolean;
  readonly resolve: (message: FromChild | undefined) => void;
}

export class Crew {
  readonly members: Member[] = [];
  readonly #options: CrewOptions;
  readonly #expectations = new Set<Expectation>();
  #whenOver: (() => void) | undefined;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** Starts all at once; resolves when all listen. They are members in the order in which they were named. */
  async hireAll(roles: readonly { readonly role: Role; readonly number: number }[]): Promise<void> {
    const hired = await Promise.all(roles.map(({ role, number }) => this.#hire(role, number)));
    this.members.push(...hired);
  }

  #hire(role: Role, number: number): Promise<Member> {
    const child = fork(this.#options.script, ["demo", "--role", role], {
      env: { ...this.#options.env },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`${role} ${number} ended before it could begin`)));
      child.once("message", () => {
        const member: Member = {
          role,
          number,
          child,
          pid: child.pid ?? 0,
          fate: "working",
          indexed: undefined,
          asked: undefined,
          holding: new Map(),
        };
        child.on("message", (message) => this.#hear(member, message as FromChild));
        child.once("exit", () => this.#end(member));
        resolve(member);
      });
    });
  }

  #hear(member: Member, message: FromChild): void {
    if (message.kind === "counts") member.indexed = message.counts;
    else if (message.kind === "asked") member.asked = message.counts;
    else if (message.kind === "granted") member.holding.set(message.directory, message.files);
    else if (message.kind === "left") member.holding.delete(message.directory);
    else if (message.kind === "done") {
      if (member.fate === "working") member.fate = "done";
      if (member.child.connected) member.child.disconnect();
    }
    for (const expectation of this.#expectations) {
      if (!expectation.fits(member, message)) continue;
      this.#expectations.delete(expectation);
      expectation.resolve(message);
    }
  }

  #end(member: Member): void {
    if (member.fate === "working") member.fate = "failed";
    if (this.indexersAtWork().length > 0) return;
    for (const expectation of this.#expectations) expectation.resolve(undefined);
    this.#expectations.clear();
    this.#whenOver?.();
  }

  tell(member: Member, message: ToChild): void {
    if (member.child.connected) member.child.send(message);
  }

  /** The first message from now on that fits, or undefined when no indexer is at work any more. */
  until(fits: Expectation["fits"]): Promise<FromChild | undefined> {
    if (this.indexersAtWork().length === 0) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#expectations.add({ fits, resolve }));
  }

  /** Resolves when the last indexer has ended, well or badly. */
  async untilOver(): Promise<void> {
    if (this.indexersAtWork().length > 0)
      await new Promise<void>((resolve) => {
        this.#whenOver = resolve;
      });
  }

  indexers(): Member[] {
    return this.members.filter(({ role }) => role === "indexer" || role === "direct-indexer");
  }

  indexersAtWork(): Member[] {
    return this.indexers().filter(
      ({ fate, child }) => child.exitCode === null && child.signalCode === null && fate !== "killed",
    );
  }

  asker(): Member | undefined {
    return this.members.find(({ role }) => role === "asker" || role === "direct-asker");
  }

  kill(member: Member): void {
    member.fate = "killed";
    member.child.kill("SIGKILL");
  }

  /** Whatever happens, nobody is left behind. */
  dismiss(): void {
    for (const { child } of this.members)
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}
