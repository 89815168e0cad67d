/** The process `front.js`: a broker, started by a client or a supervisor. */
import { isHoldfastError, type RefusalCode } from "../terms/index.js";
import { optionsFrom } from "./config.js";
import { serve } from "./serve.js";

/** As sysexits.h has them; a supervisor should not try again after 64, 75, 77 and 78. */
const exitCodes: { readonly [Code in RefusalCode]?: number } = {
  MISUSE: 64,
  ALREADY_RUNNING: 75,
  PERMISSION: 77,
  CONFIGURATION: 78,
  NATIVE_MODULE: 78,
};

try {
  const options = optionsFrom(process.argv.slice(2), process.env["HOLDFAST_VERSION"] ?? "0.0.0");
  process.exit(await serve(options));
} catch (error) {
  const code = isHoldfastError(error) ? error.code : undefined;
  process.stderr.write(`holdfast: ${code === undefined ? String((error as Error).stack) : (error as Error).message}\n`);
  process.exit((code === undefined ? undefined : exitCodes[code]) ?? 1);
}
