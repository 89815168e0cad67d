/** The broker of live-mutex on a Unix socket. */
import { load } from "./packages.js";

interface Package {
  readonly Broker: new (options: { udsPath: string }) => { ensure(): Promise<unknown> };
}

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: live-mutex-server.main.js SOCKET");
const { Broker } = load<Package>("live-mutex");
await new Broker({ udsPath: path }).ensure();
process.stdout.write("ready\n");
