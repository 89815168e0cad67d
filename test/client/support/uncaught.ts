/** What the program did not catch, where it is expected: the test runner does not hear of it. */

/** Resolves with the next error that nobody catches. */
export function uncaught(): Promise<unknown> {
  return new Promise<unknown>((resolve) => {
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => {
      for (const listener of listeners) process.on("uncaughtException", listener);
      resolve(error);
    });
  });
}
