/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "stdout": lines on a stream that others share, so that its O_NONBLOCK is not ours to
 * change, and a full one must not hold the process. A piece of at most PIPE_BUF bytes goes at once
 * or not at all: nobody writes into the midst of a record that is not longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fd.h"
#include "sink/form.h"
#include "sink/kind.h"

#define BATCH_BYTES    (64U << 10)
#define TERMINAL_BYTES 256 /* a terminal that can be written to takes as much */

enum stream {
    STREAM_PIPE,
    STREAM_SOCKET,
    STREAM_TERMINAL,
    STREAM_OTHER, /* files, /dev/null: never make anybody wait */
};

/* Invariant: done <= batch.len; the `staged` bytes behind done are in our own pipe. */
struct stdout_sink {
    struct laz_sink sink;
    enum stream stream;
    struct laz_buf batch;
    size_t done;   /* bytes of the batch that are out */
    size_t staged; /* pipes only */
    int pipe[2];   /* pipes only: where a piece waits */
    uint64_t batched;
    uint64_t unfit; /* one of the batch that is not in it, and nobody has been told; or 0 */
    struct laz_form form;
    bool torn;    /* half a line may be out there */
    bool starved; /* there was no memory for a record */
    struct event *turn;
};

static enum stream stream_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return STREAM_OTHER; /* the first write will tell */
    }
    if (S_ISFIFO(st.st_mode)) {
        return STREAM_PIPE;
    }
    if (S_ISSOCK(st.st_mode)) {
        return STREAM_SOCKET;
    }
    return isatty(fd) != 0 ? STREAM_TERMINAL : STREAM_OTHER;
}

/* A pipe's capacity is counted in pages: no piece ever waits in ours together with another. */
static void empty_pipe(struct stdout_sink *out)
{
    char piece[PIPE_BUF];
    if (out->staged > 0) {
        laz_ignore((int)read(out->pipe[0], piece, sizeof(piece)));
        out->staged = 0;
    }
}

static void go_down(struct stdout_sink *out, const char *why)
{
    out->torn = out->torn || (out->done > 0 && out->batch.data[out->done - 1] != '\n');
    empty_pipe(out);
    out->batch.len = out->done = 0;
    out->unfit = 0;
    (void)event_del(out->turn);
    laz_sink_say_down(&out->sink, why);
}

static void open_again(struct laz_sink *sink)
{
    struct stdout_sink *out = (struct stdout_sink *)sink;
    if (out->torn) {
        laz_buf_char(&out->batch, '\n');
    }
    laz_sink_say_up(sink, sink->arrived);
}

/* Whole lines as far as they fit; a longer line in pieces. */
static size_t next_piece(const struct stdout_sink *out)
{
    const char *at = out->batch.data + out->done;
    size_t left = out->batch.len - out->done;
    if (left <= PIPE_BUF) {
        return left;
    }
    const char *feed = memrchr(at, '\n', PIPE_BUF);
    return feed == NULL ? PIPE_BUF : (size_t)(feed - at) + 1;
}

/* poll() and write() would be a race with whoever else writes there, and who loses it waits.
 * splice() can be told not to wait, call by call. */
static ssize_t put_in_pipe(struct stdout_sink *out)
{
    if (out->staged == 0) {
        ssize_t n = write(out->pipe[1], out->batch.data + out->done, next_piece(out));
        if (n < 0) {
            return -1;
        }
        out->staged = (size_t)n;
    }
    ssize_t n =
            splice(out->pipe[0], NULL, out->sink.means.fd, NULL, out->staged, SPLICE_F_NONBLOCK);
    if (n > 0) {
        out->staged -= (size_t)n;
    }
    return n;
}

static ssize_t put_piece(struct stdout_sink *out)
{
    int fd = out->sink.means.fd;
    const char *at = out->batch.data + out->done;
    size_t length = next_piece(out);
    switch (out->stream) {
    case STREAM_PIPE:
        return put_in_pipe(out);
    case STREAM_SOCKET:
        return send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case STREAM_TERMINAL:
        return write(fd, at, length < TERMINAL_BYTES ? length : TERMINAL_BYTES);
    case STREAM_OTHER:
        break;
    }
    return write(fd, at, out->batch.len - out->done);
}

static void name_failure(struct stdout_sink *out, int sys_errno)
{
    struct laz_err err = {0};
    if (sys_errno == EPIPE || sys_errno == ECONNRESET) {
        go_down(out, "whoever read the container's output has gone");
        return;
    }
    (void)laz_err_set(
            &err, LAZ_E_SINK, sys_errno, "the container's output: %s", strerror(sys_errno));
    go_down(out, err.message);
}

/* When it can be written to; files always can. */
static void go_on_later(struct stdout_sink *out)
{
    if (out->stream == STREAM_OTHER || event_add(out->turn, NULL) != 0) {
        laz_sink_event_in(out->turn, 0);
    }
}

/* What can be told not to wait is tried at once. */
static void begin(struct stdout_sink *out)
{
    if (out->stream == STREAM_TERMINAL) {
        go_on_later(out);
    } else {
        laz_sink_event_in(out->turn, 0);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct stdout_sink *out = context;
    (void)fd;
    (void)what;
    if (out->starved && out->batch.len == 0) {
        out->starved = false;
        go_down(out, "no memory for a record");
        return;
    }
    if (out->unfit != 0) {
        laz_sink_say_rejected(&out->sink, out->unfit, "it is not a record in one line");
        out->unfit = 0;
    }
    while (out->done < out->batch.len) {
        ssize_t n = put_piece(out);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            name_failure(out, errno);
            return;
        }
        out->done += n > 0 ? (size_t)n : 0;
        if (n <= 0 || (out->stream == STREAM_TERMINAL && out->done < out->batch.len)) {
            go_on_later(out);
            return;
        }
    }
    out->batch.len = out->done = 0;
    out->torn = false;
    laz_sink_say_arrived(&out->sink, out->batched);
    if (out->sink.hungry) {
        laz_sink_say_wants(&out->sink, out->batched);
    }
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct stdout_sink *out = (struct stdout_sink *)sink;
    bool waits = out->done > 0 || out->staged > 0;
    if (waits || out->unfit != 0 ||
            (out->batch.len > 1 && out->batch.len + record->length > BATCH_BYTES)) {
        return LAZ_SINK_NOT_NOW;
    }
    size_t before = out->batch.len;
    struct laz_err err = {0};
    if (laz_form_line(&out->batch, &out->form, record->text, record->length, &err) != 0) {
        out->unfit = out->batched = record->ticket;
        begin(out);
        return LAZ_SINK_TAKEN;
    }
    if (out->batch.overflow) {
        out->batch.len = before;
        out->batch.overflow = false;
        out->starved = true;
        begin(out);
        return LAZ_SINK_NOT_NOW;
    }
    out->batched = record->ticket;
    begin(out);
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    (void)sink; /* nothing is held back */
}

static void close_stdout(struct laz_sink *sink)
{
    struct stdout_sink *out = (struct stdout_sink *)sink;
    if (out->turn != NULL) {
        event_free(out->turn);
    }
    laz_fd_close(&out->pipe[0]);
    laz_fd_close(&out->pipe[1]);
    laz_buf_done(&out->batch);
    laz_sink_done(sink);
    free(out);
}

static const struct laz_sink_kind stdout_kind = {
        .offer = offer,
        .flush = flush,
        .try = open_again,
        .close = close_stdout,
};

int laz_sink_stdout_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    struct stdout_sink *out = calloc(1, sizeof(*out));
    if (out == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    laz_buf_init_heap(&out->batch, LAZ_SINK_RECORD_MAX + BATCH_BYTES);
    laz_form_init(&out->form, config->format, means->host);
    out->pipe[0] = out->pipe[1] = -1;
    out->stream = stream_of(means->fd);
    out->batched = means->last_ticket;
    out->torn = means->last_ticket > 0; /* a predecessor's; an empty line hurts nobody */
    short what = out->stream == STREAM_OTHER ? 0 : EV_WRITE;
    int fd = out->stream == STREAM_OTHER ? -1 : means->fd;
    if (laz_sink_init(&out->sink, &stdout_kind, config, means, owner, err) != 0 ||
            laz_sink_event_new(&out->sink, fd, what, on_turn, &out->turn, err) != 0) {
        close_stdout(&out->sink);
        return -1;
    }
    if (out->stream == STREAM_PIPE && pipe2(out->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        close_stdout(&out->sink);
        return laz_err_set(
                err, LAZ_E_SYSTEM, errno, "sink %s: pipe: %s", config->name, strerror(errno));
    }
    *ret = &out->sink;
    return 0;
}
