/** What the process `front.js` does once its code is loaded: it serves, or runs an errand. */
import { isHoldfastError, type RefusalCode } from "../terms/index.js";
import { type FrontArguments, optionsFrom, readyFdFrom } from "./config.js";
import { runErrand } from "./errands.js";
import { Readiness } from "./readiness.js";
import { type Begun, serve } from "./serve.js";

/** As sysexits.h has them; a supervisor should not try again after 64, 75, 77 and 78. */
const exitCodes: { readonly [Code in RefusalCode]?: number } = {
  MISUSE: 64,
  ALREADY_RUNNING: 75,
  PERMISSION: 77,
  CONFIGURATION: 78,
  DATA_FOREIGN: 78,
  NATIVE_MODULE: 78,
};

/** A client that waits must hear of a wrong option too. */
function options(): FrontArguments {
  const args = process.argv.slice(2);
  try {
    return optionsFrom(args, process.env["HOLDFAST_VERSION"] ?? "0.0.0");
  } catch (error) {
    new Readiness(readyFdFrom(process.env, args.includes("--spawned"))).failed(error);
    throw error;
  }
}

/** Ends the process. `begun`: what was done before this was loaded. */
export async function runFront(begun: Begun): Promise<never> {
  try {
    const { errand, ...served } = options();
    return process.exit(errand === undefined ? await serve(served, begun) : await runErrand(errand, served));
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    process.stderr.write(
      `holdfast: ${code === undefined ? String((error as Error).stack) : (error as Error).message}\n`,
    );
    return process.exit((code === undefined ? undefined : exitCodes[code]) ?? 1);
  }
}
