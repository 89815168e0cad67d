/**
 * A disk that fails when told to: a small library in C, compiled by the test and loaded before all others
 * (LD_PRELOAD), that stands between SQLite and the system's fsync and write.
 *
 * With `shadowingEnv` it also keeps, beside each file of the database, a copy of what the last sync has brought to the disk;
 * `losePower` puts these copies in the files' places. So what was only written, and never synced, is gone.
 *
 * An order is a file: `sync` or `write` in the orders' directory, with what to do and to which files, for example
 * `stop data.db-wal`. What happens once (stop, eio) takes the order with it, so that one process and one call obey.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./patience.js";
import { known, type KnownProcess, stateOf } from "./processes.js";

const source = String.raw`
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* What the order of this name says of the file behind fd: 0 nothing, else its first letter. */
static char ordered(const char *name, int fd) {
  const char *dir = getenv("HOLDFAST_TEST_DISK");
  char order[1024], taken[1100], link[64], path[1024], text[256];
  if (dir == NULL) return 0;
  snprintf(order, sizeof order, "%s/%s", dir, name);
  int file = open(order, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  char *suffix = strchr(text, ' ');
  if (suffix == NULL) return 0;
  *suffix++ = 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  size_t wanted = strlen(suffix);
  if ((size_t)size < wanted || strcmp(path + size - wanted, suffix) != 0) return 0;
  if (text[0] != 'f') {
    snprintf(taken, sizeof taken, "%s.%d", order, (int)getpid());
    if (rename(order, taken) != 0) return 0;
    char done[1100];
    snprintf(done, sizeof done, "%s.taken", order);
    FILE *note = fopen(taken, "w");
    if (note != NULL) { fprintf(note, "%d\n", (int)getpid()); fclose(note); }
    rename(taken, done);
  }
  return text[0];
}

/* A copy of the file behind fd, whole or not at all, as it is now that it is on disk. */
static void shadow(int fd) {
  char link[64], path[1024], draft[1100], copy[1100], block[65536];
  if (getenv("HOLDFAST_TEST_SHADOWS") == NULL) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return;
  path[size] = 0;
  if (strstr(path, "/data.db") == NULL || strstr(path, ".lock") != NULL) return;
  snprintf(draft, sizeof draft, "%s.shadow.%d", path, (int)getpid());
  snprintf(copy, sizeof copy, "%s.shadow", path);
  int out = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) abort();
  ssize_t part;
  for (off_t at = 0; (part = pread(fd, block, sizeof block, at)) > 0; at += part)
    if (write(out, block, (size_t)part) != part) abort();
  close(out);
  if (rename(draft, copy) != 0) abort();
}

static int synced(const char *symbol, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, symbol);
  char what = ordered("sync", fd);
  if (what == 'e') { errno = EIO; return -1; }
  if (what == 's') raise(SIGSTOP);
  int result = real(fd);
  if (result == 0) shadow(fd);
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static int refused(int fd) {
  if (ordered("write", fd) != 'f') return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return refused(fd) ? -1 : real(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  ssize_t (*real)(int, const void *, size_t, off_t) = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  return refused(fd) ? -1 : real(fd, bytes, size, at);
}
`;

export class FaultyDisk {
  readonly #orders: string;
  readonly #library: string;

  /** Compiles it into this directory. Wants a C compiler, as better-sqlite3 does where it has no ready binary. */
  static make(dir: string): FaultyDisk {
    const [text, library] = [join(dir, "faulty-disk.c"), join(dir, "faulty-disk.so")];
    writeFileSync(text, source);
    const { status, stderr, error } = spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, text, "-ldl"], { encoding: "utf8" });
    if (status !== 0) throw new Error(`the faulty disk could not be compiled (a C compiler is needed as "cc"): ${error?.message ?? stderr}`);
    return new FaultyDisk(dir, library);
  }

  private constructor(dir: string, library: string) {
    this.#orders = join(dir, "orders");
    this.#library = library;
    mkdirSync(this.#orders, { recursive: true });
  }

  /** For the broker whose disk it is. */
  get env(): { readonly [name: string]: string } {
    return { LD_PRELOAD: this.#library, HOLDFAST_TEST_DISK: this.#orders };
  }

  /** The same for one whose power will be lost. */
  get shadowingEnv(): { readonly [name: string]: string } {
    return { ...this.env, HOLDFAST_TEST_SHADOWS: "1" };
  }

  /**
   * What the disk has when the power goes: the files as they were synced last. All processes must be gone. The ledger
   * goes as well, as after a restart of the machine, which this cannot show otherwise.
   */
  losePower(database: string, ledger: string): void {
    for (const file of [database, `${database}-wal`]) {
      rmSync(file, { force: true });
      if (existsSync(`${file}.shadow`)) copyFileSync(`${file}.shadow`, file);
    }
    for (const file of [`${database}-shm`, ledger, `${ledger}-wal`, `${ledger}-shm`, `${ledger}-journal`]) rmSync(file, { force: true });
  }

  /** The next sync of such a file stands still before it reaches the disk. Resolves with the process that stands. */
  async stopAtSync(file: string, doing: () => void): Promise<KnownProcess> {
    this.#order("sync", `stop ${file}`);
    doing();
    const pid = await this.#taken("sync");
    return until(`process ${pid} to stand still at its sync`, () => stateOf(pid) === "T" && known(pid));
  }

  /** The next sync of such a file fails. Resolves when it has. */
  async failSync(file: string, doing: () => void): Promise<void> {
    this.#order("sync", `eio ${file}`);
    doing();
    await this.#taken("sync");
  }

  /** Every write to such a file finds the disk full, until `makeRoom`. */
  fill(file: string): void {
    this.#order("write", `full ${file}`);
  }

  makeRoom(): void {
    rmSync(join(this.#orders, "write"), { force: true });
  }

  #order(name: string, text: string): void {
    const path = join(this.#orders, name);
    rmSync(`${path}.taken`, { force: true });
    writeFileSync(`${path}.draft`, text);
    renameSync(`${path}.draft`, path);
  }

  #taken(name: string): Promise<number> {
    const path = join(this.#orders, `${name}.taken`);
    return until(`a ${name} that obeys the order`, () => {
      return existsSync(path) && Number(readFileSync(path, "utf8"));
    });
  }
}
