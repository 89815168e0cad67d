/** Figures as aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

export function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString("en-US");
}

export function ms(us: number): string {
  const value = us / 1000;
  if (value >= 100) return value.toFixed(0);
  return value >= 1 ? value.toFixed(1) : value.toFixed(3);
}

export function ratio(a: number, b: number): string {
  return b === 0 ? "–" : (a / b).toFixed(2);
}

export function microseconds(us: number | undefined): string {
  return us === undefined ? "–" : us.toFixed(1);
}
