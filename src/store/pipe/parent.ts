/**
 * A child's end of the pipes to its front: what it is told comes on file descriptor 3, what it answers goes out on 4. Two
 * pipes and not one: when a child is killed, what the front still had to tell it fails, and the answers on the other
 * pipe must be readable to the last byte all the same (rule 8).
 *
 * A child lives as long as its front holds the other end, and no signal to the whole process group or cgroup ends it
 * before that (rule 17: Ctrl-C and `systemctl stop` reach the front, which then lets its children finish).
 */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";
import { afterReading, type Frame, FrameCutter, type FrameQueue } from "./frames.js";

/** Filled by the system, past the stream: its way is much of what it costs to wake for one request. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const ordersFd = 3;
const answersFd = 4;

/** How a child ends, beyond 0: what the front reads from the exit code alone. */
export const exitCodes = {
  /** Something that cannot be, was. */
  impossible: 70,
  /** The file could not be read or written (rule 9). */
  diskFailed: 74,
  /** Another writer has taken over (rule 2). */
  superseded: 75,
} as const;

export interface ParentOptions {
  /** Gets each frame as it comes. */
  readonly take: (frame: Frame) => void;
  /** All frames of what could be read at once have been taken. */
  readonly read: () => void;
  /** The front is gone, whatever the reason; the process ends when this returns. */
  readonly ended: () => void;
}

export class Parent {
  readonly #answers: Socket;

  constructor({ take, read, ended }: ParentOptions) {
    // rule 17
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
    const cutter = new FrameCutter();
    let reading = false;
    const allRead = () => {
      reading = false;
      read();
    };
    const callback = (length: number): boolean => {
      // The frames keep what they lie in.
      cutter.push(Buffer.from(readBuffer.subarray(0, length)), take);
      if (!reading) afterReading(allRead);
      reading = true;
      return true;
    };
    const options: SocketConstructorOpts & Pick<ConnectOpts, "onread"> = {
      fd: ordersFd,
      writable: false,
      onread: { buffer: readBuffer, callback },
    };
    const orders = new Socket(options);
    this.#answers = new Socket({ fd: answersFd, readable: false, writable: true });
    const end = (): never => {
      ended();
      process.exit(0);
    };
    orders.on("end", end);
    orders.on("error", end);
    this.#answers.on("error", end);
  }

  flush(queue: FrameQueue): void {
    queue.flush(this.#answers);
  }

  /** Sent but not yet taken by the kernel: the front is slow to read. */
  get waitingBytes(): number {
    return this.#answers.writableLength;
  }

  /** Calls back once when the front has taken all that was sent. */
  whenDrained(work: () => void): void {
    this.#answers.once("drain", work);
  }

  /** Says a last word and ends the process when the kernel has it. */
  endAfter(queue: FrameQueue, exitCode: number): void {
    queue.flush(this.#answers);
    this.#answers.end(() => process.exit(exitCode));
  }
}

/** The reason reaches the front's log: a child's stderr is a pipe, and writing to it is synchronous. */
export function endProcess(code: number, reason: string): never {
  report(reason);
  process.exit(code);
}

export function report(text: string): void {
  process.stderr.write(`${text}\n`);
}
