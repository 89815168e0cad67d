/**
 * One of many programs that begin at the same moment: waits for the word on standard input, connects, and prints the
 * pid of the broker that it found.
 */
import { once } from "node:events";
import { connect } from "../../../src/client/index.js";

const dir = process.argv[2] ?? "";
process.stdout.write("here\n");
await once(process.stdin, "data");
process.stdin.destroy();
const broker = await connect({ dir, env: {} });
const { pid } = await broker.status();
await broker.execute("insert into arrivals values (?)", [process.pid]).catch(async () => {
  await broker.migrate([{ name: "arrivals", sql: "create table arrivals(pid integer)" }]);
  await broker.execute("insert into arrivals values (?)", [process.pid]);
});
await broker.close();
process.stdout.write(`${pid}\n`);
