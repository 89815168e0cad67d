/**
 * Where a broker is reached: what a person may write (`unix:///run/x.sock`, or just a path), as a value that
 * the socket can be opened with. In order: what was given, HOLDFAST_SOCKET, the place that belongs to the directory.
 */
import { HoldfastError, utf8Length } from "../terms/index.js";
import { absolute } from "./absolute.js";
import { socketPathBytesMax, tooLong } from "./socket-path.js";

export interface Endpoint {
  readonly kind: "unix";
  readonly path: string;
  /** Somebody named the socket itself: then whose it is, is his affair. */
  readonly named: boolean;
}

export interface EndpointChoice {
  readonly env: { readonly [name: string]: string | undefined };
  readonly platform: string;
  /** Of `placesFor`. */
  readonly socket: string;
  /** What an option said. */
  readonly given?: string | undefined;
  /** Asked only for a relative path; see `Surroundings`. */
  readonly cwd?: (() => string) | undefined;
}

export function endpointFor({ env, platform, socket, given, cwd }: EndpointChoice): Endpoint {
  const fromEnv = env["HOLDFAST_SOCKET"];
  const text = given ?? (fromEnv === "" ? undefined : fromEnv);
  return text === undefined ? { kind: "unix", path: socket, named: false } : parseEndpoint(text, { platform, cwd });
}

/** Takes `unix:/path`, `unix:///path` and a path. Throws CONFIGURATION on anything else. */
export function parseEndpoint(text: string, { platform, cwd }: Pick<EndpointChoice, "platform" | "cwd">): Endpoint {
  const given = /^unix:(?:\/\/)?/.exec(text)?.[0] ?? "";
  const path = text.slice(given.length);
  if (given === "" && /^[a-z][a-z0-9+.-]*:/i.test(text))
    throw new HoldfastError(
      "CONFIGURATION",
      `"${text}" is not an endpoint: a Unix socket is wanted, as unix:///path or a path`,
    );
  if (path === "" || path.includes("\0")) throw new HoldfastError("CONFIGURATION", `"${text}" names no socket`);
  const whole = absolute(path, `the socket path "${path}"`, cwd);
  if (utf8Length(whole) > socketPathBytesMax(platform)) throw tooLong(whole, platform);
  return { kind: "unix", path: whole, named: true };
}
