/** A program that begins: connects (and so starts a broker if none runs), writes one row, says whom it found, ends. */
import { pathToFileURL } from "node:url";

type Library = typeof import("../../src/client/index.js");

const [libraryUrl, dir, number, limit] = process.argv.slice(2);
const { connect } = (await import(libraryUrl ?? String(pathToFileURL("")))) as Library;
const broker = await connect({ dir, env: {}, broker: { args: ["--limit", limit ?? ""] } });
await broker.execute("create table if not exists newcomer (number integer primary key)");
await broker.execute("insert into newcomer values (?)", [Number(number)]);
const { pid } = await broker.status();
await broker.close();
process.stdout.write(`${pid}\n`);
