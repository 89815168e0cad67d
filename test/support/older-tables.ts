/** Today's internal tables as an older version of the program has left them: without what was added since. */
import type { Database } from "../../src/sqlite/index.js";
import { tablesVersion } from "../../src/store/writer/internal-tables.sql.js";

/** What each version has added, to be taken away. */
const added: { readonly [version: number]: string } = {
  2: "drop table _holdfast_keys",
  3: "alter table _holdfast_meta drop column commits",
  4: "alter table _holdfast_replies drop column below",
  5: "alter table _holdfast_meta drop column held",
  6: "alter table _holdfast_meta drop column place",
};

export function makeTablesOlder(database: Database, version: number): void {
  for (let newer = tablesVersion; newer > version; newer--) {
    const undo = added[newer];
    if (undo === undefined) throw new Error(`nobody has written down what version ${newer} of the tables has added`);
    database.exec(undo);
  }
  database.exec(`update _holdfast_meta set version = ${version}`);
}
