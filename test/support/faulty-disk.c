/*
 * Stands between the broker and the system: syncs that stop or fail, writes that find no room, a process that no signal
 * ends, copies of what is really on disk, and a run of the machine that can end. What it is told, and what for: faulty-disk.ts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
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
  if (text[0] != 'f' && text[0] != 'r') {
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

/* The run of the machine, as the test has it: after a loss of power it is another. */
static int opened(const char *symbol, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
  const char *boot = getenv("HOLDFAST_TEST_BOOT");
  int asks = boot != NULL && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0;
  return real(asks ? boot : path, flags, mode);
}

#include "opened.h"

/* A process inside a system call that does not return hears of no signal before it does. */
int kill(pid_t pid, int signal) {
  int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
  const char *dir = getenv("HOLDFAST_TEST_DISK");
  char order[1024], text[32];
  if (dir == NULL || signal == 0) return real(pid, signal);
  snprintf(order, sizeof order, "%s/kill", dir);
  int file = open(order, O_RDONLY | O_CLOEXEC);
  if (file < 0) return real(pid, signal);
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  text[length < 0 ? 0 : length] = 0;
  return atoi(text) == pid ? 0 : real(pid, signal);
}

#define PAGE 4096

/* The name of the file behind fd, if it is one of the database whose shadows are kept. */
static int shadowed(int fd, char path[1024]) {
  char link[64];
  if (getenv("HOLDFAST_TEST_SHADOWS") == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, 1023);
  if (size <= 0) return 0;
  path[size] = 0;
  size_t length = (size_t)size;
  return (length > 8 && strcmp(path + length - 8, "/data.db") == 0) || (length > 12 && strcmp(path + length - 12, "/data.db-wal") == 0);
}

/* One byte a page beside the file: 1 if the system wrongly believes that the page is on disk. -1: there are none. */
static int stale_pages(const char *path, int flags) {
  char name[1100];
  snprintf(name, sizeof name, "%s.stale", path);
  return open(name, flags | O_CLOEXEC, 0600);
}

static int is_stale(int stale, off_t page) {
  char mark = 0;
  return stale >= 0 && pread(stale, &mark, 1, page) == 1 && mark == 1;
}

/* Written anew (from, to: bytes): such pages are dirty again, and the next sync brings them to the disk. */
static void freshen(int fd, off_t from, off_t to) {
  char path[1024];
  if (!shadowed(fd, path)) return;
  int stale = stale_pages(path, O_RDWR);
  if (stale < 0) return;
  char mark = 0;
  off_t pages = lseek(stale, 0, SEEK_END);
  for (off_t page = from / PAGE; page * PAGE < to && page < pages; page++)
    if (is_stale(stale, page) && pwrite(stale, &mark, 1, page) != 1) abort();
  close(stale);
}

/* A copy of the file behind fd, whole or not at all, as it is now that it is on disk. failed: the sync was none. */
static void shadow(int fd, int failed) {
  char path[1024], draft[1100], copy[1100], block[PAGE], before[PAGE];
  if (!shadowed(fd, path)) return;
  snprintf(draft, sizeof draft, "%s.shadow.%d", path, (int)getpid());
  snprintf(copy, sizeof copy, "%s.shadow", path);
  int old = open(copy, O_RDONLY | O_CLOEXEC);
  int stale = stale_pages(path, failed ? O_RDWR | O_CREAT : O_RDONLY);
  int out = failed ? -1 : open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t part;
  for (off_t page = 0; (part = pread(fd, block, PAGE, page * PAGE)) > 0; page++) {
    memset(before, 0, PAGE);
    if (old >= 0 && pread(old, before, PAGE, page * PAGE) < 0) abort();
    if (failed) {
      char mark = 1;
      if (memcmp(block, before, (size_t)part) != 0 && pwrite(stale, &mark, 1, page) != 1) abort();
    } else if (write(out, is_stale(stale, page) ? before : block, (size_t)part) != part) abort();
  }
  if (old >= 0) close(old);
  if (stale >= 0) close(stale);
  if (failed) return;
  close(out);
  if (rename(draft, copy) != 0) abort();
}

static int synced(const char *symbol, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, symbol);
  char what = ordered("sync", fd);
  if (what == 'e') { shadow(fd, 1); errno = EIO; return -1; }
  if (what == 's') raise(SIGSTOP);
  int result = real(fd);
  if (result == 0) shadow(fd, 0);
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static int refused(int fd) {
  char what = ordered("write", fd);
  if (what != 'f' && what != 'r') return 0;
  errno = what == 'f' ? ENOSPC : EROFS;
  return 1;
}

/* Our own writes above go this way as well, to files that are not shadowed. */
static ssize_t written(const char *symbol, int fd, const void *bytes, size_t size, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, symbol);
  if (refused(fd)) return -1;
  ssize_t done = real(fd, bytes, size, at);
  if (done > 0) freshen(fd, at, at + done);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { return written("pwrite64", fd, bytes, size, at); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return written("pwrite", fd, bytes, size, at); }

static int cut(const char *symbol, int fd, off64_t size) {
  int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, symbol);
  int result = real(fd, size);
  if (result == 0) freshen(fd, size, size + ((off64_t)1 << 30));
  return result;
}

int ftruncate64(int fd, off64_t size) { return cut("ftruncate64", fd, size); }
int ftruncate(int fd, off_t size) { return cut("ftruncate", fd, size); }
