/**
 * The tests, by Node's own runner on what tsc emitted. The files are listed here and given by name: a runner that
 * looks for them itself also succeeds when it finds none.
 */
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { run as runTests } from "node:test";
import { spec } from "node:test/reporters";
import { closeRun, openRun } from "./left-behind.mjs";
import { root, Stop, say } from "./process.mjs";

/** Folders of test/ from quick to slow; what is not named comes before those that start real processes. */
const quick = ["terms", "core", "protocol", "places", "client", "sqlite", "ledger", "store", "transport", "front"];
const slow = ["house", "simulation", "processes", "consistency", "faults", "torture", "mutants"];

/**
 * A test that waits in vain says so by itself after a while (test/support/patience.ts) and clears up. This is for a file
 * that cannot even do that: so long nothing may be heard of the file that is reported just now, ten times what the slowest
 * takes in all, since the machine may have other things to do. Node's own bound is one of files (20) or of tests (24), and
 * where it is one of tests, a file that does not end after them is waited for for ever.
 */
const { HOLDFAST_TEST_QUIET_MS: quietMsMax = 1_800_000 } = process.env;

/** Runs the files whose path contains one of the filters (all, without any) and answers whether all tests passed. */
export async function test(filters) {
  const files = listTests().filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  if (files.length === 0) {
    const what = filters.length === 0 ? "There are no tests" : `No test file's path contains ${filters.join(" or ")}`;
    throw new Stop(`${what} in out/test.`);
  }
  forgetSettings();
  process.chdir(root);
  const end = new AbortController();
  // The processes of the test files end with this one.
  const place = openRun(() => end.abort());
  const paths = files.map((file) => join(root, "out", file));
  const results = runTests({
    files: paths,
    // One more, and those that kill real processes in a storm of others wait for each other's turns more than they save.
    concurrency: availableParallelism(),
    signal: end.signal,
  });
  let passed = true;
  results.on("test:fail", ({ todo }) => {
    passed &&= todo !== undefined && todo !== false;
  });
  // A file without any test passes under its own path: it was meant to hold some.
  const empty = [];
  results.on("test:pass", ({ name, nesting }) => {
    if (nesting === 0 && paths.includes(resolve(name))) {
      empty.push(relative(root, resolve(name)));
    }
  });
  const report = results.compose(new spec());
  let cutOff = false;
  const quiet = setTimeout(() => {
    cutOff = true;
    say(`nothing was heard of the tests for ${quietMsMax} ms: those that are not done are ended`);
    end.abort();
  }, Number(quietMsMax));
  for await (const part of report) {
    quiet.refresh();
    process.stdout.write(part);
  }
  clearTimeout(quiet);
  const left = await closeRun(place);
  for (const one of left) {
    say(`left behind by the tests: ${one}`);
  }
  passed &&= left.length === 0;
  if (cutOff) {
    // Who holds the output of a file that is gone would keep this process as well.
    process.exit(1);
  }
  if (empty.length > 0) {
    throw new Stop(`There is no test in ${empty.join(", ")}`);
  }
  return passed;
}

/** Paths below out/, such as test/core/deadlines.test.js: a filter is never matched by where the clone lies. */
function listTests() {
  const folder = join(root, "out", "test");
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
    .map((entry) => relative(join(root, "out"), join(entry.parentPath, entry.name)))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function rank(file) {
  const folder = file.split("/")[1];
  const place = quick.indexOf(folder);
  return place >= 0 ? place : quick.length + 1 + slow.indexOf(folder);
}

/** A developer's own broker must not be found, or configured, by the tests. */
function forgetSettings() {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("HOLDFAST_") && !name.startsWith("HOLDFAST_TEST_")) {
      delete process.env[name];
    }
  }
  // Node reads them whenever it starts, which takes longer than all else of it; only npm needs them here.
  const { NODE_EXTRA_CA_CERTS: certificates } = process.env;
  if (certificates !== undefined) {
    process.env.HOLDFAST_TEST_CA_CERTS = certificates;
    delete process.env.NODE_EXTRA_CA_CERTS;
  }
}
