/**
 * A program that makes brokers of its own and ends without having ended them; `stay`: not before a signal ends it. Says
 * where and who they are.
 */
import { ephemeralBroker } from "../../../src/client/testing.js";

const stays = process.argv[2] === "stay";
const made = await Promise.all([ephemeralBroker(), ephemeralBroker()]);
process.stdout.write(`${JSON.stringify(made.map(({ dir, pid }) => ({ dir, pid })))}\n`, () => {
  if (stays) setInterval(() => {}, 1000);
  else process.exit(0);
});
