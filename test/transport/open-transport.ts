/** A transport in a directory of its own, which echoes unless a test says otherwise. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { afterInput as afterInputStandard } from "../../src/daemon/pulse.js";
import { limitsWith } from "../../src/terms/index.js";
import { type AfterInput, type Link, type LinkHandlers, Transport } from "../../src/transport/index.js";
import { tempDir } from "../support/temp-dir.js";

export interface Opened {
  readonly transport: Transport;
  readonly path: string;
  /** In order of opening; closed ones stay in it. */
  readonly links: Link[];
  /** Resolves with the next link that opens (or has sent all, or closes) from now on. */
  nextOpen(): Promise<Link>;
  nextDrain(): Promise<Link>;
  nextClose(): Promise<Link>;
}

export interface OpenOptions {
  readonly limits?: { readonly [name: string]: number };
  readonly onFrame?: LinkHandlers["onFrame"];
  readonly ready?: () => boolean;
  readonly headMs?: number;
  readonly afterInput?: AfterInput;
}

export const uid = process.getuid?.() ?? 0;

export async function openTransport(t: TestContext, options: OpenOptions = {}): Promise<Opened> {
  const { limits = {}, ready = () => true, headMs, afterInput = afterInputStandard } = options;
  const directory = join(tempDir(t), "run");
  mkdirSync(directory, { mode: 0o700 });
  const path = join(directory, "broker.sock");
  const links: Link[] = [];
  const nobody = (): ((link: Link) => void)[] => [];
  const waiting = { open: nobody(), drain: nobody(), close: nobody() };
  const echo = (link: Link, data: Buffer) => {
    link.send(data);
    link.flush();
  };
  const handlers: LinkHandlers = {
    onOpen: (link) => {
      links.push(link);
      for (const tell of waiting.open.splice(0)) tell(link);
    },
    onFrame: options.onFrame ?? echo,
    onDrained: (link) => {
      for (const tell of waiting.drain.splice(0)) tell(link);
    },
    onClose: (link) => {
      for (const tell of waiting.close.splice(0)) tell(link);
    },
  };
  const transport = await Transport.open({
    path,
    uid,
    platform: process.platform,
    limits: limitsWith(limits),
    handlers,
    ready,
    log: () => undefined,
    afterInput,
    ...(headMs === undefined ? {} : { headMs }),
  });
  t.after(() => transport.close());
  const next = (kind: "open" | "drain" | "close") => new Promise<Link>((resolve) => waiting[kind].push(resolve));
  return {
    transport,
    path,
    links,
    nextOpen: () => next("open"),
    nextDrain: () => next("drain"),
    nextClose: () => next("close"),
  };
}
