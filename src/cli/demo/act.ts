/**
 * One run of the eight and the ninth over the tree, from the first process to the judgement; with the broker and its
 * murders, or on plain SQLite and in peace.
 */
import { compareWithTree, type Difference } from "./check.js";
import { Crew, type CrewOptions, type Member } from "./crew.js";
import { type BrokerKill, type IndexerKill, killAnIndexer, killTheBroker } from "./kills.js";
import { machineMs } from "./latencies.js";
import type { Progress } from "./progress.js";
import type { Stage } from "./stage.js";

export interface ActOptions extends CrewOptions {
  readonly tree: string;
  readonly home: string;
  readonly indexers: number;
  readonly filesTotal: number;
  readonly progress: (startMs: number) => Progress;
}

export interface ActResult {
  readonly members: readonly Member[];
  readonly elapsedMs: number;
  readonly indexerKill: IndexerKill | undefined;
  readonly brokerKill: BrokerKill | undefined;
  readonly difference: Difference;
}

const showMs = 100;
/** Shares of the files after which an indexer, and then the broker, is killed. */
const indexerDiesAt = 0.3;
const brokerDiesAt = 0.6;

export async function play(stage: Stage, options: ActOptions): Promise<ActResult> {
  const crew = new Crew(options);
  try {
    const roles = stage.roles;
    for (let number = 1; number <= options.indexers; number++) await crew.hire(roles.indexer, number);
    await crew.hire(roles.asker, 1);
    const startMs = machineMs();
    const progress = options.progress(startMs);
    for (const member of crew.members)
      crew.tell(member, {
        kind: "begin",
        tree: options.tree,
        home: options.home,
        number: member.number - 1,
        numberMax: options.indexers,
      });
    const ticker = setInterval(() => progress.show(filesSoFar(crew), machineMs()), showMs);
    const plot = stage.broker === undefined ? undefined : murders(crew, stage.broker, { ...options, progress });
    await crew.untilOver();
    clearInterval(ticker);
    progress.close();
    const elapsedMs = machineMs() - startMs;
    const deaths = await plot;
    await sendAskerHome(crew);
    const difference = await compareWithTree(options.tree, await stage.rows());
    return { members: crew.members, elapsedMs, difference, indexerKill: deaths?.[0], brokerKill: deaths?.[1] };
  } finally {
    crew.dismiss();
  }
}

function filesSoFar(crew: Crew): number {
  return crew.asker()?.asked?.files ?? 0;
}

type Broker = NonNullable<Stage["broker"]>;

async function murders(
  crew: Crew,
  broker: Broker,
  { filesTotal, progress }: { filesTotal: number; progress: Progress },
): Promise<[IndexerKill | undefined, BrokerKill | undefined]> {
  const reached = (share: number) => async () => {
    if (filesSoFar(crew) < filesTotal * share) await crew.until(() => filesSoFar(crew) >= filesTotal * share);
  };
  await reached(indexerDiesAt)();
  const first = await killAnIndexer(crew, broker);
  if (first !== undefined) {
    const { victim, heir, directory, recoveryMs } = first;
    progress.line(`kill -9 indexer ${victim.number} (pid ${victim.pid}) in the middle of ${directory}`, machineMs());
    progress.line(`its lock went to indexer ${heir.number} after ${recoveryMs.toFixed(0)} ms`, machineMs());
  }
  await reached(brokerDiesAt)();
  if (crew.indexersAtWork().length === 0) return [first, undefined];
  const second = await killTheBroker(crew, broker);
  if (second !== undefined) {
    const { pid } = await broker.status();
    progress.line(`kill -9 broker (pid ${second.pid})`, machineMs());
    progress.line(`a new one (pid ${pid}) acknowledged a write after ${second.recoveryMs.toFixed(0)} ms`, machineMs());
  }
  return [first, second];
}

async function sendAskerHome(crew: Crew): Promise<void> {
  const asker = crew.asker();
  if (asker === undefined || asker.fate !== "working") return;
  const gone = new Promise((resolve) => asker.child.once("exit", resolve));
  crew.tell(asker, { kind: "finish" });
  await gone;
}
