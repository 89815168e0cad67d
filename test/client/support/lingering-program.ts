/** A program that connects and does what it is told, to see whether it ends by itself. */
import { connect } from "../../../src/client/index.js";

const [dir = "", what = ""] = process.argv.slice(2);
const broker = await connect({ dir, env: {}, start: false });
if (what === "unref") broker.unref();
if (what === "close") await broker.close();
process.stdout.write("done\n");
