/**
 * What tests leave behind, and tortures. All that they make lies below one temporary directory of their run, and is gone
 * again when they are over; a process that is still there then, or a file, is a fault of the test that made it.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endBy, onSignal } from "./process.mjs";

/** How long what is just ending may take to be gone (ms). */
const endingMsMax = 10_000;
/** Which test made which directory, a line each: see test/support/temp-dir.ts. */
const madeName = "made.txt";
/** What no test has put there: the list above, and what Node does by itself. */
const notOurs = new Set([madeName, "node-compile-cache", "node-coverage"]);

/**
 * Makes the directory, and has this process and all that it starts take it for the system's own. A signal that ends this
 * process ends all that it has started and takes the directory away, after `callOff`.
 */
export function openRun(callOff = () => undefined) {
  // Short: a Unix socket's path has little room.
  const place = realpathSync(mkdtempSync(join(tmpdir(), "hf-")));
  // A test that goes on as another user must come through to its own directory.
  chmodSync(place, 0o711);
  process.env.TMPDIR = place;
  process.env.HOLDFAST_TEST_MADE = join(place, madeName);
  onSignal((signal) => {
    callOff();
    sweep(place);
    endBy(signal);
  });
  return place;
}

/** A line for each process and each file that is left; none when all is well. Nothing of it is left afterwards. */
export async function closeRun(place) {
  const until = Date.now() + endingMsMax;
  while (Date.now() < until && (processesOf(place).length > 0 || filesOf(place).length > 0)) {
    await sleep(100);
  }
  const left = [
    ...processesOf(place).map(({ pid, words }) => `process ${pid}: ${words}`),
    ...filesOf(place).map((name) => `${join(place, name)}: ${contentOf(join(place, name))}${makerOf(place, name)}`),
  ];
  sweep(place);
  return left;
}

/** Ends what is left and removes the directory, without a word. */
export function sweep(place) {
  const until = Date.now() + endingMsMax;
  // Again until there is none: a program that was found after its broker may have begun another one in between.
  for (let left = processesOf(place); left.length > 0 && Date.now() < until; left = processesOf(place)) {
    for (const { pid } of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It went by itself.
      }
    }
  }
  rmSync(place, { recursive: true, force: true, maxRetries: 20 });
}

/**
 * Processes that were told of the directory, in their words or by their surroundings: brokers, and what tests start beside
 * them. Linux only.
 */
function processesOf(place) {
  const found = [];
  for (const name of listed("/proc")) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid) {
      continue;
    }
    const words = textOf(pid, "cmdline");
    // A dead one that nobody has asked for has no words left.
    if (words !== "" && (words.includes(place) || textOf(pid, "environ").includes(place))) {
      found.push({ pid, words: words.slice(0, 200) });
    }
  }
  return found;
}

function textOf(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    // It is gone, or somebody else's.
    return "";
  }
}

function filesOf(place) {
  return listed(place).filter((name) => !notOurs.has(name));
}

function makerOf(place, name) {
  try {
    const path = join(place, name);
    const line = readFileSync(join(place, madeName), "utf8")
      .split("\n")
      .find((one) => one.startsWith(`${path} `));
    return line === undefined ? "" : `, of ${line.slice(path.length + 1)}`;
  } catch {
    // No test has made a directory.
    return "";
  }
}

function contentOf(path) {
  const names = listed(path);
  return names.length === 0 ? "empty, or a file" : names.slice(0, 8).join(" ");
}

function listed(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
