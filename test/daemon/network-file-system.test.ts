import assert from "node:assert/strict";
import { test } from "node:test";
import { fileSystemOf, readMounts, refuseNetworkFileSystem } from "../../src/daemon/network-file-system.js";

const mounts = [
  "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
  "30 22 0:30 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2",
  "31 30 0:31 / /home/ada/local rw - xfs /dev/vdb rw",
  "32 22 0:32 / /mnt/with\\040space rw master:3 propagate_from:2 - cifs //server/share rw",
  "33 22 0:33 / /mnt/twice rw - ext4 /dev/vdc rw",
  "34 33 0:34 / /mnt/twice rw - fuse.sshfs host: rw",
  "",
].join("\n");

test("a path lies on what is mounted nearest above it, and of two mounts on one point on the later", () => {
  for (const [path, kind] of [
    ["/var/data.db", "ext4"],
    ["/home", "nfs4"],
    ["/home/ada/data.db", "nfs4"],
    ["/home/ada/local/data.db", "xfs"],
    ["/home/ada/localhost/data.db", "nfs4"],
    ["/homestead/data.db", "ext4"],
    ["/mnt/with space/data.db", "cifs"],
    ["/mnt/twice/data.db", "fuse.sshfs"],
  ] as const)
    assert.equal(fileSystemOf(path, mounts), kind, path);
  assert.equal(fileSystemOf("/anywhere", ""), undefined);
});

test("a network file system is refused with its name and the way out, unless it is allowed by that name", () => {
  assert.throws(() => refuseNetworkFileSystem("/home/ada/data.db", ["nfs"], mounts), {
    code: "CONFIGURATION",
    message: /\/home\/ada\/data\.db lies on a network file system \(nfs4\).*--allow-filesystem nfs4/,
  });
  refuseNetworkFileSystem("/home/ada/data.db", ["cifs", "nfs4"], mounts);
  refuseNetworkFileSystem("/home/ada/local/data.db", [], mounts);
  refuseNetworkFileSystem("/home/ada/data.db", [], undefined);
});

test("what this machine has mounted is read", { skip: process.platform !== "linux" && "Linux only" }, () => {
  assert.notEqual(fileSystemOf("/proc/self", readMounts() ?? ""), undefined);
  assert.equal(fileSystemOf("/proc/self", readMounts() ?? ""), "proc");
});
