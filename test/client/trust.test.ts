/** The library and a broker's place where somebody else has been first. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, lchownSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect } from "../../src/client/index.js";
import { distrust, distrustSocket } from "../../src/client/trust.js";
import { tempDir } from "../support/temp-dir.js";
import { FakeBroker } from "./support/fake-broker.js";

const uid = process.geteuid?.() ?? 0;
const nobody = 65_534;
const asRoot = { skip: uid !== 0 && "only root can give files away" };

interface Place {
  readonly dir: string;
  readonly runDir: string;
  readonly broker: FakeBroker;
}

/** Somebody's broker, where the one of this directory would be. */
async function place(test: TestContext): Promise<Place> {
  const dir = tempDir(test);
  const runDir = join(dir, "run");
  mkdirSync(runDir, 0o700);
  const broker = await FakeBroker.start(test, join(runDir, "broker.sock"));
  return { dir, runDir, broker };
}

async function isRefused({ dir, broker }: Place, words: RegExp): Promise<void> {
  for (const start of [false, true])
    await assert.rejects(connect({ dir, start, env: {} }), { code: "PERMISSION", message: words });
  assert.equal(broker.hellos.length, 0);
}

describe("a program", () => {
  it("sends nothing to a broker in a directory that others may enter", async (test) => {
    const found = await place(test);
    for (const mode of [0o755, 0o770, 0o701]) {
      chmodSync(found.runDir, mode);
      await isRefused(found, new RegExp(`run can be entered by others \\(mode 0${mode.toString(8)}\\)`));
    }
    chmodSync(found.runDir, 0o700);
    await (await connect({ dir: found.dir, start: false, env: {} })).close();
  });

  it("sends nothing to a broker to which a symbolic link leads", async (test) => {
    const found = await place(test);
    const elsewhere = join(tempDir(test), "run");
    renameSync(found.runDir, elsewhere);
    symlinkSync(elsewhere, found.runDir);
    await isRefused(found, /run is a symbolic link/);
  });

  it("sends nothing to a broker in another user's directory", asRoot, async (test) => {
    const found = await place(test);
    lchownSync(found.runDir, nobody, nobody);
    await isRefused(found, /run belongs to user 65534, not to 0/);
  });

  it("sends nothing to another user's socket in its own directory", asRoot, async (test) => {
    const found = await place(test);
    lchownSync(found.broker.path, nobody, nobody);
    await isRefused(found, /broker\.sock belongs to user 65534, not to 0/);
  });

  it("goes to whichever socket it was told by name", async (test) => {
    const { dir, runDir, broker } = await place(test);
    chmodSync(runDir, 0o755);
    if (uid === 0) lchownSync(runDir, nobody, nobody);
    await (await connect({ dir, socket: broker.path, start: false, env: {} })).close();
    await (await connect({ start: false, env: { HOLDFAST_SOCKET: broker.path, HOLDFAST_DIR: dir } })).close();
    assert.equal(broker.hellos.length, 2);
  });

  it("leaves no lock file for the start of a broker in a directory that others may enter", async (test) => {
    const dir = tempDir(test);
    mkdirSync(join(dir, "run"), 0o700);
    chmodSync(join(dir, "run"), 0o755);
    const options = { dir, socket: join(dir, "s"), env: {} };
    await assert.rejects(connect(options), { code: "PERMISSION", message: /run can be entered by others/ });
    assert.equal(existsSync(join(dir, "run", "spawn.lock")), false);
  });
});

describe("trust", () => {
  it("is given to what is this user's own, and to root's", asRoot, (test) => {
    const dir = tempDir(test);
    assert.equal(distrust(dir, nobody), undefined);
    assert.equal(distrustSocket(join(dir, "none"), nobody), undefined);
    lchownSync(dir, nobody, nobody);
    assert.equal(distrust(dir, nobody), undefined);
    assert.equal(distrust(dir, nobody - 1)?.refused, "PERMISSION");
  });
});
