/**
 * While a life is lived there is no clock, no chance and no timer but the world's: whoever reaches for another one is
 * told so. The linter can be switched off; this cannot be overlooked.
 */

const forbidden = ["Date", "setTimeout", "setInterval", "setImmediate", "queueMicrotask"] as const;

/** Called, made new, or asked for something: whatever is done with it throws. */
function thrower(name: string): () => never {
  const fail = () => {
    throw new Error(`${name} was used in a simulated life`);
  };
  return new Proxy(function forbiddenHere() {} as () => never, { apply: fail, construct: fail, get: fail });
}

/** Runs `go` without them; they are there again afterwards. */
export function without<T>(go: () => T): T {
  const properties = Object.getOwnPropertyDescriptors(globalThis);
  const { random } = Math;
  const { hrtime } = process;
  const { now } = performance;
  try {
    for (const name of forbidden)
      Object.defineProperty(globalThis, name, { value: thrower(name), configurable: true, writable: true });
    Math.random = thrower("Math.random");
    process.hrtime = thrower("process.hrtime") as unknown as typeof hrtime;
    performance.now = thrower("performance.now");
    return go();
  } finally {
    for (const name of forbidden) Object.defineProperty(globalThis, name, properties[name]);
    Math.random = random;
    process.hrtime = hrtime;
    performance.now = now;
  }
}
