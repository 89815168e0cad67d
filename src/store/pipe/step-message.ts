/**
 * A step of a client's transaction on its way to the writer:
 *
 *   f64 seq · f64 seq of its begin · f64 key (0: none) · f64 commits (-1: none said) · u8 step · u8 encoding · u8 method · 16 bytes session · the request as it came
 *
 * Method and encoding are 255 where there is no request: of a begin and of a rollback the step says all.
 */
import type { StepKind } from "../../core/index.js";
import type { Encoding } from "../../protocol/index.js";
import { type RequestKey, requestKey, type Seq, type SessionId, seq, sessionId } from "../../terms/index.js";
import { frameHead, payloadAt } from "./frames.js";
import { type StoreMethod, storeMethods } from "./store-methods.js";

export interface StepMessage {
  readonly kind: "step";
  readonly step: StepKind;
  readonly seq: Seq;
  /** The seq of its begin. */
  readonly transaction: Seq;
  readonly session: SessionId;
  readonly key: RequestKey | undefined;
  /** Of a begin: it goes on from a snapshot that has seen so many commits. */
  readonly commits: number | undefined;
  readonly request: { readonly method: StoreMethod; readonly encoding: Encoding; readonly raw: Buffer } | undefined;
}

const steps = ["begin", "run", "commit", "rollback"] as const satisfies readonly StepKind[];
const encodings = ["json", "msgpack"] as const satisfies readonly Encoding[];
const sessionBytes = 16;
const headBytes = 8 + 8 + 8 + 8 + 1 + 1 + 1 + sessionBytes;
const none = 255;
const uncounted = -1;

/** What stands before the request's own bytes. */
export function stepHead({ seq: at, transaction, key, commits, step, request, session }: StepMessage): Buffer {
  const head = frameHead(headBytes);
  head.writeDoubleLE(at, payloadAt);
  head.writeDoubleLE(transaction, payloadAt + 8);
  head.writeDoubleLE(key ?? 0, payloadAt + 16);
  head.writeDoubleLE(commits ?? uncounted, payloadAt + 24);
  head[payloadAt + 32] = steps.indexOf(step);
  head[payloadAt + 33] = request === undefined ? none : encodings.indexOf(request.encoding);
  head[payloadAt + 34] = request === undefined ? none : storeMethods.indexOf(request.method);
  head.write(session, payloadAt + 35, sessionBytes, "hex");
  return head;
}

export function readStep(payload: Buffer): StepMessage {
  const key = payload.readDoubleLE(16);
  const commits = payload.readDoubleLE(24);
  return {
    kind: "step",
    step: at(steps, payload[32]),
    seq: seq(payload.readDoubleLE(0)),
    transaction: seq(payload.readDoubleLE(8)),
    session: sessionId(payload.toString("hex", 35, headBytes)),
    key: key === 0 ? undefined : requestKey(key),
    commits: commits === uncounted ? undefined : commits,
    request:
      payload[33] === none
        ? undefined
        : {
            encoding: at(encodings, payload[33]),
            method: at(storeMethods, payload[34]),
            raw: payload.subarray(headBytes),
          },
  };
}

function at<Word>(words: readonly Word[], place: number | undefined): Word {
  const word = place === undefined ? undefined : words[place];
  if (word === undefined) throw new Error(`a step on the pipe says ${place}`);
  return word;
}
