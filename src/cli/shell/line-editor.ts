/**
 * Lines that somebody types at the terminal of this process, edited with readline. The terminal is raw only while a line
 * is typed: while something runs, Ctrl-C is a signal as for any program, and what is typed meanwhile waits.
 *
 * readline takes all lines that it is given at once. So it is given one at a time (`Keys`), and lines that were pasted
 * together are shown and run one after the other.
 */
import { createInterface, type Interface } from "node:readline";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { ReadStream, WriteStream } from "node:tty";

export type Typed =
  | { readonly kind: "line"; readonly text: string }
  /** Ctrl-C: what stood in the line is dropped. */
  | { readonly kind: "interrupt" }
  /** Ctrl-D on an empty line, or the terminal is gone. */
  | { readonly kind: "end" };

export interface EditorParts {
  readonly input: ReadStream;
  readonly output: WriteStream;
  /** Newest first. */
  readonly history: readonly string[];
  readonly historyMax: number;
  /** What may stand in the place of the end of `line` (up to the cursor), and that end. */
  readonly complete: (line: string) => Promise<[candidates: string[], end: string]>;
}

/** Why what runs is to end. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
  }
}

/** So many Ctrl-C during one statement leave the shell: its end may not be had. */
const leavingInterrupts = 3;

export class LineEditor {
  readonly #keys: Keys;
  readonly #readline: Interface;
  readonly #typed: Typed[] = [];
  #wanted: ((typed: Typed) => void) | undefined;
  /** The line that comes next was dropped by Ctrl-C. */
  #dropping = false;
  #ended = false;
  /** The list that readline goes through; known from its first line on. */
  #recalled: string[] | undefined;

  constructor({ input, output, history, historyMax, complete }: EditorParts) {
    this.#keys = new Keys(input);
    this.#readline = createInterface({
      input: this.#keys,
      output,
      terminal: true,
      history: [...history],
      historySize: historyMax,
      completer: (line, done) => {
        complete(line).then(
          (found) => done(null, found),
          () => done(null, [[], line]),
        );
      },
    });
    this.#readline.on("history", (list) => {
      this.#recalled = list;
    });
    this.#readline.on("line", (text) => this.#onLine(text));
    this.#readline.on("SIGINT", () => this.#onInterrupt());
    this.#readline.on("SIGCONT", () => this.#readline.prompt(true));
    this.#readline.on("close", () => this.#onClose());
    this.#keys.shut();
  }

  /** The next line; `prompt` stands before it. */
  async read(prompt: string): Promise<Typed> {
    const waiting = this.#typed.shift();
    if (waiting !== undefined) return waiting;
    if (this.#ended) return { kind: "end" };
    await this.#keys.catchUp();
    // Before the prompt is to be seen: what is typed at it must not be shown twice.
    this.#keys.setRawMode(true);
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
    const typed = new Promise<Typed>((resolve) => {
      this.#wanted = resolve;
    });
    this.#keys.open();
    return typed;
  }

  /** Runs `work`; Ctrl-C aborts its signal. */
  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    let interrupts = 0;
    const onSignal = () => {
      interrupts++;
      if (interrupts >= leavingInterrupts) process.exit(128 + 2);
      stop.abort(new Interrupted());
    };
    process.on("SIGINT", onSignal);
    try {
      return await work(stop.signal);
    } finally {
      process.off("SIGINT", onSignal);
    }
  }

  /** What the arrows call back, newest first. */
  recall(entries: readonly string[]): void {
    this.#recalled?.splice(0, this.#recalled.length, ...entries);
  }

  close(): void {
    this.#readline.close();
    this.#keys.shut();
  }

  #onLine(text: string): void {
    this.#keys.shut();
    this.#tell(this.#dropping ? { kind: "interrupt" } : { kind: "line", text });
    this.#dropping = false;
  }

  /** As if the line had been ended with ^C in it: so it stays to be seen, however many lines of the screen it takes. */
  #onInterrupt(): void {
    this.#dropping = true;
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write("^C");
    this.#readline.write(null, { name: "return" });
  }

  #onClose(): void {
    this.#keys.shut();
    this.#ended = true;
    this.#tell({ kind: "end" });
  }

  #tell(typed: Typed): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) this.#typed.push(typed);
    else wanted(typed);
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** What is typed, on its way to readline: up to the end of a line, and no further before the next one is wanted. */
class Keys extends PassThrough {
  readonly isTTY = true;
  readonly #terminal: ReadStream;
  #held: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #isOver = false;

  constructor(terminal: ReadStream) {
    super();
    this.#terminal = terminal;
    const over = () => {
      this.#isOver = true;
      this.#give();
    };
    terminal.on("data", (bytes: Buffer) => {
      this.#held = Buffer.concat([this.#held, bytes]);
      this.#give();
    });
    terminal.on("end", over);
    terminal.on("error", over);
  }

  setRawMode(raw: boolean): this {
    if (!this.#terminal.destroyed) this.#terminal.setRawMode(raw);
    return this;
  }

  open(): void {
    this.#isOpen = true;
    this.setRawMode(true);
    this.#terminal.resume();
    this.#give();
  }

  /**
   * Takes what was typed meanwhile, before the terminal is raw: a Ctrl-D among it is the end of input only until then.
   * A terminal gives a line at a time, and the event loop looks for it in its next turn but one.
   */
  async catchUp(): Promise<void> {
    this.#terminal.resume();
    let before: number;
    do {
      before = this.#held.length;
      await turn();
      await turn();
    } while (this.#held.length > before && !this.#isOver);
  }

  shut(): void {
    this.#isOpen = false;
    this.#terminal.pause();
    this.setRawMode(false);
  }

  #give(): void {
    if (!this.#isOpen) return;
    if (this.#held.length === 0) {
      if (this.#isOver) this.end();
      return;
    }
    const end = this.#held.findIndex((byte) => byte === lineFeed || byte === carriageReturn) + 1 || this.#held.length;
    this.write(this.#held.subarray(0, end));
    this.#held = this.#held.subarray(end);
    // Whether that has ended a line, readline says before this runs.
    setImmediate(() => this.#give());
  }
}
