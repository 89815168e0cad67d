/** The judge: walks the tree once more, hashes every file, and compares with the table, both ways. */
import { hashFile, type IndexedFile, listDirectories, listFiles } from "./tree.js";

export interface Difference {
  readonly filesInTree: number;
  readonly rowsInTable: number;
  /** In the tree, not in the table. */
  readonly missing: readonly string[];
  /** In the table, not in the tree. */
  readonly surplus: readonly string[];
  /** In both, with another size or hash. */
  readonly changed: readonly string[];
}

export async function compareWithTree(tree: string, rows: readonly IndexedFile[]): Promise<Difference> {
  const table = new Map(rows.map((row) => [row.path, row]));
  const missing: string[] = [];
  const changed: string[] = [];
  let filesInTree = 0;
  for (const directory of listDirectories(tree)) {
    for (const path of listFiles(tree, directory)) {
      const file = await hashFile(tree, path);
      if (file === undefined) continue;
      filesInTree++;
      const row = table.get(path);
      table.delete(path);
      if (row === undefined) missing.push(path);
      else if (row.bytes !== file.bytes || row.sha256 !== file.sha256) changed.push(path);
    }
  }
  return { filesInTree, rowsInTable: rows.length, missing, surplus: [...table.keys()], changed };
}

export function isExact({ missing, surplus, changed, filesInTree, rowsInTable }: Difference): boolean {
  return missing.length + surplus.length + changed.length === 0 && filesInTree === rowsInTable;
}

const namedMax = 5;

export function differenceLines(difference: Difference): string[] {
  const lines = [`${difference.filesInTree} files in the tree, ${difference.rowsInTable} rows in the table`];
  for (const [what, paths] of [
    ["not in the table", difference.missing],
    ["not in the tree", difference.surplus],
    ["with another size or hash", difference.changed],
  ] as const) {
    if (paths.length === 0) continue;
    const more = paths.length > namedMax ? `, and ${paths.length - namedMax} more` : "";
    lines.push(`${paths.length} ${what}: ${paths.slice(0, namedMax).join(", ")}${more}`);
  }
  return lines;
}
