/**
 * Plays a story: commands in, one a line; under each, indented, what the core decided. Comments begin with #.
 *
 *   anna hello [pid=N] [window=MS] [keeps=LOCK,…] [pending=KEY,…] [outer=bert]  connects first if there is no connection
 *   anna acquire LOCKS [wait=MS] [key=N] [ttl=MS] [under=LOCK,…|none] [guarded] [steal] [place] [contended]
 *        LOCKS is LOCK[+LOCK…], and each is NAME, NAME(shared), NAME(K) for K slots, or NAME(K/N) for K of N slots
 *   anna release LOCK · anna upgrades LOCK [wait=MS] [key=N] · anna downgrades LOCK · anna cancels KEY · anna lists
 *   anna breaks LOCK [grace=MS] [reason=WORD] · anna transfers LOCK to=bert · anna resizes LOCK slots=N
 *   anna pings · anna asks LOCK                                        its history
 *   anna watches N [name=LOCK|prefix=TEXT]
 *   anna write WHAT [under=LOCK [of=bert]] [key=N|none] [endless] [fails] · anna read WHAT [endless]
 *   anna disconnects · anna goodbye · anna settles bert keys=1,2
 *   writer settles [N] · writer dies running|committing|committed|idle [jobs=N] · writer ready · writer refused
 *   writer runs MS                                                     the first of what it has, for so long by now
 *   reader answers WHAT · reader N dies · readers start · system says 100 dead
 *   system ends TOKEN                                                  no process that carries it lives any more
 *   front ignores anna · front reads anna                              the front does not read her connection, or does again
 *   time passes MS · broker stands MS · broker restarts · broker drains
 *
 * The first line may be `limits NAME=N …`.
 */
import type { Fence, GrantView, Letter } from "../../../src/core/index.js";
import type { ConnectionId } from "../../../src/terms/index.js";
import type { Death } from "./fake-writer.js";
import { TestBroker } from "./test-broker.js";
import { type AcquireWords, type ClaimWords, TestClient } from "./test-client.js";
import { type Cast, linesOf } from "./transcript-words.js";
import { key, seqOf, tokenOf } from "./values.js";

interface Words {
  readonly plain: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

/** The story with what is decided now under each of its commands. */
export function played(story: string): string {
  const out: string[] = [];
  let stage: Stage | undefined;
  for (const line of story.trimEnd().split("\n")) {
    if (line.startsWith("  ")) continue;
    out.push(line);
    const words = wordsOf(line);
    if (words.plain.length === 0) continue;
    if (stage === undefined && words.plain[0] === "limits") stage = new Stage(words.named);
    else {
      stage ??= new Stage(new Map());
      try {
        out.push(...stage.play(words).map((effect) => `  ${effect}`));
      } catch (error) {
        throw new Error(`${line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  }
  return `${out.join("\n")}\n`;
}

function wordsOf(line: string): Words {
  const plain: string[] = [];
  const named = new Map<string, string>();
  if (line.startsWith("#")) return { plain, named };
  for (const word of line.split(" ").filter((one) => one !== "")) {
    const [name, value] = word.split("=");
    if (value === undefined || name === undefined) plain.push(word);
    else named.set(name, value);
  }
  return { plain, named };
}

class Stage implements Cast {
  #broker: TestBroker;
  readonly #limits: { readonly [name: string]: number };
  readonly #clients = new Map<string, TestClient>();
  readonly #connected = new Set<string>();
  readonly #connections = new Map<ConnectionId, string>();
  /** Letters of earlier lives of the broker. */
  readonly #earlier: Letter[] = [];

  constructor(limits: ReadonlyMap<string, string>) {
    this.#limits = Object.fromEntries([...limits].map(([name, value]) => [name, Number(value)]));
    this.#broker = new TestBroker({ limits: this.#limits });
  }

  session(id: string): string {
    for (const [name, client] of this.#clients) if (client.session === id) return name;
    return id;
  }

  connection(id: ConnectionId): string {
    const name = this.#connections.get(id) ?? `${id}`;
    return this.#clients.get(name)?.to === id ? name : `(${name})`;
  }

  play({ plain, named }: Words): string[] {
    const [who = "", ...rest] = plain;
    const { length } = this.#broker.turns;
    const before = this.#broker;
    const words = { plain: rest, named };
    if (who === "writer") this.#writer(words);
    else if (who === "reader" || who === "readers") this.#reader(words);
    else if (who === "time") this.#broker.pass(Number(rest[1]));
    else if (who === "broker") this.#live(words);
    else if (who === "system") this.#system(words);
    else if (who === "front") this.#front(words);
    else this.#client(who, words);
    return linesOf(this.#broker.turns.slice(this.#broker === before ? length : 0), this);
  }

  #writer({ plain: [verb, how], named }: Words): void {
    const broker = this.#broker;
    if (verb === "settles") broker.settle(how === undefined ? undefined : Number(how));
    else if (verb === "ready") broker.do(broker.writer.ready());
    else if (verb === "refused") broker.do(broker.writer.refuse());
    else if (verb === "dies") {
      const jobs = Number(named.get("jobs") ?? broker.writer.waiting.length);
      broker.killWriter({ jobs, phase: how as Death["phase"] });
    } else if (verb === "runs") {
      const seq = broker.writer.waiting[0]?.seq ?? seqOf(0);
      broker.do({ kind: "writer-progress", progress: { seq, phase: "running", since: broker.now - Number(how) } });
    } else throw new Error(`a writer does not know ${verb}`);
  }

  #reader({ plain: [verb = "", what = ""] }: Words): void {
    if (verb === "start") this.#broker.startReaders();
    else if (verb === "answers") this.#broker.read(what);
    else if (what === "dies") this.#broker.readerGone(Number(verb));
    else throw new Error(`a reader does not know ${verb}`);
  }

  #live({ plain: [verb, ms] }: Words): void {
    if (verb === "stands") this.#broker.pause(Number(ms));
    else if (verb === "drains") this.#broker.do({ kind: "drain" });
    else if (verb === "restarts") this.#restart();
    else throw new Error(`a broker does not know ${verb}`);
  }

  #restart(): void {
    const { writer, ledger, now } = this.#broker;
    writer.state = "none";
    this.#earlier.push(...this.#broker.letters);
    this.#connected.clear();
    this.#broker = new TestBroker({
      limits: this.#limits,
      memory: ledger.memory(),
      writer,
      ledger,
      startMs: now + 100,
    });
    for (const client of this.#clients.values()) client.broker = this.#broker;
  }

  #front({ plain: [verb, who = ""] }: Words): void {
    const { to } = this.#known(who);
    if (verb === "ignores") this.#broker.unread.add(to);
    else if (verb === "reads") this.#broker.unread.delete(to);
    else throw new Error(`a front does not know ${verb}`);
  }

  #known(who: string): TestClient {
    const client = this.#clients.get(who);
    if (client === undefined) throw new Error(`nobody is called ${who}`);
    return client;
  }

  #system({ plain: [verb, pid, fate] }: Words): void {
    if (verb === "ends") {
      this.#broker.processesGone(tokenOf(Number(pid)));
      return;
    }
    for (const { identity, session } of this.#broker.ledger.sessions.values()) {
      const { process } = identity;
      if (process?.pid !== Number(pid)) continue;
      this.#broker.do({ kind: "process-fate", session, process, fate: fate === "dead" ? "dead" : "alive" });
    }
  }

  #client(who: string, { plain: [verb, what = "", ...flags], named }: Words): void {
    const client = this.#clients.get(who) ?? new TestClient(this.#broker, this.#clients.size + 1, who);
    this.#clients.set(who, client);
    const numbered = named.get("key");
    const keyed = numbered === undefined ? {} : { key: Number(numbered) };
    const marks = {
      endless: flags.includes("endless"),
      fails: flags.includes("fails"),
      ends: flags.includes("ends"),
    };
    switch (verb) {
      case "hello":
        return this.#hello(who, client, named);
      case "acquire":
        client.acquire(claimed(what), { ...keyed, ...this.#wishes(client, flags, named) });
        return;
      case "upgrades":
        client.upgrade(this.#fence(client, what), { ...keyed, ...number("waitMs", named.get("wait")) });
        return;
      case "downgrades":
        client.downgrade(this.#fence(client, what), keyed);
        return;
      case "breaks":
        client.break(what, { ...number("graceMs", named.get("grace")), reason: named.get("reason") ?? "" });
        return;
      case "transfers":
        client.transfer(what, this.#known(named.get("to") ?? ""));
        return;
      case "resizes":
        client.resize(what, Number(named.get("slots")));
        return;
      case "pings":
        client.ping();
        return;
      case "asks":
        client.history(what);
        return;
      case "watches": {
        const name = named.get("name");
        client.watch(Number(what), { prefix: named.get("prefix") ?? "", ...(name === undefined ? {} : { name }) });
        return;
      }
      case "release":
        client.release(this.#fence(client, what), keyed);
        return;
      case "cancels":
        client.cancelAcquire(Number(what));
        return;
      case "lists":
        client.list();
        return;
      case "begins":
        client.begin({ fences: this.#under(client, named) });
        return;
      case "runs":
        client.step(what, marks);
        return;
      case "commits":
        client.commit({ ...marks, ...keyed, ...(numbered === "none" ? { key: undefined } : {}) });
        return;
      case "rolls":
        client.rollback();
        return;
      case "write": {
        const fences = this.#under(client, named);
        client.write(what, { fences, ...marks, ...keyed, ...(numbered === "none" ? { key: undefined } : {}) });
        return;
      }
      case "read":
        client.read(what, marks);
        return;
      case "disconnects":
        this.#connected.delete(who);
        return client.disconnect();
      case "goodbye":
        client.goodbye();
        return;
      case "settles":
        client.settle(this.#clients.get(what) as TestClient, numbers(named.get("keys")));
        return;
      default:
        throw new Error(`a client does not know ${verb}`);
    }
  }

  /** The lock that is relied on: one's own, or that of another. */
  #under(client: TestClient, named: ReadonlyMap<string, string>): Fence[] {
    const under = named.get("under");
    const holder = this.#clients.get(named.get("of") ?? client.program) ?? client;
    return under === undefined ? [] : [this.#fence(holder, under)];
  }

  #wishes(client: TestClient, flags: readonly string[], named: ReadonlyMap<string, string>): AcquireWords {
    const under = named.get("under");
    const tokens = under === "none" ? [] : under?.split(",").map((lock) => this.#fence(client, lock).token);
    return {
      ...number("waitMs", named.get("wait")),
      ...number("ttlMs", named.get("ttl")),
      ...(tokens === undefined ? {} : { under: tokens }),
      guarded: flags.includes("guarded"),
      steal: flags.includes("steal"),
      tell: { place: flags.includes("place"), contended: flags.includes("contended") },
    };
  }

  #hello(who: string, client: TestClient, named: ReadonlyMap<string, string>): void {
    if (!this.#connected.has(who) || named.has("anew")) client.connect();
    this.#connected.add(who);
    this.#connections.set(client.to, who);
    const [pid, window] = [named.get("pid"), named.get("window")];
    const keeps = named.get("keeps")?.split(",") ?? [];
    client.hello({
      ...(pid === undefined ? {} : { process: { pid: Number(pid), startTime: "1" } }),
      ...(window === undefined ? {} : { windowMs: Number(window) }),
      grants: keeps.map((lock) => this.#fence(client, lock)),
      pending: numbers(named.get("pending")).map((one) => key(one)),
      ...(named.has("outer") ? { outer: this.#known(named.get("outer") ?? "") } : {}),
    });
  }

  /** The last grant of this lock that the client was told of. */
  #fence(client: TestClient, lock: string): Fence {
    const mine = (letter: Letter) => this.#connections.get(letter.to) === client.program;
    const told = [...this.#earlier, ...this.#broker.letters].filter(mine).flatMap((letter) => {
      if (letter.kind === "granted") return fencesOf(letter.grant);
      if (letter.kind === "converted") return [letter.fence];
      return letter.kind === "welcome" ? letter.grants.flatMap(fencesOf) : [];
    });
    const fence = told.filter(({ name }) => name === lock).at(-1);
    if (fence === undefined) throw new Error(`${client.program} was never told of a grant of ${lock}`);
    return { name: fence.name, token: fence.token };
  }
}

function fencesOf({ claims, token }: GrantView): Fence[] {
  return claims.map(({ name }) => ({ name, token }));
}

/** Locks as they are written in a story. */
function claimed(locks: string): ClaimWords[] {
  return locks.split("+").map((lock) => {
    const [, name = lock, how] = /^(.*)\((.*)\)$/.exec(lock) ?? [];
    if (how === undefined) return name;
    if (how === "shared") return { name, mode: "shared" };
    const [take, slots] = how.split("/").map(Number);
    return { name, mode: "semaphore", take, slots };
  });
}

function number<Name extends string>(name: Name, value: string | undefined): { readonly [One in Name]?: number } {
  return value === undefined ? {} : ({ [name]: Number(value) } as { [One in Name]: number });
}

function numbers(list: string | undefined): number[] {
  return list === undefined ? [] : list.split(",").map(Number);
}
