/** How often does one contended name change hands, beside clients that only send as many messages? */
import { besideEcho } from "./beside-echo.js";
import type { Stage } from "./stage.js";

export const question = "hand-over of one contended name: broker beside two bare ws echoes per client";

export async function run(stage: Stage, print: (text: string) => void): Promise<void> {
  await besideEcho(stage, print, {
    broker: "broker-handover",
    echo: "echo-handover",
    clients: [2, 16, 64],
    echoBytes: 100,
    unit: "hand-overs",
  });
}
