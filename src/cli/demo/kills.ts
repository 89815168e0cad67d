/**
 * The two murders of the plot, and how long each took to get over.
 *
 * An indexer is killed while it surely holds a lock for which another stands in line: it is stopped first, the lock
 * list is looked at, and only then it is killed. The broker is killed as it is, in the middle of everything.
 */
import type { Broker } from "../../client/index.js";
import type { Crew, Member } from "./crew.js";
import { machineMs } from "./latencies.js";

export interface IndexerKill {
  readonly victim: Member;
  readonly heir: Member;
  readonly directory: string;
  /** From SIGKILL to the grant of its lock to the one that stood in line, as that one saw it. */
  readonly recoveryMs: number;
}

export interface BrokerKill {
  readonly pid: number;
  /** From SIGKILL to the first acknowledgement of a write that was sent after it. */
  readonly recoveryMs: number;
}

const attemptsMax = 200;
const lookAgainMs = 2;

export type Tell = (text: string) => void;

/** Undefined: the work was over before a victim was found. */
export async function killAnIndexer(crew: Crew, broker: Broker, tell: Tell): Promise<IndexerKill | undefined> {
  for (let attempt = 0; attempt < attemptsMax && crew.indexersAtWork().length > 2; attempt++) {
    const scene = chooseScene(crew);
    if (scene !== undefined) {
      const victim = await playScene(crew, broker, scene);
      if (victim) return killVictim(crew, scene, tell);
    }
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return undefined;
}

interface Scene {
  readonly victim: Member;
  readonly heir: Member;
  readonly directory: string;
}

/** Who holds the directory with the most files, and who is nearest to idle. */
function chooseScene(crew: Crew): Scene | undefined {
  let best: { victim: Member; directory: string; files: number } | undefined;
  for (const victim of crew.indexersAtWork())
    for (const [directory, files] of victim.holding)
      if (best === undefined || files > best.files) best = { victim, directory, files };
  if (best === undefined) return undefined;
  const { victim, directory } = best;
  const heir = crew.indexersAtWork().find((member) => member !== victim && member.fate === "working");
  return heir === undefined ? undefined : { victim, heir, directory };
}

/** True: the victim stands still, holds the lock, and the heir stands in line for it. */
async function playScene(crew: Crew, broker: Broker, scene: Scene): Promise<boolean> {
  const { victim, heir, directory } = scene;
  crew.tell(heir, { kind: "stand-in-line", directory });
  if (!(await standsInLine(broker, scene))) return false;
  victim.child.kill("SIGSTOP");
  if (await standsInLine(broker, scene)) return true;
  victim.child.kill("SIGCONT");
  return false;
}

async function killVictim(crew: Crew, scene: Scene, tell: Tell): Promise<IndexerKill | undefined> {
  const { victim, heir, directory } = scene;
  const granted = crew.until(
    (who, message) => who === heir && message.kind === "granted" && message.directory === directory,
  );
  const atMs = machineMs();
  crew.kill(victim);
  tell(`kill -9 indexer ${victim.number} (pid ${victim.pid}), which holds ${directory}`);
  const message = await granted;
  if (message?.kind !== "granted") return undefined;
  const recoveryMs = message.atMs - atMs;
  tell(`its lock went to indexer ${heir.number} after ${recoveryMs.toFixed(0)} ms`);
  return { victim, heir, directory, recoveryMs };
}

/** Whether the victim holds the lock and the heir waits for it. Looks until one of the two is surely not so. */
async function standsInLine(broker: Broker, { victim, heir, directory }: Scene): Promise<boolean> {
  const name = `index/${directory}`;
  for (let look = 0; look < 50; look++) {
    const { locks } = await broker.call("lock.list", { name });
    const lock = locks.find((one) => one.name === name);
    if (lock === undefined || !lock.holders.some(({ pid }) => pid === victim.pid)) return false;
    if (lock.waiters.some(({ pid }) => pid === heir.pid)) return true;
  }
  return false;
}

/** Undefined: the work was over before anybody wrote again. */
export async function killTheBroker(crew: Crew, broker: Broker, tell: Tell): Promise<BrokerKill | undefined> {
  const { pid } = await broker.status();
  const written = crew.until((_, message) => message.kind === "first-write");
  const atMs = machineMs();
  process.kill(pid, "SIGKILL");
  for (const member of crew.indexersAtWork()) crew.tell(member, { kind: "first-write-after", atMs });
  tell(`kill -9 broker (pid ${pid})`);
  const message = await written;
  if (message?.kind !== "first-write") return undefined;
  const recoveryMs = message.atMs - atMs;
  const { pid: next } = await broker.status();
  tell(`a new one (pid ${next}) had acknowledged a write after ${recoveryMs.toFixed(0)} ms`);
  return { pid, recoveryMs };
}
