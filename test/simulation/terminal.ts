/**
 * What drives the library's real conversation in the simulated world, as the driver does in a program: virtual
 * connections, attempts to make one, the clock. It can be stopped as a process can, and what comes meanwhile waits.
 */
import {
  Conversation,
  type ConversationOptions,
  type Effect,
  type Event,
} from "../../src/client/conversation/index.js";
import {
  decodeFrame,
  type Encoding,
  encodeRequest,
  type Frame,
  secretText,
  sessionIdOf,
} from "../../src/protocol/index.js";
import { refuse, type SessionId } from "../../src/terms/index.js";
import type { Appointment } from "./agenda.js";
import { Cable, type Weather } from "./cable.js";
import type { Trace } from "./trace.js";

/** Where brokers are found. */
export interface Doorway {
  readonly listening: boolean;
  /** Starts one, unless one is being started. */
  start(): void;
  knock(cable: Cable): void;
}

export interface TerminalParts {
  readonly name: string;
  readonly weather: Weather;
  readonly trace: Trace;
  readonly doorway: Doorway;
  readonly encoding: Encoding;
  readonly options: Omit<ConversationOptions, "secret">;
  /** Everything but connections and frames. */
  readonly onEffect: (effect: Told) => void;
  readonly onSent: (id: number, cable: Cable) => void;
}

/** What is for the program, or about it. */
export type Told = Exclude<Effect, { kind: "connect" | "disconnect" | "send" }>;

const lookAgainMs = 20;

export class Terminal {
  readonly conversation: Conversation;
  cable: Cable | undefined;
  readonly #parts: TerminalParts;
  #attempt: { aborted: boolean } | undefined;
  #alive = true;
  #stopped = false;
  readonly #mail: (() => void)[] = [];
  #wake: Appointment | undefined;
  #obeying = false;

  constructor(parts: TerminalParts) {
    this.#parts = parts;
    this.conversation = new Conversation({ ...parts.options, secret: this.#freshSecret() }, parts.weather.agenda.now);
  }

  /** Nothing is on its way, in any direction. */
  get quiet(): boolean {
    return this.conversation.inFlight === 0 && this.#mail.length === 0 && this.cable?.quiet === true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  // ── the program ───────────────────────────────────────────────────────────────────────────────────────────────────

  handle(event: Event): void {
    const { agenda } = this.#parts.weather;
    this.conversation.handle(event, agenda.now);
    this.conversation.check();
    if (this.#obeying) return;
    this.#obeying = true;
    for (let effects = this.conversation.takeEffects(); effects.length > 0; effects = this.conversation.takeEffects())
      for (const effect of effects) this.#obey(effect);
    this.#obeying = false;
    agenda.cancel(this.#wake);
    this.#wake = undefined;
    const next = this.conversation.nextDeadline();
    if (next !== undefined) this.#wake = agenda.at(next, () => this.handle({ kind: "time" }));
  }

  stop(): void {
    this.#stopped = true;
    this.#parts.weather.agenda.cancel(this.#wake);
  }

  /** What the sockets have to say comes before what the clock says. */
  goOn(): void {
    if (!this.#stopped || !this.#alive) return;
    this.#stopped = false;
    for (const go of this.#mail.splice(0)) go();
    this.handle({ kind: "time" });
  }

  /** The process is gone. `keptOpenMs`: a child has its connection and keeps it open for so long. */
  die(keptOpenMs: number): void {
    const { agenda } = this.#parts.weather;
    this.#alive = false;
    agenda.cancel(this.#wake);
    if (this.#attempt !== undefined) this.#attempt.aborted = true;
    const { cable } = this;
    this.cable = undefined;
    if (keptOpenMs > 0) agenda.after(keptOpenMs, () => cable?.drop());
    else cable?.drop();
  }

  // ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #obey(effect: Effect): void {
    switch (effect.kind) {
      case "connect":
        return this.#connect(effect.start);
      case "disconnect":
        return this.#disconnect();
      case "send":
        return this.#send(effect.id, effect.method, effect.params);
      default:
        return this.#parts.onEffect(effect);
    }
  }

  #send(id: number | undefined, method: string, params: object): void {
    const { cable } = this;
    if (cable === undefined) return;
    const { encoding, trace, name } = this.#parts;
    const bytes = encodeRequest(id, method, params, encoding);
    trace.bytes(bytes);
    trace.say(name, () => `► ${method} ${id ?? ""} ${JSON.stringify(params)}`);
    if (id !== undefined) this.#parts.onSent(id, cable);
    cable.say(bytes);
  }

  // ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(start: boolean): void {
    const { agenda, random, rates } = this.#parts.weather;
    const attempt = { aborted: false };
    this.#attempt = attempt;
    agenda.after(random.exponential(rates().delayMs), () => this.#when(attempt, () => this.#look(attempt, start)));
  }

  #look(attempt: { readonly aborted: boolean }, start: boolean): void {
    const { doorway, weather } = this.#parts;
    const { agenda, random, rates } = weather;
    if (doorway.listening) {
      if (random.chance(rates().busy)) return this.#failed("busy");
      return this.#knock(attempt);
    }
    this.handle({ kind: "nobody", left: false });
    if (!start) return this.#failed("nobody");
    doorway.start();
    agenda.after(lookAgainMs * (0.5 + random.next()), () => this.#when(attempt, () => this.#look(attempt, true)));
  }

  #knock(attempt: { readonly aborted: boolean }): void {
    const { encoding, weather, doorway } = this.#parts;
    const cable: Cable = new Cable(encoding, weather, {
      accepted: () => {
        if (attempt.aborted) cable.drop();
        else this.#when(attempt, () => this.#connected(cable));
      },
      heard: (bytes) =>
        this.#awake(() => {
          if (this.cable === cable) this.#hear(bytes);
        }),
      ended: (reason) =>
        this.#awake(() => {
          if (this.cable === cable) this.#broken(reason);
          else if (this.#attempt === attempt) this.#failed("busy");
        }),
    });
    doorway.knock(cable);
  }

  #connected(cable: Cable): void {
    this.#attempt = undefined;
    this.cable = cable;
    this.handle({ kind: "connected", secret: this.#freshSecret() });
  }

  #failed(why: "nobody" | "busy"): void {
    this.#attempt = undefined;
    const refusal = refuse("NO_BROKER", why);
    this.handle({ kind: "connect-failed", why, refusal, luck: this.#parts.weather.random.next() });
  }

  #broken(reason: string): void {
    this.cable = undefined;
    this.handle({ kind: "disconnected", reason, luck: this.#parts.weather.random.next() });
  }

  #disconnect(): void {
    if (this.#attempt !== undefined) this.#attempt.aborted = true;
    this.#attempt = undefined;
    this.cable?.drop();
    this.cable = undefined;
  }

  #hear(bytes: Buffer): void {
    const { encoding, trace, name } = this.#parts;
    const frame = decodeFrame(bytes, encoding, "broker");
    trace.bytes(bytes);
    trace.say(name, () => `◄ ${frameText(frame)}`);
    switch (frame.kind) {
      case "result":
        return this.handle({ kind: "answered", id: Number(frame.id), result: frame.result });
      case "refused":
        return this.handle({ kind: "refused", id: Number(frame.id), refusal: frame.refusal });
      case "notification":
        return this.handle({ kind: "notified", method: frame.method, params: frame.params, bytes: bytes.length });
      default:
        throw new Error(`the broker sent what cannot be read: ${JSON.stringify(frame)}`);
    }
  }

  // ── a process that may stand still, or be gone ────────────────────────────────────────────────────────────────────

  #when(attempt: { readonly aborted: boolean }, go: () => void): void {
    this.#awake(() => {
      if (!attempt.aborted && this.#attempt === attempt) go();
    });
  }

  #awake(go: () => void): void {
    if (!this.#alive) return;
    if (this.#stopped) this.#mail.push(() => this.#awake(go));
    else go();
  }

  #freshSecret(): string {
    const { random } = this.#parts.weather;
    const bytes = new Uint8Array(32);
    for (let at = 0; at < 8; at++) bytes[at] = random.below(256);
    return secretText(bytes);
  }
}

export function sessionOf(secret: string): SessionId {
  const id = sessionIdOf(secret);
  if (id === undefined) throw new Error("a secret that is none");
  return id;
}

function frameText(frame: Frame): string {
  if (frame.kind === "result") return `${frame.id} ${JSON.stringify(frame.result)}`;
  if (frame.kind === "refused") return `${frame.id} ${frame.refusal.refused}: ${frame.refusal.message}`;
  if (frame.kind === "notification") return `${frame.method} ${JSON.stringify(frame.params)}`;
  return JSON.stringify(frame);
}
