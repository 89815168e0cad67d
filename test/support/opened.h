/*
 * open and open64 stand between a program and the system's; both lead to what the file that includes this has made of
 * `opened`.
 */
static int opened(const char *symbol, const char *path, int flags, mode_t mode);

#define MODE_OF(flags)                                   \
  mode_t mode = 0;                                       \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {          \
    va_list more;                                        \
    va_start(more, flags);                               \
    mode = va_arg(more, mode_t);                         \
    va_end(more);                                        \
  }

int open(const char *path, int flags, ...) { MODE_OF(flags) return opened("open", path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return opened("open64", path, flags, mode); }
