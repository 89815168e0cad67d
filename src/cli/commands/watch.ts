/** `holdfast watch`: what is committed to tables, a line for each commit and table, until Ctrl-C. */
import type { TableNews } from "../../client/index.js";
import { newsJson, newsLine, newsRow } from "../change-lines.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import { reach } from "../reach.js";
import { quoted } from "../words.js";

interface WatchOptions {
  readonly keys?: boolean;
  readonly after?: string;
  readonly count?: string;
}

export const watch: Command = {
  prints: true,
  define(parser) {
    parser
      .usage("[options] TABLE…")
      .argument("[tables...]")
      .option("--keys", "name the changed rows by their keys")
      .option("--after <cursor>", "go on after this: the cursor of an earlier line (--json)")
      .option("-n, --count <count>", "end after so many lines")
      .addHelpText(
        "after",
        "\nA table need not exist yet. A line is a commit that has changed a table: its number, rows\n" +
          "inserted, updated, deleted (without those that REPLACE removes), and what became of the\n" +
          "table itself. A gap says that commits before it are not all known: look again. Writes of\n" +
          "programs that open the file past the broker are not seen. With --json: an object a line.\n" +
          "\n  holdfast watch job --keys\n  holdfast watch job page --json | while read -r line; do …",
      );
  },

  async run(call) {
    const { keys = false, after, count } = optionsOf<WatchOptions>(call);
    if (call.operands.length === 0) call.misused("watch wants the names of tables");
    if (count !== undefined && !/^\d{1,15}$/.test(count)) call.misused(`"${count}" is not a number of lines`);
    const linesMax = count === undefined ? Number.POSITIVE_INFINITY : Number(count);
    const broker = await reach(call, { start: true, integers: "bigint" });
    try {
      await using changes = broker.watch(call.operands, { keys, after });
      const { absent } = await changes.opened;
      call.output.comment(beginning(call.operands, absent));
      for (let lines = 0; lines < linesMax; lines++) {
        const { value, done } = await changes.next();
        if (done === true) break;
        show(call, value, lines === 0);
        // While a slow reader takes it, the library keeps only so much, and tells of a gap then.
        await call.io.flushed();
      }
      return exitCodes.ok;
    } finally {
      await broker.close();
    }
  },
};

function beginning(tables: readonly string[], absent: readonly string[]): string {
  const missing = absent.length === 0 ? "" : `; there is no ${absent.map(quoted).join(", ")} yet`;
  return `watching ${tables.map(quoted).join(", ")}${missing}`;
}

/** The header comes once, and everything as soon as it is there. */
function show({ output }: Call, news: TableNews, first: boolean): void {
  if (output.forPeople) output.line(`${output.paint(clock(), "faint")}  ${newsLine(news)}`);
  else if (output.asJson) output.line(newsJson(news));
  else output.rows(newsRow(news), first ? undefined : false);
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
