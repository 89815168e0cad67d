/** How many point reads, beside a bare echo and beside SQLite in the same process? */
import { besideEcho } from "./beside-echo.js";
import type { Stage } from "./stage.js";

export const question = "point reads: broker beside a bare ws echo, and beside better-sqlite3 in process";

export async function run(stage: Stage, print: (text: string) => void): Promise<void> {
  await besideEcho(stage, print, {
    broker: "broker-read",
    echo: "echo",
    direct: "sqlite-read",
    clients: [1, 16, 64],
    echoBytes: 140,
    unit: "reads",
  });
}
