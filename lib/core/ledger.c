/* SPDX-License-Identifier: Apache-2.0
 *
 * Records, one behind the other, by many writers: flock(2) puts them into a row, and who has the
 * lock reads the last line for its number and its hash.
 */
#include "core/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/lock.h"
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
    laz_cleanup_fd int fd = openat(AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (mkdir(folder, S_IRWXU) == 0 || errno == EEXIST)) {
        fd = openat(AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
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
        if (fd < 0) {
            return fail(err, name);
        }
        if (laz_lock_take(fd, name, err) < 0) {
            return -1;
        }
        if (fstat(fd, &held) < 0) {
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

/* The last line of the file that is a record. */
struct last {
    bool is_there;
    uint64_t seq;
    off_t end; /* behind its newline; 0: there is none */
};

/* Without its newline. A page that was never written is zeros. */
static bool is_record(const char *line, size_t length, uint64_t *ret_seq)
{
    const char *at = memmem(line, length, number, sizeof(number) - 1);
    if (length <= sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0 || at == NULL ||
            memchr(line, '\0', length) != NULL || memcmp(line + length - 2, "}}", 2) != 0) {
        return false;
    }
    at += sizeof(number) - 1;
    const char *end = memchr(at, ',', (size_t)(line + length - at));
    return end != NULL && laz_parse_u64(at, (size_t)(end - at), UINT64_MAX - 3, ret_seq);
}

/* Only its newline is missing, which the next writer puts there. */
static void find_unended(struct laz_ledger *ledger, const char *piece, size_t length, bool is_first,
        struct last *ret)
{
    struct laz_sha256 hash;
    uint8_t digest[LAZ_SHA256_SIZE];
    const char *before = memrchr(piece, '\n', length);
    const char *start = before == NULL ? piece : before + 1;
    size_t rest = (size_t)(piece + length - start);
    if ((before == NULL && !is_first) || rest == 0 || !is_record(start, rest, &ret->seq)) {
        return;
    }
    laz_sha256_init(&hash);
    laz_sha256_add(&hash, start, rest);
    laz_sha256_add(&hash, "\n", 1);
    laz_sha256_end(&hash, digest);
    laz_format_hex(digest, sizeof(digest), ledger->prev);
    ret->is_there = true;
    ret->end = (off_t)length;
}

/* In a piece of the file, from its end; is_first: the piece is its beginning. */
static void find_in(struct laz_ledger *ledger, const char *piece, size_t length, bool is_first,
        struct last *ret)
{
    uint8_t hash[LAZ_SHA256_SIZE];
    for (const char *end = memrchr(piece, '\n', length); end != NULL && !ret->is_there;) {
        const char *before = memrchr(piece, '\n', (size_t)(end - piece));
        const char *start = before == NULL ? piece : before + 1;
        if ((before != NULL || is_first) && is_record(start, (size_t)(end - start), &ret->seq)) {
            laz_sha256_of(start, (size_t)(end + 1 - start), hash);
            laz_format_hex(hash, sizeof(hash), ledger->prev);
            ret->is_there = true;
            ret->end = end + 1 - piece;
        }
        end = before;
    }
}

/* A file that was begun, and never had a line, may be continued; another one is somebody else's. */
static int find_last(struct laz_ledger *ledger, off_t size, struct last *ret, struct laz_err *err)
{
    char piece[2 * LAZ_RECORD_MAX]; /* a whole line, and the newline in front of it */
    bool has_line = false;
    off_t from = size;
    off_t to = size;
    *ret = (struct last){0};
    while (from > 0 && !ret->is_there && size - from < (off_t)LAZ_LEDGER_LOOK_BACK) {
        from = to > (off_t)sizeof(piece) ? to - (off_t)sizeof(piece) : 0;
        ssize_t length = pread(ledger->fd, piece, (size_t)(to - from), from);
        if (length != to - from) {
            return fail(err, "read");
        }
        ledger->is_unfinished = to == size ? piece[length - 1] != '\n' : ledger->is_unfinished;
        if (to == size) {
            find_unended(ledger, piece, (size_t)length, from == 0, ret);
        }
        has_line = has_line || memchr(piece, '\n', (size_t)length) != NULL;
        find_in(ledger, piece, (size_t)length, from == 0, ret);
        ret->end += ret->is_there ? from : 0;
        to = from + LAZ_RECORD_MAX + 1; /* the next piece has the line that this one cuts */
    }
    if (!ret->is_there && (has_line || from > 0)) {
        return laz_err_set(
                err, LAZ_E_LEDGER, 0, "no record is in its last %d bytes", (int)(size - from));
    }
    return 0;
}

/* What a writer began that was killed, or what a disk has lost, counts as a record that is lost:
 * one number is left out. */
static int note_tear(struct laz_ledger *ledger, off_t from, off_t size, struct laz_err *err)
{
    struct laz_json json;
    struct laz_buf text;
    uint8_t hash[LAZ_SHA256_SIZE];
    struct laz_record record = {.ev = "ledger.tear",
            .severity = 6,
            .seq = ledger->seq + 1,
            .task = "",
            .ctr = "",
            .exe = "",
            .obj = "",
            .act = "tear",
            .prev = ledger->prev};
    (void)clock_gettime(CLOCK_REALTIME, &record.when);
    laz_buf_init_fixed(&text, ledger->tear, sizeof(ledger->tear));
    laz_record_begin(&json, &text, &record);
    laz_json_u64(&json, "from", (uint64_t)from);
    laz_json_u64(&json, "bytes", (uint64_t)(size - from));
    if (!laz_record_end(&json)) {
        return laz_err_set(
                err, LAZ_E_LEDGER, 0, "the record has more than %d bytes", LAZ_LEDGER_TEAR_SIZE);
    }
    ledger->tear_length = text.len;
    ledger->seq += 2;
    laz_sha256_of(text.data, text.len, hash);
    laz_format_hex(hash, sizeof(hash), ledger->prev);
    return 0;
}

static int read_end(struct laz_ledger *ledger, struct laz_err *err)
{
    struct last last;
    struct stat status;
    if (fstat(ledger->fd, &status) < 0) {
        return fail(err, "fstat");
    }
    if (find_last(ledger, status.st_size, &last, err) < 0) {
        return -1;
    }
    ledger->seq = last.is_there ? last.seq + 1 : 0;
    return last.end == status.st_size ? 0 : note_tear(ledger, last.end, status.st_size, err);
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
    const struct iovec parts[] = {
            {.iov_base = laz_unconst("\n"), .iov_len = ledger->is_unfinished ? 1 : 0},
            {.iov_base = ledger->tear, .iov_len = ledger->tear_length},
            {.iov_base = laz_unconst(line), .iov_len = length},
    };
    size_t all = parts[0].iov_len + parts[1].iov_len + length;
    ssize_t n = writev(ledger->fd, parts, sizeof(parts) / sizeof(parts[0]));
    if (n == (ssize_t)all && (ledger->is_lazy || fdatasync(ledger->fd) == 0)) {
        return 0;
    }
    errno = n >= 0 && n < (ssize_t)all ? ENOSPC : errno;
    int result = fail(err, "write");
    /* half a line is worse than none; where it must stay, the next writer ends it */
    laz_ignore(ftruncate(ledger->fd, status.st_size));
    return result;
}

void laz_ledger_close(struct laz_ledger *ledger)
{
    laz_fd_close(&ledger->fd);
}
