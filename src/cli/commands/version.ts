/** `holdfast version`: what is installed here; says nothing of a broker that runs (`holdfast status` does). */
import { protocolVersions } from "../../client/index.js";
import type { Command } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import { holdfastVersion } from "../versions.js";

export const version: Command = {
  prints: true,
  define() {},
  async run(call) {
    if (call.operands.length > 0) call.misused("version takes no operands");
    const versions = { holdfast: holdfastVersion, node: process.versions.node, protocol: protocolVersions.max };
    call.output.thing(versions, () => Object.entries(versions).map(([name, value]) => `${name.padEnd(8)} ${value}`));
    return exitCodes.ok;
  },
};
