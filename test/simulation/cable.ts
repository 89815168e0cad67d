/**
 * One connection of the virtual network: a stream in each direction, in order, with delays. It can break at any frame;
 * each end hears of that in its own time, and what was under way to the broker may be lost or may still arrive.
 */
import type { Encoding } from "../../src/protocol/index.js";
import { type ConnectionId, connectionId } from "../../src/terms/index.js";
import type { Link } from "../../src/transport/index.js";
import type { Agenda } from "./agenda.js";
import type { Random } from "./random.js";
import type { Rates } from "./rates.js";

/** Where the network is, and how bad. */
export interface Weather {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly rates: () => Rates;
}

/** The program's end of it. */
export interface ProgramEnd {
  accepted(): void;
  heard(bytes: Buffer): void;
  ended(reason: string): void;
}

/** The broker's end of it: something is to be read, or the end. */
export interface BrokerEnd {
  readable(cable: Cable): void;
}

/** A broken connection that nobody notices at once is noticed after so long at most (ms). */
const unnoticedMsMax = 4000;

export class Cable implements Link {
  id: ConnectionId = connectionId(1);
  readonly encoding: Encoding;
  readonly bufferedBytes = 0;
  /** Of what arrived, as much as the broker has read. */
  bytesRead = 0;
  /** Arrived at the broker and not read, in order. */
  readonly inbox: Buffer[] = [];
  /** Behind the inbox there is nothing more. */
  ended = false;
  /** The broker does not read it. */
  paused = false;
  #readAt = 0;
  /** The frame that the broker has put back: it is read again, and was counted. */
  #putBack: Buffer | undefined;
  /** Frames on their way. */
  #underWay = 0;
  readonly #weather: Weather;
  readonly #program: ProgramEnd;
  #broker: BrokerEnd | undefined;
  #out: Buffer[] = [];
  /** The last that was sent in this direction arrives then. */
  #upAt = 0;
  #downAt = 0;
  /** What is under way to the program is lost from here on. */
  #deaf = false;
  /** The program has closed it, and hears nothing of it any more. */
  #dropped = false;
  /** What is under way to the broker is lost from here on, or late. */
  #lost = false;
  #lateMs = 0;
  /** Nothing can be sent any more: by the broker, by the program. */
  #closedDown = false;
  #closedUp = false;

  constructor(encoding: Encoding, weather: Weather, program: ProgramEnd) {
    this.encoding = encoding;
    this.#weather = weather;
    this.#program = program;
  }

  // ── the program's end ─────────────────────────────────────────────────────────────────────────────────────────────

  say(bytes: Buffer): void {
    if (this.#closedUp) return;
    if (this.#breaks()) return this.cut("a frame was lost");
    this.#upAt = this.#arrival(this.#upAt);
    this.#underWay++;
    this.#weather.agenda.at(this.#upAt, () => this.#arrived(bytes));
  }

  /** The program, or the system in its place, closes it; what was sent before arrives first. */
  drop(): void {
    this.#dropped = true;
    this.#closedDown = true;
    this.#endUp();
  }

  /** It is broken: neither end can send, and each hears of it in its own time. */
  cut(reason: string): void {
    const { random, rates } = this.#weather;
    if (this.#closedUp && this.#closedDown) return;
    this.#lost = !random.chance(rates().duplication);
    this.#lateMs = random.chance(rates().halfOpen) ? random.below(unnoticedMsMax) : 0;
    this.#deaf = true;
    this.#endUp();
    if (this.#closedDown) return;
    this.#closedDown = true;
    this.#endDown(reason);
  }

  // ── the broker's end ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The next frame. */
  read(): Buffer | undefined {
    const bytes = this.inbox.shift();
    if (bytes !== this.#putBack) this.bytesRead += bytes?.length ?? 0;
    this.#readAt = this.#weather.agenda.now;
    return bytes;
  }

  /** Nothing is on its way, nothing waits to be read, and it is whole. */
  get quiet(): boolean {
    return (
      this.#underWay === 0 && this.inbox.length === 0 && this.#out.length === 0 && !this.#closedDown && !this.#closedUp
    );
  }

  get quietMs(): number {
    const quietMs = this.paused ? 0 : this.#weather.agenda.now - this.#readAt;
    return Math.floor(quietMs / 1000) * 1000;
  }

  accepted(id: ConnectionId, broker: BrokerEnd): void {
    this.id = id;
    this.#readAt = this.#weather.agenda.now;
    this.#broker = broker;
    this.#downAt = this.#arrival(this.#downAt);
    this.#weather.agenda.at(this.#downAt, () => {
      if (!this.#deaf && !this.#dropped) this.#program.accepted();
    });
  }

  send(message: string | Buffer): void {
    if (!this.#closedDown) this.#out.push(typeof message === "string" ? Buffer.from(message, "latin1") : message);
  }

  flush(): void {
    const out = this.#out;
    this.#out = [];
    if (this.#closedDown && out.length > 0 && this.#lateMs === 0) return this.#torn();
    for (const bytes of out) {
      if (this.#closedDown) return;
      if (this.#breaks()) return this.cut("a frame was lost");
      this.#downAt = this.#arrival(this.#downAt);
      this.#underWay++;
      this.#weather.agenda.at(this.#downAt, () => {
        this.#underWay--;
        if (!this.#deaf && !this.#dropped) this.#program.heard(bytes);
      });
    }
  }

  pause(): void {
    this.paused = true;
  }

  putBack(frame: Buffer): void {
    this.#putBack = frame;
    this.inbox.unshift(frame);
  }

  resume(): void {
    this.paused = false;
    this.#broker?.readable(this);
  }

  admitted(): void {}

  close(_code: number, reason: string): void {
    this.flush();
    this.terminate(`the broker closed the connection: ${reason}`);
  }

  terminate(reason = "the broker ended the connection"): void {
    if (!this.#closedDown) this.#endDown(reason);
    this.#closedDown = true;
    this.#closedUp = true;
    this.#torn();
  }

  /** The broker's process is gone: what it had sent arrives, or is lost with the machine. */
  orphaned(): void {
    this.#broker = undefined;
    this.#out = [];
    this.inbox.length = 0;
    this.#lost = true;
    this.#closedUp = true;
    if (this.#closedDown) return;
    this.#closedDown = true;
    this.#endDown("the connection broke: ECONNRESET");
  }

  // ── on the way ────────────────────────────────────────────────────────────────────────────────────────────────────

  #breaks(): boolean {
    const { random, rates } = this.#weather;
    return random.chance(rates().loss);
  }

  #arrival(behind: number): number {
    const { agenda, random, rates } = this.#weather;
    return Math.max(behind, agenda.now + random.exponential(rates().delayMs));
  }

  #arrived(bytes: Buffer, late = false): void {
    if (!late) this.#underWay--;
    if (this.#lost) return;
    const { agenda } = this.#weather;
    if (this.#lateMs > 0 && !late) {
      agenda.after(this.#lateMs, () => this.#arrived(bytes, true));
      return;
    }
    this.inbox.push(bytes);
    this.#broker?.readable(this);
  }

  #endUp(): void {
    if (this.#closedUp) return;
    this.#closedUp = true;
    this.#upAt = this.#arrival(this.#upAt);
    this.#weather.agenda.at(this.#upAt + this.#lateMs, () => {
      this.ended = true;
      this.#broker?.readable(this);
    });
  }

  /** The broker has noticed: what it has not read is lost. */
  #torn(): void {
    this.#lost = true;
    this.inbox.length = 0;
    this.paused = false;
    this.ended = true;
    this.#broker?.readable(this);
  }

  #endDown(reason: string): void {
    this.#downAt = this.#arrival(this.#downAt);
    this.#weather.agenda.at(this.#downAt, () => {
      if (!this.#dropped) this.#program.ended(reason);
    });
  }
}
