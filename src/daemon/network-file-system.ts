/**
 * Refuses directories on file systems that other machines share: their locks and shared memory do not hold what SQLite's
 * write-ahead log is built on (https://sqlite.org/wal.html, "all processes must be on the same host"), and a commit may
 * be on no disk when it returns. Who knows better allows one by its name.
 */
import { readFileSync } from "node:fs";
import { HoldfastError } from "../terms/index.js";

/** As mountinfo has them; of what runs over FUSE only some. */
const networkKinds: ReadonlySet<string> = new Set([
  "9p",
  "afs",
  "beegfs",
  "ceph",
  "cifs",
  "coda",
  "davfs",
  "fuse.ceph",
  "fuse.davfs2",
  "fuse.gcsfuse",
  "fuse.glusterfs",
  "fuse.goofys",
  "fuse.rclone",
  "fuse.s3fs",
  "fuse.smbnetfs",
  "fuse.sshfs",
  "gfs2",
  "gpfs",
  "lustre",
  "ncpfs",
  "nfs",
  "nfs4",
  "ocfs2",
  "orangefs",
  "prl_fs",
  "smb2",
  "smb3",
  "smbfs",
  "vboxsf",
  "vmhgfs",
  "fuse.vmhgfs-fuse",
]);

/** Linux; undefined where the system does not tell. */
export function readMounts(): string | undefined {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return undefined;
  }
}

/**
 * The kind of file system on which this true, absolute path lies. A line of mountinfo (proc(5)):
 * `36 35 98:0 / /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw`; of two mounts on one point the later one counts.
 */
export function fileSystemOf(path: string, mounts: string): string | undefined {
  let longest = -1;
  let kind: string | undefined;
  for (const line of mounts.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const point = unescaped(before.split(" ")[4] ?? "");
    if (point === "" || point.length < longest || !isWithin(path, point)) continue;
    longest = point.length;
    [kind] = after.split(" ");
  }
  return kind;
}

/** Throws CONFIGURATION. `allowed`: names of file systems that may be used all the same. */
export function refuseNetworkFileSystem(path: string, allowed: readonly string[], mounts: string | undefined): void {
  if (mounts === undefined) return;
  const kind = fileSystemOf(path, mounts);
  if (kind === undefined || !networkKinds.has(kind) || allowed.includes(kind)) return;
  throw new HoldfastError(
    "CONFIGURATION",
    `${path} lies on a network file system (${kind}), where a database can be damaged: choose another directory, or allow it with --allow-filesystem ${kind}`,
    { details: { path, filesystem: kind } },
  );
}

function isWithin(path: string, point: string): boolean {
  return point === "/" || path === point || path.startsWith(`${point}/`);
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
