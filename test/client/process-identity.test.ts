/** Which process is which. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { isDead, processClaim, startTimeOf } from "../../src/client/process-identity.js";
import { until } from "../support/patience.js";

describe("a process", () => {
  it("that runs is not dead; with another start time it is another", () => {
    assert.equal(isDead(process.pid, startTimeOf(process.pid)), false);
    assert.equal(isDead(process.pid, undefined), false);
    if (process.platform === "linux") assert.equal(isDead(process.pid, "1"), true);
  });

  it("that has ended is dead, also while nobody has asked for its exit code", async () => {
    assert.equal(isDead(spawnSync(process.execPath, ["-e", ""]).pid, undefined), true);
    const child = spawn("sh", ["-c", "sleep 0 & echo $!; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    const zombie = Number(String(text));
    // Its parent is a program by then that never asks. Where there is no /proc that one has to go first.
    if (process.platform !== "linux") child.stdin.end();
    await until("its end", () => isDead(zombie, undefined));
    child.stdin.end();
  });

  it("claims its start time and namespace where the system tells them", () => {
    const claim = processClaim(process.pid);
    if (process.platform !== "linux") return assert.equal(claim, undefined);
    assert.match(claim?.startTime ?? "", /^\d+$/);
    assert.match(claim?.pidNamespace ?? "", /^pid:/);
  });

  it("that is not there claims nothing", () => {
    assert.equal(processClaim(4_194_305), undefined);
  });
});
