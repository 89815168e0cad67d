/** Bytes that are to be text: UTF-8 and nothing else, since what cannot be read must not become something else. */
import { ExitWith } from "./command.js";
import { exitCodes } from "./exit-codes.js";

/** Without a byte order mark. `name`: what the bytes are of. */
export function textOfBytes(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = `${name}: it is not UTF-8; \`iconv -t UTF-8\` makes it so`;
    throw new ExitWith(message, { exitCode: exitCodes.refused, cause });
  }
}
