/** What is remembered of an import must be there after a loss of power, if anything of the import is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ImportNotes, newNote } from "../../../src/cli/rows/import-note.js";
import { DiskCalls, readCalls } from "../../support/disk-calls.js";
import { tempDir } from "../../support/temp-dir.js";

const subject = { file: "/data/t.csv", table: "t", database: "/data/data.db" };
const note = newNote(subject.file, subject.table);

/** Writes two notes, as an import does before its first batch and after it, in a process whose calls are seen. */
const writer = `
  import { ImportNotes } from ${JSON.stringify(new URL("../../../src/cli/rows/import-note.js", import.meta.url))};
  const notes = new ImportNotes(process.argv[1], ${JSON.stringify(subject)});
  for (const rows of [0, 500]) notes.write({ ...${JSON.stringify(note)}, rows });
`;

test("a note is on disk before it has its name, and its name before anything is stored that is found again by it", (t) => {
  const dir = tempDir(t);
  const [state, file] = [join(dir, "state"), join(dir, "calls")];
  const disk = DiskCalls.make(dir);
  mkdirSync(state);
  const notes = join(state, "imports");
  const env = { ...process.env, ...disk.recording({ file, dir: notes, boot: join(dir, "boot") }) };
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", writer, state], { env });
  assert.equal(status, 0, String(stderr));
  const calls = readCalls(file).flatMap((call) => ("data" in call ? [] : [call]));
  const drafts = calls.flatMap((call) => (call.kind === "created" ? [call.inode] : []));
  assert.deepEqual(
    calls.map(({ kind }) => kind),
    ["created", "synced", "directory synced", "created", "synced"],
  );
  assert.deepEqual(
    calls.flatMap((call) => (call.kind === "synced" ? [call.inode] : [])),
    drafts,
  );
  assert.equal(new ImportNotes(state, subject).find()?.rows, 500);
});

test("a note is found again as it was written last, and not after it was removed", (t) => {
  const notes = new ImportNotes(join(tempDir(t), "state", "deep"), subject);
  assert.equal(notes.find(), undefined);
  notes.write({ ...note, batches: 3 });
  assert.deepEqual(notes.find(), { ...note, batches: 3 });
  notes.remove();
  assert.equal(notes.find(), undefined);
});
