/**
 * The broker's program in a run of its own, for long work on the database. How it goes and what came of it is said in
 * lines of JSON on stdout, the last one being the outcome, or `{"error": {"code", "message", "details"}}`.
 *
 *   front.js --import FILE [--force]   takes over a database          while no broker serves: it has the broker's lock
 *   front.js --restore FILE            puts a backup back             likewise
 *            --after PID               of these two: says {"waiting": true}, and waits until this broker has ended
 *            --after-in DIR            whose run directory this is, if it is not the usual one
 *   front.js --backup FILE [--force]   copies one snapshot            beside a broker, or without one
 *   front.js --check [--quick]         looks whether all is whole     likewise
 *
 * Whoever gives it a pipe as stdin and goes away ends it, as SIGTERM does: a check at once, a backup at its next step,
 * a restore and an import as long as nothing is in its place.
 */
import { type Places, placeIn } from "../places/index.js";
import { isSqliteFailure } from "../sqlite/index.js";
import {
  type BackupProgress,
  backupDatabase,
  checkDatabase,
  crowded,
  importDatabase,
  restoreDatabase,
} from "../store/index.js";
import { HoldfastError, isHoldfastError } from "../terms/index.js";
import { readBootId } from "./boot-id.js";
import { type Config, configFrom, type Errand, type ServeOptions } from "./config.js";
import { prepareDirectories } from "./directories.js";
import { watchErrand } from "./errand-watch.js";
import { wallNow } from "./pulse.js";
import { SingleInstance } from "./single-instance.js";
import { surroundings } from "./surroundings.js";

/** Resolves with the exit code. */
export async function runErrand(errand: Errand, options: ServeOptions): Promise<number> {
  // Whoever reads it may be gone, of the same Ctrl-C; what was begun is cleared away all the same.
  process.stdout.on("error", () => undefined);
  try {
    process.umask(0o077);
    if (errand.kind !== "check") watchErrand();
    say(await outcomeOf(errand, options));
    return 0;
  } catch (error) {
    say({ error: refusalIn(error) });
    return 1;
  }
}

/** What SQLite or the system says and nobody has explained is said in their words; anything else is a fault of ours. */
function refusalIn(error: unknown): Pick<HoldfastError, "code" | "message" | "details"> {
  if (isHoldfastError(error)) return { code: error.code, message: error.message, details: error.details };
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  if (!isSqliteFailure(error) && (code === undefined || syscall === undefined)) throw error;
  return { code: "INTERNAL", message: isSqliteFailure(error) ? `${message} (${error.code})` : message, details: {} };
}

async function outcomeOf(errand: Errand, options: ServeOptions): Promise<unknown> {
  const around = surroundings();
  const config = configFrom(options, around);
  switch (errand.kind) {
    case "backup":
      return backup(errand, config);
    case "check":
      return check(errand, config);
    default:
      return withoutBroker(errand, config, around.uid);
  }
}

/** It has one snapshot, so the log cannot be folded: it ends before writes would be refused because of that. */
function check({ quick }: Errand & { kind: "check" }, { places: { database }, limits }: Config): unknown {
  const bytesMax = Math.floor(limits.walBytesHardMax * 0.75);
  const { code, message, details } = crowded(database, bytesMax, "checked");
  watchErrand({ database, bytesMax, line: JSON.stringify({ error: { code, message, details } }) });
  return checkDatabase({ database, quick });
}

function backup({ file, force }: Errand & { kind: "backup" }, { places, limits }: Config): Promise<unknown> {
  const { walBytesHardMax } = limits;
  const teller = new Teller();
  return backupDatabase({
    database: places.database,
    to: file,
    force,
    walBytesHardMax,
    progress: untilSignalled((progress) => teller.tell(progress)),
  });
}

/** A signal ends it at its next step, so that no draft as large as the database is left behind. */
export function untilSignalled<Progress>(
  tell: (progress: Progress) => void,
  signals: Pick<NodeJS.EventEmitter, "once"> = process,
): (progress: Progress) => void {
  let signalled = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    signals.once(signal, () => {
      signalled = true;
    });
  return (progress) => {
    if (signalled) throw new HoldfastError("CANCELLED", "interrupted: nothing was written");
    tell(progress);
  };
}

async function withoutBroker(
  errand: Errand & { kind: "import" | "restore" },
  config: Config,
  uid: number,
): Promise<unknown> {
  const places = prepareDirectories(config.places, { uid, logs: false, allowed: config.allowFilesystem });
  const instance = await placeFor(errand, places);
  let step: ((done: unknown) => void) | undefined;
  const progress = () => {
    // Before the copy begins a signal finds nothing that must be cleared away, and ends us at once.
    step ??= untilSignalled(() => {});
    step({});
  };
  const order = { from: errand.file, places, wallNow: wallNow().getTime(), bootId: readBootId(), progress };
  try {
    if (errand.kind === "restore") return await restoreDatabase(order);
    return await importDatabase({ ...order, force: errand.force });
  } finally {
    instance.release();
  }
}

function placeFor(
  { after }: Errand & { kind: "import" | "restore" },
  places: Places,
): SingleInstance | Promise<SingleInstance> {
  if (after === undefined) return SingleInstance.take(places);
  say({ waiting: true });
  return SingleInstance.takeAfter(after.pid, after.runDir === undefined ? places : placeIn(after.runDir));
}

/** Not at every step: a hundred lines are enough for whoever watches. */
class Teller {
  #percent = -1;

  tell(progress: BackupProgress): void {
    const percent = progress.pagesAll === 0 ? 100 : Math.floor((100 * progress.pages) / progress.pagesAll);
    if (percent === this.#percent) return;
    this.#percent = percent;
    say({ progress });
  }
}

function say(words: unknown): void {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}
