/* SPDX-License-Identifier: Apache-2.0
 *
 * Records, one behind the other, by many writers: flock(2) puts them into a row, and who has the
 * lock reads the last line for its number and its hash.
 */
#include "core/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "core/record.h"
#include "core/roots.h"

#define PATH_SIZE 4096 /* the kernel's own ceiling, with the NUL */
#define TRIES     8    /* of opening a file that is renamed for the next one */

static const char head[] = "{\"lz\":1,\"ev\":\"";
static const char number[] = ",\"seq\":";

static int fail(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_LEDGER, errno, "%s: %s", what, laz_err_errno_name(errno));
}

static int give(int *fd, int *ret)
{
    *ret = *fd;
    *fd = -1;
    return 0;
}

/* ---- the file ---- */

/* The folder, held and judged, and what the file is called in it. */
static int open_folder(const char *path, int *ret, const char **ret_name, struct laz_err *err)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (path[0] != '/' || length == 0 || length >= sizeof(folder) || slash[1] == '\0') {
        return laz_err_set(
                err, LAZ_E_LEDGER, 0, "\"%.200s\" is no path of a file in a folder", path);
    }
    (void)memcpy(folder, path, length);
    folder[length] = '\0';
    if (mkdir(folder, S_IRWXU) < 0 && errno != EEXIST) {
        return fail(err, folder);
    }
    laz_cleanup_fd int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail(err, folder);
    }
    if (laz_roots_folder(fd, folder, err) < 0) {
        return -1;
    }
    *ret_name = slash + 1;
    return give(&fd, ret);
}

/* Rotation renames it: what was locked may be another file than the one of the name by then. */
static int open_locked(int folder, const char *name, int *ret, struct laz_err *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat held;
        struct stat named;
        laz_cleanup_fd int fd = openat(folder, name,
                O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                S_IRUSR | S_IWUSR);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &held) < 0) {
            return fail(err, name);
        }
        if (fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
            return give(&fd, ret);
        }
    }
    errno = EAGAIN;
    return fail(err, name);
}

/* ---- what is in it ---- */

/* Its number; false: it is no record. */
static bool find_seq(const char *line, size_t length, uint64_t *ret)
{
    const char *at = memmem(line, length, number, sizeof(number) - 1);
    if (length <= sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0 || at == NULL) {
        return false;
    }
    at += sizeof(number) - 1;
    const char *end = memchr(at, ',', (size_t)(line + length - at));
    return end != NULL && laz_parse_u64(at, (size_t)(end - at), UINT64_MAX - 2, ret);
}

/* After the last whole line. What a writer began that was killed counts as a record that is lost.
 */
static int find_end(struct laz_ledger *ledger, const char *tail, size_t length, bool is_all,
        struct laz_err *err)
{
    uint8_t hash[LAZ_SHA256_SIZE];
    uint64_t seq = 0;
    const char *end = memrchr(tail, '\n', length);
    ledger->is_torn = length > 0 && tail[length - 1] != '\n';
    if (end == NULL && is_all) {
        ledger->seq = ledger->is_torn ? 1 : 0;
        return 0;
    }
    const char *before = end == NULL ? NULL : memrchr(tail, '\n', (size_t)(end - tail));
    const char *start = before == NULL ? tail : before + 1;
    if (end == NULL || (before == NULL && !is_all) ||
            !find_seq(start, (size_t)(end - start), &seq)) {
        return laz_err_set(err, LAZ_E_LEDGER, 0, "its last line is no record");
    }
    laz_sha256_of(start, (size_t)(end + 1 - start), hash);
    laz_format_hex(hash, sizeof(hash), ledger->prev);
    ledger->seq = seq + (ledger->is_torn ? 2 : 1);
    return 0;
}

static int read_end(struct laz_ledger *ledger, struct laz_err *err)
{
    char tail[2 *
            LAZ_RECORD_MAX]; /* a whole line, behind the end of another or before a torn one */
    struct stat status;
    if (fstat(ledger->fd, &status) < 0) {
        return fail(err, "fstat");
    }
    off_t from = status.st_size > (off_t)sizeof(tail) ? status.st_size - (off_t)sizeof(tail) : 0;
    ssize_t length = pread(ledger->fd, tail, sizeof(tail), from);
    if (length < 0) {
        return fail(err, "read");
    }
    return find_end(ledger, tail, (size_t)length, from == 0, err);
}

int laz_ledger_open(const char *path, struct laz_ledger *ret, struct laz_err *err)
{
    const char *name = path;
    laz_cleanup_fd int folder = -1;
    *ret = (struct laz_ledger){.fd = -1};
    (void)memset(ret->prev, '0', sizeof(ret->prev) - 1);
    if (open_folder(path, &folder, &name, err) < 0) {
        return -1;
    }
    if (open_locked(folder, name, &ret->fd, err) < 0 || laz_roots_file(ret->fd, name, err) < 0 ||
            read_end(ret, err) < 0) {
        laz_ledger_close(ret);
        return laz_err_context(err, "%.200s", path);
    }
    return 0;
}

int laz_ledger_append(
        struct laz_ledger *ledger, const void *line, size_t length, struct laz_err *err)
{
    struct stat status;
    if (fstat(ledger->fd, &status) < 0) {
        return fail(err, "fstat");
    }
    if (ledger->is_torn && write(ledger->fd, "\n", 1) != 1) {
        return fail(err, "write");
    }
    ssize_t n = write(ledger->fd, line, length);
    if (n == (ssize_t)length && (ledger->is_lazy || fdatasync(ledger->fd) == 0)) {
        return 0;
    }
    errno = n >= 0 && n < (ssize_t)length ? ENOSPC : errno;
    int result = fail(err, "write");
    /* half a line is worse than none; where it must stay, the next writer ends it */
    laz_ignore(ftruncate(ledger->fd, status.st_size));
    return result;
}

void laz_ledger_close(struct laz_ledger *ledger)
{
    laz_fd_close(&ledger->fd);
}
