/** The savepoints that are set in a transaction, in their order, as SQLite keeps them (https://sqlite.org/lang_savepoint.html). */
export type Savepoints = string[];

/** Nobody here ends one that was not set: then what had set it was not run where this is run. */
export function setOrEnd(savepoints: Savepoints, name: string, to: "savepoint" | "release"): void {
  if (to === "savepoint") {
    savepoints.push(name);
    return;
  }
  const place = savepoints.lastIndexOf(name);
  if (place < 0) throw new Error(`savepoint ${name} was to be released, and is not set`);
  savepoints.length = place;
}
