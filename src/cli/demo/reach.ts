/** The demo's processes use the library as any program would; its broker is started by whoever needs it first. */
import { type Broker, connect } from "../../client/index.js";

export function connectForDemo(home: string, program: string): Promise<Broker> {
  return connect({ dir: home, program });
}
