/**
 * One value of SQLite as text, for each form of output. A bigint is an INTEGER and a number a REAL, so that `1` and
 * `1.0` stay apart; nothing is rounded.
 */
import { printable } from "./width.js";

export type Cell = null | bigint | number | string | Uint8Array;

/** For the rows that the command line makes itself: a whole number as a cell. */
export function integer(value: number): bigint {
  return BigInt(value);
}

/** The shortest text that reads back as the same REAL, always with a point, as SQLite prints it. */
export function realText(value: number): string {
  if (Number.isNaN(value)) return "NULL";
  if (!Number.isFinite(value)) return value > 0 ? "Inf" : "-Inf";
  const text = Object.is(value, -0) ? "-0" : String(value);
  const [digits = "", exponent] = text.split("e");
  const whole = digits.includes(".") ? digits : `${digits}.0`;
  return exponent === undefined ? whole : `${whole}e${exponent}`;
}

/** In a table for people. */
export function tableText(cell: Cell): string {
  if (cell === null) return "NULL";
  if (typeof cell === "bigint") return String(cell);
  if (typeof cell === "number") return realText(cell);
  if (typeof cell === "string") return printable(cell);
  const shown = 16;
  if (cell.length <= shown) return blobLiteral(cell);
  return `${blobLiteral(cell.subarray(0, shown)).slice(0, -1)}…' (${cell.length} bytes)`;
}

/** Between tabs or commas, before any quoting: NULL is nothing, a blob is the literal that SQL takes for it. */
export function plainText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "bigint") return String(cell);
  if (typeof cell === "number") return realText(cell);
  return typeof cell === "string" ? cell : blobLiteral(cell);
}

/** INTEGER as bare digits however many, REAL with a point, infinities as what JSON readers overflow to. */
export function jsonText(cell: Cell): string {
  if (cell === null) return "null";
  if (typeof cell === "bigint") return String(cell);
  if (typeof cell === "number") {
    if (Number.isNaN(cell)) return "null";
    return Number.isFinite(cell) ? realText(cell) : `${cell > 0 ? "" : "-"}9.0e+999`;
  }
  if (typeof cell === "string") return JSON.stringify(cell);
  return `{"$blob":"${Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString("base64")}"}`;
}

function blobLiteral(bytes: Uint8Array): string {
  return `X'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex").toUpperCase()}'`;
}
