/** Lengths of time and sizes as people write and read them. Milliseconds and bytes inside. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const units: { readonly [unit: string]: number } = {
  ms: 1,
  "": second,
  s: second,
  m: minute,
  min: minute,
  h: hour,
  d: day,
};

/** `30` and `30s` are seconds; `500ms`, `2m` (or `2min`), `1h`, `1d`; fractions are allowed. Undefined: not a length of time. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|m|h|d)?$/.exec(text.trim());
  if (found === null) return undefined;
  const ms = Math.round(Number(found[1]) * (units[found[2] ?? ""] ?? second));
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** About two digits that matter: `0.8 ms`, `45 ms`, `1.2 s`, `42 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (!(ms >= 0)) return "0 ms";
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / second).toFixed(1)} s`;
  const seconds = Math.round(ms / second);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 10 && seconds % 60 > 0 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 > 0 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** `812 bytes`, `3.4 KiB`, `120 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return count(bytes, "byte");
  let size = bytes;
  let unit = "bytes";
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** `1 row`, `2 rows`, `12,345 rows`. */
export function count(value: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(value)} ${value === 1 ? noun : plural}`;
}

/** Thousands set apart, in the same way everywhere: no locale of the machine. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
