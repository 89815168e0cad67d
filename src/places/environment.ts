/** What an option says counts before the environment. */
import type { Surroundings } from "./places.js";

type Environment = Surroundings["env"];

/**
 * The environment for whoever looks for a broker: with a directory given, no variable leads out of it.
 *
 * @param dir what an option said
 */
export function environmentWith(dir: string | undefined, env: Environment): Environment {
  if (dir === undefined) return env;
  const { HOLDFAST_SOCKET: _socket, HOLDFAST_DATABASE: _database, ...rest } = env;
  return rest;
}
