/**
 * Who waits for a program's signal. Thousands of requests may share one: Node warns of a leak from the eleventh listener
 * of a signal on, therefore it has one of ours at a time, however many wait.
 */

interface Waiting {
  readonly runs: Set<() => void>;
  readonly listener: () => void;
}

const waitingFor = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `run` when the signal is aborted, in the order in which they came. It must not throw.
 *
 * @param signal not aborted yet; without one nothing is ever called
 * @returns what takes it back; may be called at any time, and more than once
 */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const { runs, listener } = waitingFor.get(signal) ?? begin(signal);
  // A function of its own for each call: one and the same may wait twice.
  const once = () => run();
  runs.add(once);
  return () => {
    if (!runs.delete(once) || runs.size > 0) return;
    signal.removeEventListener("abort", listener);
    waitingFor.delete(signal);
  };
}

function begin(signal: AbortSignal): Waiting {
  const runs = new Set<() => void>();
  const listener = () => {
    waitingFor.delete(signal);
    const due = [...runs];
    for (const run of due) if (runs.delete(run)) run();
  };
  const waiting = { runs, listener };
  waitingFor.set(signal, waiting);
  signal.addEventListener("abort", listener, { once: true });
  return waiting;
}
