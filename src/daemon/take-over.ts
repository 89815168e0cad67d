/**
 * `front.js --import FILE`: the broker's program in a run of its own, while no broker serves. It takes the broker's
 * lock, has the database taken over, and says the outcome in one line of JSON on stdout.
 */
import { homedir, tmpdir, userInfo } from "node:os";
import { importDatabase } from "../store/index.js";
import { isHoldfastError } from "../terms/index.js";
import { configFrom, type ServeOptions } from "./config.js";
import { prepareDirectories } from "./directories.js";
import { wallNow } from "./pulse.js";
import { SingleInstance } from "./single-instance.js";

/** Resolves with the exit code. */
export async function takeOver(from: string, force: boolean, options: ServeOptions): Promise<number> {
  try {
    const { uid } = userInfo();
    const around = {
      env: process.env,
      platform: process.platform,
      uid,
      home: homedir(),
      tmpdir: tmpdir(),
      cwd: process.cwd(),
    };
    process.umask(0o077);
    const places = prepareDirectories(configFrom(options, around).places, { uid, logs: false });
    const instance = SingleInstance.take(places);
    try {
      say(await importDatabase({ from, places, force, wallNow: wallNow().getTime() }));
    } finally {
      instance.release();
    }
    return 0;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const { code, message, details } = error;
    say({ error: { code, message, details } });
    return 1;
  }
}

function say(outcome: unknown): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
