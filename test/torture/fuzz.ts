/** Messages and texts that nobody should send, in this process for their number and over the socket for the whole way. */
import { Random } from "../simulation/random.js";
import type { Life } from "../support/broker.js";
import { type DecodingReport, FuzzDecoding } from "./fuzz-decoding.js";
import { FuzzSockets, type SocketsReport } from "./fuzz-sockets.js";

export interface FuzzOptions {
  readonly seed: number;
  /** In this process. */
  readonly decoded: number;
  /** Over the socket, for each of those in this process. */
  readonly share: number;
  /** When it is over nothing more is made. Milliseconds from now. */
  readonly forMs?: number;
}

export interface FuzzReport {
  readonly seed: number;
  readonly decoding: DecodingReport;
  readonly sockets: SocketsReport;
  readonly wrong: readonly string[];
}

const atOnce = 10_000;

export async function fuzzRun(
  life: Life,
  { seed, decoded, share, forMs = Infinity }: FuzzOptions,
): Promise<FuzzReport> {
  const end = performance.now() + forMs;
  const random = new Random(seed);
  const sockets = await FuzzSockets.start(life, random);
  const decoding = new FuzzDecoding(random);
  for (let n = 0; n < decoded && performance.now() < end; n += atOnce) {
    const count = Math.min(atOnce, decoded - n);
    await sockets.run(count * share);
    decoding.run(count);
  }
  const told = await sockets.end();
  decoding.close();
  return { seed, decoding: decoding.report, sockets: told, wrong: [...told.wrong, ...decoding.report.wrong] };
}

/** One line for people. */
export function fuzzSummary({ seed, decoding, sockets, wrong }: FuzzReport): string {
  const codes = new Set([...Object.keys(decoding.refused), ...Object.keys(sockets.codes)]);
  const { frames, bytes, upgrades, canary } = sockets;
  return (
    `fuzz, seed ${seed}: ${decoding.messages} messages and ${decoding.texts} SQL texts decoded and judged (${decoding.admitted} texts let through), ` +
    `over the socket ${frames} messages, ${bytes} pieces of bytes and ${upgrades} upgrades, ${codes.size} different codes, ` +
    `${canary} rounds of the client beside, ${wrong.length} contradictions`
  );
}
