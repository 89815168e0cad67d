/**
 * What a signal means to a broker.
 *
 *   TERM, INT   end in good order; a later one ends at once, with 128 + its number. One that comes right after the first
 *               is the same wish: of one Ctrl-C under npm the terminal tells the whole group, and npm passes on its own
 *   HUP         the terminal is gone: a foreground broker ends in good order, a spawned one has no terminal
 *   USR1, USR2  tell the log how things are, and open it anew. Without a handler USR1 would open Node's inspector, and
 *               with it the broker, to every user of the machine
 *   PIPE        Node ignores it; what a broken standard output throws instead is ignored here
 */

import type { AfterInput } from "../transport/index.js";

/** Nobody presses a second time sooner. */
const oneWishMs = 500;

export interface SignalHandlers {
  readonly spawned: boolean;
  readonly onStop: (signal: "SIGTERM" | "SIGINT" | "SIGHUP") => void;
  readonly onStopNow: (exitCode: number) => void;
  readonly onDump: () => void;
  readonly afterInput: AfterInput;
}

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Gives the way to undo it. */
export function handleSignals({ spawned, onStop, onStopNow, onDump, afterInput }: SignalHandlers): () => void {
  let state: "running" | "told" | "stopping" = "running";
  const stop = (signal: keyof typeof numbers) => {
    if (state === "stopping") onStopNow(128 + numbers[signal]);
    if (state !== "running") return;
    state = "told";
    afterInput(oneWishMs, () => {
      state = "stopping";
    });
    onStop(signal);
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
