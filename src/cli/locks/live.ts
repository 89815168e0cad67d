/**
 * `holdfast locks --watch`: the table as it is, drawn again whenever something happens and once a second for the times
 * in it; what does not go to a terminal, or is to be JSON, gets each event as a line instead. Until Ctrl-C.
 */
import type { Broker, LockFilter, LockNews } from "../../client/index.js";
import { signalExitCode } from "../child.js";
import { type Call, ExitWith } from "../command.js";
import { count } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { jsonValue } from "../formats.js";
import { localTime } from "../log-line.js";
import { reachRunning } from "../reach.js";
import { cutPainted } from "../width.js";
import { eventRows, locksNow, nothingText, rowsFor } from "./looking.js";

/** At most so often, however much happens. */
const redrawMs = 100;
/** For the lengths of time in the table. */
const refreshMs = 1000;

export async function live(call: Call, filter: LockFilter): Promise<ExitCode> {
  const broker = await reachRunning(call);
  if (broker === undefined)
    throw new ExitWith("no broker is running, so no lock is held", { exitCode: exitCodes.noBroker });
  try {
    await (call.io.columns === undefined || call.output.asJson
      ? tell(call, broker, filter)
      : draw(call, broker, filter));
    return exitCodes.ok;
  } finally {
    await broker.close();
  }
}

/** Events as lines: for programs, which look at them as they come. */
async function tell(call: Call, broker: Broker, { prefix, session }: LockFilter): Promise<void> {
  for await (const news of broker.locks.watch(prefix === undefined ? {} : { prefix })) {
    if (news.kind === "snapshot") {
      if (call.output.asJson) call.io.write(`${jsonValue(news)}\n`);
      else if (news.gap) call.output.warn("events were missed");
    } else if (session === undefined || news.session === session) {
      if (call.output.asJson) call.io.write(`${jsonValue(news)}\n`);
      else call.output.rows(eventRows([news], false));
    }
    // While a slow reader takes it, the library keeps only so much, and shows how things are then.
    await call.io.flushed();
  }
}

async function draw(call: Call, broker: Broker, filter: LockFilter): Promise<void> {
  const screen = new Screen(call);
  const bell = new Bell(refreshMs);
  const watch = broker.locks.watch(filter.prefix === undefined ? {} : { prefix: filter.prefix });
  const ended = ring(watch, bell);
  try {
    for (;;) {
      const locks = await Promise.race([locksNow(call, broker, filter), ended]);
      const waiting = locks.reduce((sum, { waitersTotal }) => sum + waitersTotal, 0);
      const held = locks.filter(({ holdersTotal }) => holdersTotal > 0).length;
      const head = `${count(held, "lock")} held, ${count(waiting, "waiter")}  ${localTime(new Date()).slice(11, 19)}  Ctrl-C ends`;
      const lines = locks.length === 0 ? [nothingText(filter)] : call.output.formatted(rowsFor(call, locks));
      screen.draw([call.output.paint(head, "faint"), "", ...lines]);
      await Promise.race([pause(redrawMs), ended]);
      await Promise.race([bell.rung(), ended]);
    }
  } finally {
    screen.end();
    bell.end();
    await watch.return?.();
  }
}

/** Never resolves; rejects when the watch ends. */
async function ring(watch: AsyncIterable<LockNews>, bell: Bell): Promise<never> {
  for await (const _news of watch) bell.ring();
  throw new Error("a watch ends only with an error");
}

/** Rings when something has happened, and after a while in any case. */
class Bell {
  readonly #timer: NodeJS.Timeout;
  #rang = false;
  #wake: (() => void) | undefined;

  constructor(everyMs: number) {
    this.#timer = setInterval(() => this.ring(), everyMs);
  }

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  async rung(): Promise<void> {
    if (!this.#rang)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#rang = false;
    this.#wake = undefined;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const eraseBelow = "\u001b[J";

/** The lines of before are replaced in their place, so that the last picture stays when it ends. */
class Screen {
  readonly #call: Call;
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.end();
    process.exit(signalExitCode(signal));
  };
  #drawn = 0;

  constructor(call: Call) {
    this.#call = call;
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
    call.io.write(hideCursor);
  }

  draw(lines: readonly string[]): void {
    const { columns: width, lines: rows } = this.#call.io;
    // A terminal that does not know its size says 0.
    const columns = width || 80;
    const height = rows || 24;
    const shown = lines.slice(0, height - 1);
    if (shown.length < lines.length) shown[shown.length - 1] = `… and ${lines.length - shown.length + 1} more lines`;
    const up = this.#drawn > 0 ? `\u001b[${Math.min(this.#drawn, height - 1)}A\r` : "";
    // None wraps: the next picture goes up by as many lines as were drawn.
    const text = shown.map((line) => cutPainted(line, columns)).join("\n");
    this.#call.io.write(`${up}${eraseBelow}${text}\n`);
    this.#drawn = shown.length;
  }

  end(): void {
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
    this.#call.io.write(showCursor);
  }
}
