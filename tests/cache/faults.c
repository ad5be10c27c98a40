/* Stops the Nth call that changes a folder: killed before it, or answered with an error.

   Loaded with LD_PRELOAD. `fault_arm(root, at, kind)` starts counting calls that touch files below
   `root`; `fault_count()` says how many there were. Kinds: 0 none, 1 kill -9 (a write is torn in half
   first), 2 EIO once, 3 EIO for ever, 4 ENOSPC for ever for calls that need room. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[4096];
static size_t root_length;
static atomic_int armed, counted;
static int at, kind;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void fault_arm(const char *folder, int number, int what) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    at = number, kind = what;
    counted = 0;
    armed = root_length > 0;
}

int fault_count(void) { return counted; }

static int below(const char *path) { return path && strncmp(path, root, root_length) == 0; }

static int inside(int folder, const char *path) {
    char link[64], seen[4096];
    if (!armed || !path) return 0;
    if (path[0] == '/') return below(path);
    if (folder == AT_FDCWD) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, seen, sizeof seen - 1);
    if (n < 0) return 0;
    seen[n] = 0;
    return below(seen);
}

static int open_inside(int file) { return inside(file, "."); }

/* 0: go on; otherwise the errno to answer. A kill happens here. */
static int fault(int needs_room) {
    int number = ++counted;
    if (kind == 1 && number == at) kill(getpid(), SIGKILL);
    if (kind == 2 && number == at) return EIO;
    if (kind == 3 && number >= at) return EIO;
    if (kind == 4 && number >= at && needs_room) return ENOSPC;
    return 0;
}

static int torn(void) { return kind == 1 && counted + 1 == at; }

#define STOP(inner, room)                                                                          \
    if (armed && (inner)) {                                                                        \
        int answer = fault(room);                                                                  \
        if (answer) return errno = answer, -1;                                                     \
    }

static int changes(int flags) { return (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY; }

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        STOP(changes(flags) && inside(AT_FDCWD, path), 1)                                          \
        return NEXT(name)(path, flags, mode);                                                      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int folder, const char *path, int flags, ...) {                                       \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        STOP(changes(flags) && inside(folder, path), 1)                                            \
        return NEXT(name)(folder, path, flags, mode);                                              \
    }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode) {
    if (armed && strpbrk(mode, "wa+") && inside(AT_FDCWD, path)) {
        int answer = fault(1);
        if (answer) return errno = answer, NULL;
    }
    return NEXT(fopen)(path, mode);
}

ssize_t write(int file, const void *data, size_t n) {
    int ours = armed && open_inside(file);
    if (ours && torn()) NEXT(write)(file, data, n / 2);
    STOP(ours, 1)
    return NEXT(write)(file, data, n);
}

#define PWRITE(name, type)                                                                         \
    ssize_t name(int file, const void *data, size_t n, type offset) {                              \
        int ours = armed && open_inside(file);                                                     \
        if (ours && torn()) NEXT(name)(file, data, n / 2, offset);                                 \
        STOP(ours, 1)                                                                              \
        return NEXT(name)(file, data, n, offset);                                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *data, int n) {
    STOP(armed && open_inside(file), 1)
    return NEXT(writev)(file, data, n);
}

#define ON_FILE(name, declared, passed, room)                                                      \
    int name declared {                                                                            \
        STOP(armed && open_inside(file), room)                                                     \
        return NEXT(name) passed;                                                                  \
    }
ON_FILE(ftruncate, (int file, off_t n), (file, n), 1)
ON_FILE(ftruncate64, (int file, off64_t n), (file, n), 1)
ON_FILE(posix_fallocate, (int file, off_t from, off_t n), (file, from, n), 1)
ON_FILE(fsync, (int file), (file), 1)
ON_FILE(fdatasync, (int file), (file), 1)
ON_FILE(fchmod, (int file, mode_t mode), (file, mode), 0)

#define ON_PATH(name, declared, passed, inner, room)                                               \
    int name declared {                                                                            \
        STOP(inner, room)                                                                          \
        return NEXT(name) passed;                                                                  \
    }
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), inside(AT_FDCWD, path), 1)
ON_PATH(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), inside(folder, path), 1)
ON_PATH(rmdir, (const char *path), (path), inside(AT_FDCWD, path), 0)
ON_PATH(unlink, (const char *path), (path), inside(AT_FDCWD, path), 0)
ON_PATH(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), inside(folder, path), 0)
ON_PATH(rename, (const char *from, const char *to), (from, to), inside(AT_FDCWD, to), 1)
ON_PATH(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), inside(b, to), 1)
ON_PATH(link, (const char *from, const char *to), (from, to), inside(AT_FDCWD, to), 1)
ON_PATH(symlink, (const char *from, const char *to), (from, to), inside(AT_FDCWD, to), 1)
ON_PATH(chmod, (const char *path, mode_t mode), (path, mode), inside(AT_FDCWD, path), 0)
