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
  /** For whoever must end all of them before their time. */
  readonly onCrew: (crew: Crew) => void;
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
  options.onCrew(crew);
  try {
    const { roles, broker } = stage;
    await crew.hireAll([
      ...Array.from({ length: options.indexers }, (_, i) => ({ role: roles.indexer, number: i + 1 })),
      { role: roles.asker, number: 1 },
    ]);
    const startMs = machineMs();
    const progress = options.progress(startMs);
    begin(crew, options);
    const ticker = setInterval(() => progress.show(filesSoFar(crew), machineMs()), showMs);
    const plot = broker === undefined ? [undefined, undefined] : murders(crew, broker, { ...options, progress });
    const over = crew.untilOver().then(() => machineMs() - startMs);
    const [elapsedMs, [indexerKill, brokerKill]] = await Promise.all([over, plot]).finally(() => {
      clearInterval(ticker);
      progress.close();
    });
    await sendAskerHome(crew);
    const difference = await compareWithTree(options.tree, await stage.rows());
    return { members: crew.members, elapsedMs, difference, indexerKill, brokerKill };
  } finally {
    crew.dismiss();
  }
}

function begin(crew: Crew, { tree, home, indexers }: ActOptions): void {
  for (const member of crew.members)
    crew.tell(member, { kind: "begin", tree, home, number: member.number - 1, numberMax: indexers });
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
  const tell = (text: string) => progress.line(text, machineMs());
  const reached = async (share: number) => {
    if (filesSoFar(crew) < filesTotal * share) await crew.until(() => filesSoFar(crew) >= filesTotal * share);
  };
  await reached(indexerDiesAt);
  const first = await killAnIndexer(crew, broker, tell);
  await reached(brokerDiesAt);
  const second = crew.indexersAtWork().length === 0 ? undefined : await killTheBroker(crew, broker, tell);
  return [first, second];
}

async function sendAskerHome(crew: Crew): Promise<void> {
  const asker = crew.asker();
  if (asker === undefined || asker.fate !== "working") return;
  const gone = new Promise((resolve) => asker.child.once("exit", resolve));
  crew.tell(asker, { kind: "finish" });
  await gone;
}
