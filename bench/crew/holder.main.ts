/** Takes locks, says so, and holds them until it is killed. */
import { connect } from "../../src/client/index.js";
import type { Order } from "./order.js";
import { openLocker } from "./workloads.js";

export type HolderOrder =
  /** One lock of any contestant. */
  | { readonly kind: "one"; readonly order: Order; readonly name: string }
  /** Locks of the broker by the thousand. */
  | { readonly kind: "many"; readonly dir: string; readonly sessions: number; readonly perSession: number };

process.once("message", async (order: HolderOrder) => {
  if (order.kind === "one") await (await openLocker(order.order.who)(order.order, 0)).lock(order.name);
  else await holdMany(order.dir, order.sessions, order.perSession);
  process.send?.("held");
});

async function holdMany(dir: string, sessions: number, perSession: number): Promise<void> {
  for (let s = 0; s < sessions; s++) {
    const broker = await connect({ dir, start: false, program: "holder" });
    const work = Array.from({ length: perSession }, (_, n) => broker.acquire(`many/${s}/${n}`));
    await Promise.all(work);
  }
}
