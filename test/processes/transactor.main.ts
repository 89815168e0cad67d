/** A program that begins a transaction, writes, and commits when it is told to; says what became of it. */
import { isHoldfastError } from "../../src/client/index.js";
import { library } from "../support/built.js";

const [dir = ""] = process.argv.slice(2);
const { connect } = await library();
const broker = await connect({ dir, start: false, env: {} });

const told = new Promise<void>((resolve) => process.once("message", () => resolve()));
const outcome = await broker
  .transaction(async (tx) => {
    await tx.execute("insert into t values (1)");
    process.send?.("begun");
    await told;
    await tx.execute("insert into t values (3)");
  })
  .then(
    () => "committed",
    (error: unknown) => (isHoldfastError(error) ? error.code : String(error)),
  );
await broker.close();
process.send?.(outcome, () => process.disconnect());
