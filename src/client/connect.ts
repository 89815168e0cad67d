/** The way in. */
import { isHoldfastError } from "../terms/index.js";
import { Broker } from "./broker.js";
import { type ConnectOptions, type Settings, settingsFrom } from "./options.js";

/**
 * Connects to the broker of this user (or of `dir`), and starts it when none runs.
 *
 * @returns the handle; close it when the program is done
 * @throws NO_BROKER when none runs and none may be started, START_FAILED with the broker's own words, PERMISSION,
 *   CONFIGURATION, PROTOCOL_VERSION, OTHER_DATABASE when the broker that was found keeps another database than this
 *   program would, the reason of `signal`
 * @example
 * const broker = await connect();
 * await broker.execute("insert into note(text) values (?)", ["hello"]);
 * await broker.close();
 */
export function connect(options: ConnectOptions = {}): Promise<Broker> {
  return connectWhile(() => true, options);
}

/** @internal As `connect`; but a broker is started, now or later, only while `mayStart` says so. */
export async function connectWhile(mayStart: () => boolean, options: ConnectOptions): Promise<Broker> {
  try {
    const settings = settingsFrom(options);
    const plan: Settings["plan"] = (resuming, start, runDir) => settings.plan(resuming, start && mayStart(), runDir);
    return await Broker.open({ ...settings, plan }, options);
  } catch (error) {
    // The stack shall lead to the program, and not into a timer of the library.
    if (isHoldfastError(error)) Error.captureStackTrace(error);
    throw error;
  }
}
