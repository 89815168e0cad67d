/*
 * Stands between the broker and the system, and sees each call that touches the broker's files. It writes down what came
 * to the disk and in which order, or lets the N-th call of a kind fail. How both are told and read: disk-calls.ts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { SYNC, WRITE, CUT, OPEN, UNLINK, CALLS };
enum record { WRITTEN = 1, CUT_TO, SYNCED, CREATED, UNLINKED, DIRECTORY_SYNCED };

/* Shared by all processes of a broker; the test writes the first five and reads the rest. */
struct fault {
  uint32_t armed, call, error, nth, stays;
  uint32_t failed;
  uint32_t counts[CALLS];
  char where[200];
};

static volatile struct fault *fault;
static const char *root, *recorded_dir, *boot;
static size_t root_length, recorded_length;
static int record = -1;

static int real_open(const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  return real(path, flags, mode);
}

__attribute__((constructor)) static void begin(void) {
  root = getenv("HOLDFAST_TEST_ROOT");
  root_length = root == NULL ? 0 : strlen(root);
  boot = getenv("HOLDFAST_TEST_BOOT");
  const char *file = getenv("HOLDFAST_TEST_FAULT");
  if (file != NULL) {
    int fd = real_open(file, O_RDWR | O_CLOEXEC, 0);
    if (fd >= 0) {
      void *shared = mmap(NULL, sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (shared != MAP_FAILED) fault = shared;
      close(fd);
    }
  }
  recorded_dir = getenv("HOLDFAST_TEST_RECORDED");
  recorded_length = recorded_dir == NULL ? 0 : strlen(recorded_dir);
  file = getenv("HOLDFAST_TEST_RECORD");
  if (file != NULL && recorded_length > 0) {
    int fd = real_open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Out of the way of those that a process counts on. */
    record = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    close(fd);
  }
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int path_of(int fd, char path[1024]) {
  char link[64];
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, 1023);
  errno = before;
  if (size <= 0) return 0;
  path[size] = 0;
  return 1;
}

/* Whether this call is the one that fails; then errno is set. */
static int fails(enum call call, const char *path) {
  if (fault == NULL || fault->armed == 0 || root == NULL || strncmp(path, root, root_length) != 0) return 0;
  uint32_t n = __sync_add_and_fetch(&fault->counts[call], 1);
  if (fault->call != (uint32_t)call || fault->nth == 0) return 0;
  if (n != fault->nth && !(fault->stays && n > fault->nth)) return 0;
  if (__sync_add_and_fetch(&fault->failed, 1) == 1) snprintf((char *)fault->where, sizeof fault->where, "%s", path + root_length);
  errno = (int)fault->error;
  return 1;
}

/* The file's name in the directory that is recorded, "" for the directory itself, NULL for what is elsewhere. */
static const char *name_in(const char *path) {
  if (record < 0 || strncmp(path, recorded_dir, recorded_length) != 0) return NULL;
  if (path[recorded_length] == 0) return path + recorded_length;
  if (path[recorded_length] != '/' || strchr(path + recorded_length + 1, '/') != NULL) return NULL;
  return path + recorded_length + 1;
}

struct head {
  uint32_t kind, name_length, data_length, unused;
  uint64_t inode, at, begun, ended;
};

static void note(enum record kind, const char *name, uint64_t inode, uint64_t at, uint64_t begun, const void *data, size_t length) {
  int before = errno;
  struct head head = {kind, (uint32_t)strlen(name), (uint32_t)length, 0, inode, at, begun, now()};
  struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.name_length}, {(void *)data, length}};
  ssize_t all = (ssize_t)(sizeof head + head.name_length + length);
  if (writev(record, parts, 3) != all) abort();
  errno = before;
}

static uint64_t inode_of(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 ? (uint64_t)about.st_ino : 0;
}

static int synced(const char *symbol, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, symbol);
  char path[1024];
  if (!path_of(fd, path)) return real(fd);
  if (fails(SYNC, path)) return -1;
  uint64_t begun = now();
  int result = real(fd);
  const char *name = name_in(path);
  if (result == 0 && name != NULL) note(*name == 0 ? DIRECTORY_SYNCED : SYNCED, name, inode_of(fd), 0, begun, NULL, 0);
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static ssize_t written(const char *symbol, int fd, const void *bytes, size_t size, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, symbol);
  char path[1024];
  if (!path_of(fd, path)) return real(fd, bytes, size, at);
  if (fails(WRITE, path)) return -1;
  uint64_t begun = now();
  ssize_t done = real(fd, bytes, size, at);
  const char *name = name_in(path);
  if (done > 0 && name != NULL) note(WRITTEN, name, inode_of(fd), (uint64_t)at, begun, bytes, (size_t)done);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { return written("pwrite64", fd, bytes, size, at); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return written("pwrite", fd, bytes, size, at); }

static int cut(const char *symbol, int fd, off64_t size) {
  int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, symbol);
  char path[1024];
  if (!path_of(fd, path)) return real(fd, size);
  if (fails(CUT, path)) return -1;
  uint64_t begun = now();
  int result = real(fd, size);
  const char *name = name_in(path);
  if (result == 0 && name != NULL) note(CUT_TO, name, inode_of(fd), (uint64_t)size, begun, NULL, 0);
  return result;
}

int ftruncate64(int fd, off64_t size) { return cut("ftruncate64", fd, size); }
int ftruncate(int fd, off_t size) { return cut("ftruncate", fd, size); }

static int opened(const char *symbol, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
  if (boot != NULL && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) return real(boot, flags, mode);
  if (fails(OPEN, path)) return -1;
  const char *name = name_in(path);
  uint64_t begun = now();
  int before = errno;
  int is_new = name != NULL && (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  errno = before;
  int fd = real(path, flags, mode);
  if (fd >= 0 && is_new) note(CREATED, name, inode_of(fd), 0, begun, NULL, 0);
  return fd;
}

#include "opened.h"

int unlink(const char *path) {
  int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  if (fails(UNLINK, path)) return -1;
  uint64_t begun = now();
  int result = real(path);
  const char *name = name_in(path);
  if (result == 0 && name != NULL) note(UNLINKED, name, 0, 0, begun, NULL, 0);
  return result;
}
