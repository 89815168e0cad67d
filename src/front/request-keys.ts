/** The key of a write as it comes from the wire: the session's, a number, or the caller's own, a text. */
import { unpairedIn } from "../protocol/index.js";
import { type Limits, type Refusal, type RequestKey, refuse, requestKey, utf8Length } from "../terms/index.js";

interface KeyParams {
  readonly key?: number | string;
  readonly keepMs?: number;
}

export interface WriteKey {
  readonly key: RequestKey | undefined;
  /** It is the caller's own: the store alone knows what it stands for. */
  readonly ownKey: boolean;
}

const bytesMax = 128;

export function keyFrom({ key, keepMs }: KeyParams, { keepMsMax }: Pick<Limits, "keepMsMax">): WriteKey | Refusal {
  if (typeof key !== "string") {
    if (keepMs === undefined) return { key: key === undefined ? undefined : requestKey(key), ownKey: false };
    return refuse("PARAMS_INVALID", "params.keepMs goes with a text as params.key", { path: "params.keepMs" });
  }
  const unpaired = unpairedIn(key, "params.key");
  if (unpaired !== undefined) return unpaired;
  const bytes = utf8Length(key);
  if (bytes > bytesMax)
    return refuse("PARAMS_INVALID", `params.key has ${bytes} bytes, at most ${bytesMax} are allowed`, {
      path: "params.key",
    });
  if (keepMs === undefined || keepMs <= keepMsMax) return { key: undefined, ownKey: true };
  const message = `params.keepMs is ${keepMs}, at most ${keepMsMax} is allowed`;
  return refuse("PARAMS_INVALID", message, { limit: "keepMsMax" });
}
