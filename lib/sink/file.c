/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "file": whole records at the end of a file. A record has arrived when it is synced; one
 * sync covers all that came within 5 ms, or within ten times as long as the last one took, so that
 * a disk is never busy with syncs for more than a tenth of the time. What is torn is cut off again,
 * and nothing else ever is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "sink/form.h"
#include "sink/kind.h"

#define BATCH_BYTES (256U << 10) /* written at a time; a longer record goes alone */
#define AHEAD_BYTES (4U << 20)   /* written in one go, before the loop has its turn */
#define SYNC_MIN_MS 5
#define SYNC_MAX_MS 1000
#define SYNC_SHARE  10
#define LOOK_S      1 /* how often we look whether it is still where it was */
#define CHUNK_BYTES 8192
#define START_BYTES 8 /* that tell half a line of ours from somebody else's */

/* Invariant: synced_bytes <= the file's size, unless somebody else has cut it. */
struct file_sink {
    struct laz_sink sink;
    struct laz_form form;
    struct laz_buf batch; /* whole lines, not yet written */
    uint64_t batched;     /* the last ticket in the batch */
    uint64_t written;     /* the last ticket in the file */
    uint64_t unfit;       /* one of the batch that is not in it, and nobody has been told; or 0 */
    off_t synced_bytes;
    size_t ahead; /* bytes written since the loop's last turn */
    uint32_t sync_wait_ms;
    time_t looked_s; /* when it was last seen where it is */
    bool flushing;
    bool starved;       /* there was no memory for a record */
    struct event *turn; /* write the batch */
    struct event *sync;
};

static void go_down(struct file_sink *file, const char *what, int sys_errno)
{
    struct laz_err err = {0};
    (void)laz_err_set(&err, LAZ_E_SINK, sys_errno, "%s: %s: %s", file->sink.config->path, what,
            strerror(sys_errno));
    file->batch.len = 0;
    file->batched = file->written = file->sink.arrived;
    file->unfit = 0;
    (void)event_del(file->turn);
    (void)event_del(file->sync);
    laz_sink_say_down(&file->sink, err.message);
}

static int size_of(const struct file_sink *file, off_t *ret)
{
    struct stat st;
    if (fstat(file->sink.means.fd, &st) != 0) {
        return -1;
    }
    *ret = st.st_size;
    return 0;
}

/* The file's size up to its last line feed; -1 with errno. */
static off_t whole_bytes(int fd, off_t size)
{
    char chunk[CHUNK_BYTES];
    while (size > 0) {
        size_t wanted = (uint64_t)size < sizeof(chunk) ? (size_t)size : sizeof(chunk);
        ssize_t n = pread(fd, chunk, wanted, size - (off_t)wanted);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 || (size_t)n != wanted) {
            errno = n < 0 ? errno : EIO; /* somebody cuts it under our hands */
            return -1;
        }
        const char *feed = memrchr(chunk, '\n', wanted);
        if (feed != NULL) {
            return size - (off_t)wanted + (off_t)(feed - chunk) + 1;
        }
        size -= (off_t)wanted;
    }
    return 0;
}

/* A predecessor was killed in mid-write. Half a record is cut off; a half line of somebody else's
 * is not ours to cut, and ended. -1 with errno. */
static int mend(const struct file_sink *file)
{
    int fd = file->sink.means.fd;
    off_t size = 0;
    if (size_of(file, &size) != 0) {
        return -1;
    }
    off_t whole = whole_bytes(fd, size);
    if (whole < 0) {
        return -1;
    }
    if (whole == size) {
        return 0;
    }
    char start[START_BYTES];
    ssize_t n = pread(fd, start, sizeof(start), whole);
    if (n < 0) {
        return -1;
    }
    if (laz_form_begins(&file->form, start, (size_t)n)) {
        return ftruncate(fd, whole);
    }
    return write(fd, "\n", 1) == 1 ? 0 : -1;
}

static void open_again(struct laz_sink *sink)
{
    struct file_sink *file = (struct file_sink *)sink;
    /* Two writers would cut each other's records. Held by the descriptor, so that our successor in
     * this container, who gets the same one, has it already. */
    if (flock(sink->means.fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_SINK, EWOULDBLOCK, "%s: another container writes this file",
                sink->config->path);
        laz_sink_say_down(sink, err.message);
        return;
    }
    if (mend(file) != 0 || size_of(file, &file->synced_bytes) != 0) {
        go_down(file, "its end cannot be mended", errno);
        return;
    }
    laz_sink_say_up(sink, file->written);
}

/* Has its name become another file's, or nobody's? Where its folder cannot be searched, only that
 * it was removed can be seen; and a folder that is gone has no place for another. */
static bool is_moved(const struct file_sink *file)
{
    const char *slash = strrchr(file->sink.config->path, '/');
    struct stat own;
    struct stat folder;
    struct stat named;
    if (slash == NULL || fstat(file->sink.means.fd, &own) != 0 ||
            fstat(file->sink.means.folder, &folder) != 0 || !S_ISDIR(folder.st_mode) ||
            folder.st_nlink == 0) {
        return false;
    }
    if (fstatat(file->sink.means.folder, slash + 1, &named, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT || own.st_nlink == 0;
    }
    return S_ISREG(named.st_mode) && (named.st_dev != own.st_dev || named.st_ino != own.st_ino);
}

/* Everything that is written has arrived: nothing of it is lost if another file comes now. */
static void look_where_it_is(struct file_sink *file, const struct timespec *now)
{
    if (file->sink.owner.moved == NULL || now->tv_sec < file->looked_s + LOOK_S) {
        return;
    }
    file->looked_s = now->tv_sec;
    if (is_moved(file)) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_SINK, 0,
                "sink %s: %s was renamed or removed: it is opened anew", file->sink.config->name,
                file->sink.config->path);
        file->sink.owner.moved(file->sink.owner.context, err.message);
    }
}

static uint32_t wait_after(const struct timespec *began, const struct timespec *ended)
{
    int64_t took_us =
            (ended->tv_sec - began->tv_sec) * 1000000LL + (ended->tv_nsec - began->tv_nsec) / 1000;
    int64_t wait_ms = took_us * SYNC_SHARE / 1000;
    if (wait_ms < SYNC_MIN_MS) {
        return SYNC_MIN_MS;
    }
    return wait_ms > SYNC_MAX_MS ? SYNC_MAX_MS : (uint32_t)wait_ms;
}

/* All that is written has arrived; or else it is out of the file again. -1 with errno. */
static int sync_now(struct file_sink *file)
{
    struct timespec began;
    struct timespec ended;
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    int failed = fdatasync(file->sink.means.fd) != 0 ? errno : 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    file->sync_wait_ms = wait_after(&began, &ended);
    off_t size = 0;
    if (failed != 0) {
        /* After a failed sync nobody knows which of the pages are on the disk, and the next one
         * would succeed. */
        if (size_of(file, &size) == 0 && size > file->synced_bytes) {
            laz_ignore(ftruncate(file->sink.means.fd, file->synced_bytes));
        }
        errno = failed;
        return -1;
    }
    if (size_of(file, &size) == 0) {
        file->synced_bytes = size;
    }
    laz_sink_say_arrived(&file->sink, file->written);
    look_where_it_is(file, &ended);
    return 0;
}

static void on_sync(evutil_socket_t fd, short what, void *context)
{
    struct file_sink *file = context;
    (void)fd;
    (void)what;
    if (sync_now(file) != 0) {
        go_down(file, "sync", errno);
    }
}

/* All of the batch or nothing. -1 with errno. */
static int write_batch(struct file_sink *file)
{
    int fd = file->sink.means.fd;
    off_t before = 0;
    if (size_of(file, &before) != 0) {
        return -1;
    }
    for (size_t done = 0; done < file->batch.len;) {
        ssize_t n = write(fd, file->batch.data + done, file->batch.len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            int failed = n < 0 ? errno : EIO;
            laz_ignore(ftruncate(fd, before)); /* or `mend` will find it */
            errno = failed;
            return -1;
        }
        done += (size_t)n;
    }
    file->ahead += file->batch.len;
    file->written = file->batched;
    file->batch.len = 0;
    return 0;
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct file_sink *file = context;
    (void)fd;
    (void)what;
    file->ahead = 0;
    if (file->starved && file->batch.len == 0) {
        file->starved = false;
        go_down(file, "no room for a record", ENOMEM);
        return;
    }
    if (file->unfit != 0) {
        laz_sink_say_rejected(&file->sink, file->unfit, "it is not a record in one line");
        file->unfit = 0;
    }
    if (file->batched > file->written && write_batch(file) != 0) {
        int failed = errno;
        if (file->written == file->sink.arrived || sync_now(file) == 0) {
            errno = failed;
        }
        go_down(file, "write", errno);
        return;
    }
    if (file->flushing && file->written > file->sink.arrived) {
        (void)event_del(file->sync);
        if (sync_now(file) != 0) {
            go_down(file, "sync", errno);
            return;
        }
    } else if (file->written > file->sink.arrived) {
        laz_sink_event_in(file->sync, file->sync_wait_ms);
    }
    if (file->sink.hungry) {
        laz_sink_say_wants(&file->sink, file->written);
    }
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct file_sink *file = (struct file_sink *)sink;
    laz_sink_event_in(file->turn, 0);
    bool is_full = file->batch.len > 0 && file->batch.len + record->length > BATCH_BYTES;
    /* Who waits for the loop's turn with each batch falls behind, and is read the spool again.
     * Should it fail, it fails in that turn too, and is told there. */
    if (file->unfit != 0 || (is_full && (file->ahead >= AHEAD_BYTES || write_batch(file) != 0))) {
        return LAZ_SINK_NOT_NOW;
    }
    size_t before = file->batch.len;
    struct laz_err err = {0};
    if (laz_form_line(&file->batch, &file->form, record->text, record->length, &err) != 0) {
        file->unfit = file->batched = record->ticket;
        return LAZ_SINK_TAKEN;
    }
    if (file->batch.overflow) {
        file->batch.len = before;
        file->batch.overflow = false;
        file->starved = true;
        return LAZ_SINK_NOT_NOW;
    }
    file->batched = record->ticket;
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    struct file_sink *file = (struct file_sink *)sink;
    file->flushing = true;
    if (sink->up) {
        laz_sink_event_in(file->turn, 0);
    }
}

static void close_file(struct laz_sink *sink)
{
    struct file_sink *file = (struct file_sink *)sink;
    if (file->turn != NULL) {
        event_free(file->turn);
    }
    if (file->sync != NULL) {
        event_free(file->sync);
    }
    laz_buf_done(&file->batch);
    laz_sink_done(sink);
    free(file);
}

static const struct laz_sink_kind file_kind = {
        .offer = offer,
        .flush = flush,
        .try = open_again,
        .close = close_file,
};

int laz_sink_file_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    struct stat st;
    if (fstat(means->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return laz_err_set(err, LAZ_E_SINK, 0, "sink %s: %s is not a regular file", config->name,
                config->path);
    }
    struct file_sink *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    laz_buf_init_heap(&file->batch, LAZ_SINK_RECORD_MAX + LAZ_FORM_MORE_MAX + BATCH_BYTES);
    laz_form_init(&file->form, config->format, means->host);
    file->written = file->batched = means->last_ticket;
    file->sync_wait_ms = SYNC_MIN_MS;
    if (laz_sink_init(&file->sink, &file_kind, config, means, owner, err) != 0 ||
            laz_sink_event_new(&file->sink, -1, 0, on_turn, &file->turn, err) != 0 ||
            laz_sink_event_new(&file->sink, -1, 0, on_sync, &file->sync, err) != 0) {
        close_file(&file->sink);
        return -1;
    }
    *ret = &file->sink;
    return 0;
}
