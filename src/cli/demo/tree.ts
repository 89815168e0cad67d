/**
 * The real input: the directories of a tree, their files, and the SHA-256 of each. The indexers use it to fill the
 * table, and the check at the end uses it again, from the start, to judge the table.
 */
import { createHash } from "node:crypto";
import { createReadStream, readdirSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";

export interface IndexedFile {
  /** Below the tree, with slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A larger file is hashed in pieces, so that eight indexers do not hold eight large files. */
const readWholeBytesMax = 4 * 1024 * 1024;

/** All directories below and with the tree itself, in one order for all; links are not followed. */
export function listDirectories(tree: string): string[] {
  const found: string[] = [];
  const waiting = [tree];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    found.push(relative(tree, directory).split(sep).join("/") || ".");
    for (const entry of entriesOf(directory)) if (entry.isDirectory()) waiting.push(join(directory, entry.name));
  }
  return found.sort();
}

/** Paths below the tree of the plain files of one directory. */
export function listFiles(tree: string, directory: string): string[] {
  return entriesOf(join(tree, directory))
    .filter((entry) => entry.isFile())
    .map((entry) => (directory === "." ? entry.name : `${directory}/${entry.name}`))
    .sort();
}

/** What may not be read is not there, for the indexers and for the check alike. */
function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Undefined: the file is gone, or may not be read. */
export async function hashFile(tree: string, path: string): Promise<IndexedFile | undefined> {
  try {
    const whole = join(tree, path);
    const { size } = await stat(whole);
    const hash = createHash("sha256");
    let bytes = 0;
    if (size <= readWholeBytesMax) {
      const content = await readFile(whole);
      bytes = content.length;
      hash.update(content);
    } else {
      for await (const piece of createReadStream(whole, { highWaterMark: 1024 * 1024 })) {
        bytes += (piece as Buffer).length;
        hash.update(piece as Buffer);
      }
    }
    return { path, bytes, sha256: hash.digest("hex") };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "EACCES" || code === "EPERM" || code === "ENOTDIR";
}
