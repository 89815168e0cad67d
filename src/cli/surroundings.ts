/** Where this call's broker lies: the places, from the options and the surroundings of the process. */
import { realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { endpointFor, environmentWith, type Places, placesFor, realPath } from "../places/index.js";
import { BoundSecrets } from "./bound-secret.js";
import type { GlobalOptions } from "./command.js";
import type { Io } from "./io.js";

export function placesOf(options: GlobalOptions & { readonly database?: string | undefined }, io: Io): Places {
  const env = environmentWith(options.dir, io.env);
  const cwd = () => io.cwd;
  const places = placesFor({
    env,
    cwd,
    platform: process.platform,
    // Absent on Windows, which is refused.
    uid: process.geteuid?.() ?? -1,
    home: homedir,
    dir: options.dir,
    database: options.database,
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  });
  const { path } = endpointFor({ env, cwd, platform: process.platform, socket: places.socket, given: options.socket });
  return { ...places, socket: path };
}

/** What `holdfast acquire` has left of sessions with this call's broker. */
export function boundSecretsOf(options: GlobalOptions, io: Io): BoundSecrets {
  const { boundDir, socket } = placesOf(options, io);
  return new BoundSecrets(boundDir, realPath(socket, realpathSync));
}

/** Whether this call may start a broker. */
export function mayStart(options: GlobalOptions, io: Io): boolean {
  return options.start && io.env["HOLDFAST_START"] !== "never";
}

/** So that a program that we start finds the same broker, from whatever directory. */
export function environmentFor(options: GlobalOptions, io: Io): { [name: string]: string | undefined } {
  const env: { [name: string]: string | undefined } = { ...environmentWith(options.dir, io.env) };
  if (options.dir !== undefined) env["HOLDFAST_DIR"] = placesOf(options, io).root ?? options.dir;
  if (options.socket !== undefined) env["HOLDFAST_SOCKET"] = placesOf(options, io).socket;
  return env;
}
