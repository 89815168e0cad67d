/** Takes out one rule after the other, and tells which test noticed. */
import { BrokerWithout, type Looked, type Notice } from "./broker-without.js";
import { findings, rowOf, writeFindings } from "./findings.js";
import type { Removal } from "./removal.js";
import { removals } from "./rules/index.js";

/**
 * How long a test waits in vain: with a rule taken out that is how most of them fail. On a machine with other work the
 * shorter one may be too short; then it is looked again with that of `npm test`.
 */
const patiences = [30_000, 90_000] as const;

export interface RulesHuntOptions {
  /** Numbers of rules, or numbers with letters; all without any. */
  readonly wanted: readonly string[];
  /** Into the file of what was found. */
  readonly write: boolean;
  /** Where the tests that speak of it do not notice, the others of their file are sent as well. */
  readonly thorough: boolean;
  readonly say: (line: string) => void;
}

/** True when every rule's absence was noticed. */
export async function huntRules(root: string, { wanted, write, thorough, say }: RulesHuntOptions): Promise<boolean> {
  const chosen = removals.filter(
    ({ id }) => wanted.length === 0 || wanted.some((word) => id === word || id.replace(/[a-z]+$/, "") === word),
  );
  const began = performance.now();
  const whole = await BrokerWithout.make(root, undefined);
  let noticed = 0;
  try {
    const control = new Control(whole);
    for (const removal of chosen) {
      const { notice, passed, seconds, valid } = await judged(root, removal, { control, thorough });
      if (valid) noticed++;
      say(`${verdictOf(notice, valid)}  ${removal.id.padEnd(4)} ${removal.without}`);
      say(`               ${seconds.toFixed(0).padStart(4)} s  ${wordsOf(notice) ?? `${passed} tests pass`}`);
      if (write) writeFindings(root, findings(root).set(removal.id, rowOf(removal, valid ? notice : undefined)));
    }
  } finally {
    whole.remove();
  }
  say(`rules: ${noticed} of ${chosen.length} noticed, ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return noticed === chosen.length;
}

function verdictOf(notice: Notice | undefined, valid: boolean): string {
  if (notice === undefined) return "SURVIVES";
  return valid ? "noticed " : "FAILS WITH IT";
}

function wordsOf(notice: Notice | undefined): string | undefined {
  return notice && `${notice.file}: ${notice.test}: ${notice.message}`;
}

/** `valid`: what noticed it passes where nothing is taken out. */
async function judged(
  root: string,
  removal: Removal,
  { control, thorough }: { readonly control: Control; readonly thorough: boolean },
): Promise<Looked & { readonly valid: boolean }> {
  const broker = await BrokerWithout.make(root, removal);
  try {
    let seconds = 0;
    for (const patienceMs of patiences) {
      const looked = await look(broker, removal, { patienceMs, thorough });
      seconds += looked.seconds;
      const valid = looked.notice !== undefined && (await control.passes(looked.notice, patienceMs));
      if (looked.notice === undefined || valid || patienceMs === patiences.at(-1)) return { ...looked, seconds, valid };
    }
    throw new Error("no patience");
  } finally {
    broker.remove();
  }
}

async function look(
  broker: BrokerWithout,
  { tests, first }: Removal,
  { patienceMs, thorough }: { readonly patienceMs: number; readonly thorough: boolean },
): Promise<Looked> {
  const quick = await broker.look(tests, patienceMs, first);
  if (quick.notice !== undefined || !thorough) return quick;
  const all = await broker.look(tests, patienceMs);
  return { ...all, seconds: quick.seconds + all.seconds };
}

/** A test that notices must pass, just as impatient, when nothing is taken out: else it would notice anything. */
class Control {
  readonly #whole: BrokerWithout;
  readonly #passed = new Set<string>();

  constructor(whole: BrokerWithout) {
    this.#whole = whole;
  }

  async passes({ file, test }: Notice, patienceMs: number): Promise<boolean> {
    if (file === "") return false;
    const name = `${patienceMs} ${test}`;
    if (this.#passed.has(name)) return true;
    const { notice, passed } = await this.#whole.look([file], patienceMs, namedExactly(test));
    if (notice !== undefined || passed === 0) return false;
    this.#passed.add(name);
    return true;
  }
}

function namedExactly(name: string): RegExp {
  return new RegExp(`^${name.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")}$`);
}
