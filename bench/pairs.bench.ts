/** How many acquire+release pairs on names of their own, beside two bare echoes each? */
import { besideEcho } from "./beside-echo.js";
import type { Stage } from "./stage.js";

export const question = "acquire + release on distinct names: broker beside two bare ws echoes";

export async function run(stage: Stage, print: (text: string) => void): Promise<void> {
  await besideEcho(stage, print, {
    broker: "broker-pairs",
    echo: "echo-pairs",
    clients: [1, 16, 64],
    echoBytes: 100,
    unit: "pairs",
  });
}
