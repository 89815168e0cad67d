/**
 * The log: JSON lines to standard error, or to the file of a spawned broker, or lines for a person on a terminal. A log
 * that cannot be written loses lines and never holds up the broker. Values of SQL parameters never come here.
 */
import { type DestinationStream, pino } from "pino";
import { wallNow } from "./pulse.js";
import { RotatingFile } from "./rotating-file.js";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export function isLogLevel(word: string): word is LogLevel {
  return (logLevels as readonly string[]).includes(word);
}

export type Fields = { readonly [field: string]: unknown };
export type LogLine = (level: LogLevel, fields: Fields, text: string) => void;

export interface Log {
  readonly line: LogLine;
  /** Somebody has moved the file away. */
  reopen(): void;
  close(): void;
}

export type LogTarget =
  | { readonly kind: "stderr" }
  | { readonly kind: "terminal" }
  | { readonly kind: "file"; readonly path: string };

export function openLog(target: LogTarget, level: LogLevel | undefined): Log {
  switch (target.kind) {
    case "terminal":
      return { line: terminalLines(level ?? "warn"), reopen: () => undefined, close: () => undefined };
    case "stderr":
      return {
        line: jsonLines({ write: writeToStderr }, level ?? "info"),
        reopen: () => undefined,
        close: () => undefined,
      };
    case "file": {
      const file = new RotatingFile(target.path);
      const line = jsonLines(file, level ?? "info");
      return { line, reopen: () => file.reopen(), close: () => file.close() };
    }
  }
}

function jsonLines(destination: DestinationStream, level: LogLevel): LogLine {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorField },
    },
    destination,
  );
  return (lineLevel, fields, text) => logger[lineLevel](fields, text);
}

function terminalLines(level: LogLevel): LogLine {
  const least = logLevels.indexOf(level);
  return (lineLevel, fields, text) => {
    if (logLevels.indexOf(lineLevel) < least) return;
    const details = Object.entries(fields).map(([name, value]) => ` ${name}=${fieldText(errorField(value))}`);
    const time = wallNow().toTimeString().slice(0, 8);
    writeToStderr(`${time} ${lineLevel}: ${escaped(text)}${details.join("")}\n`);
  };
}

/** An error as data, with what caused it; anything else as it is. */
function errorField(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const code = "code" in value ? { code: value.code } : {};
  return { name, message, ...code, stack, ...(cause === undefined ? {} : { cause: errorField(cause) }) };
}

function fieldText(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
  return /[\s"=]/.test(text) && typeof value === "string" ? JSON.stringify(text) : escaped(text);
}

/** What a client chose must not move the cursor of who reads the log. */
function escaped(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Unread lines beyond this are lost: Node keeps what a stalled reader of the pipe does not take. */
const unreadBytesMax = 1024 * 1024;

function writeToStderr(line: string): void {
  if (process.stderr.writableLength < unreadBytesMax) process.stderr.write(line);
}
