/** One line of the broker's log, as it lies in the file (JSON), as a person reads it. What is not JSON stays as it is. */
import { printable } from "./width.js";

const levels: { readonly [level: number]: string } = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** Said in front, or by every line alike. */
const unsaid: ReadonlySet<string> = new Set(["level", "time", "ts", "msg", "pid", "hostname", "name", "v"]);

export function readableLogLine(line: string): string {
  const fields = parsed(line);
  if (fields === undefined) return printable(line);
  const { msg } = fields as { msg?: unknown };
  const rest = Object.entries(fields)
    .filter(([name]) => !unsaid.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [
    timeOf(fields),
    levelOf(fields).padEnd(5),
    typeof msg === "string" ? printable(msg) : "",
    printable(rest.join(" ")),
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function parsed(line: string): { readonly [name: string]: unknown } | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as { readonly [name: string]: unknown };
  } catch {
    return undefined;
  }
}

function levelOf(fields: { readonly [name: string]: unknown }): string {
  const level = fields["level"];
  if (typeof level === "number") return levels[level] ?? String(level);
  return typeof level === "string" ? level.toLowerCase() : "";
}

function timeOf(fields: { readonly [name: string]: unknown }): string {
  const time = fields["time"] ?? fields["ts"];
  if (typeof time !== "number" && typeof time !== "string") return "";
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : localTime(date);
}

/** `2026-05-17 14:03:22.123` in the zone of the machine: beside it stand other logs and a wall clock. */
export function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
