/** A program that makes brokers of its own and ends without having ended them. Says where and who they are. */
import { ephemeralBroker } from "../../../src/client/testing.js";

const made = await Promise.all([ephemeralBroker(), ephemeralBroker()]);
process.stdout.write(JSON.stringify(made.map(({ dir, pid }) => ({ dir, pid }))), () => process.exit(0));
