/**
 * What a signal means to a broker.
 *
 *   TERM, INT   end in good order; the second one ends at once, with 128 + its number
 *   HUP         the terminal is gone: a foreground broker ends in good order, a spawned one has no terminal
 *   USR1, USR2  tell the log how things are, and open it anew. Without a handler USR1 would open Node's inspector, and
 *               with it the broker, to every user of the machine
 *   PIPE        Node ignores it; what a broken standard output throws instead is ignored here
 */

export interface SignalHandlers {
  readonly spawned: boolean;
  readonly onStop: (signal: "SIGTERM" | "SIGINT" | "SIGHUP") => void;
  readonly onStopNow: (exitCode: number) => void;
  readonly onDump: () => void;
}

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Gives the way to undo it. */
export function handleSignals({ spawned, onStop, onStopNow, onDump }: SignalHandlers): () => void {
  let stopping = false;
  const stop = (signal: keyof typeof numbers) => {
    if (stopping) onStopNow(128 + numbers[signal]);
    else onStop(signal);
    stopping = true;
  };
  const ignore = () => undefined;
  const hangUp = spawned ? ignore : () => stop("SIGHUP");
  const handlers: readonly (readonly [NodeJS.Signals, () => void])[] = [
    ["SIGTERM", () => stop("SIGTERM")],
    ["SIGINT", () => stop("SIGINT")],
    ["SIGHUP", hangUp],
    ["SIGUSR1", onDump],
    ["SIGUSR2", onDump],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  process.stdout.on("error", ignore);
  process.stderr.on("error", ignore);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
