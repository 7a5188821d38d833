/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of `ship`: from its pipe into its ring by splice(2), so that the kernel counts what was
 * taken, and on to the container's own output where the policy wants that. Never reads what it has
 * no room for: the pipe holds it, and, when that is full, the workload.
 */
#include "init/ship/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "init/ship/ship.h"

/* A writer that is quick is read in large pieces; one that is slow, not for every line. One that
 * fills the pipe while we work is not let wait: it is we who hold it up. */
#define FULL_BYTES   (LAZ_RING_SIZE / 4)
#define QUICK_BYTES  (8U << 10)
#define QUICK_NAP_US 2000
#define SLOW_NAP_US  20000

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

const char *laz_ship_stream_window(const struct laz_ship_stream *stream, size_t *ret_length)
{
    *ret_length = (size_t)(stream->taken - stream->framed);
    return stream->map + stream->framed % LAZ_RING_SIZE;
}

/* ---- the ring ---- */

static int map_ring(struct laz_ship_stream *stream, struct laz_err *err)
{
    char *twice = mmap(NULL, (size_t)2 * LAZ_RING_SIZE, PROT_NONE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; twice != MAP_FAILED && i < 2; i++) {
        if (mmap(twice + i * LAZ_RING_SIZE, LAZ_RING_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
                    stream->ring, 0) == MAP_FAILED) {
            twice = MAP_FAILED;
        }
    }
    if (twice == MAP_FAILED) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "mmap of a ring: %s", strerror(errno));
    }
    stream->map = twice;
    return 0;
}

/* `wrapping` is said first, and holds what `wraps` will be: whoever finds it, finishes it. */
static int wrap(struct laz_ship_stream *stream)
{
    struct laz_ship_state *state = stream->ship->state;
    state->wrapping[stream->id] = state->wraps[stream->id] + 1;
    if (lseek(stream->ring, 0, SEEK_SET) < 0) {
        return -1;
    }
    state->wraps[stream->id] = state->wrapping[stream->id];
    __atomic_store_n(&state->wrapping[stream->id], 0, __ATOMIC_RELEASE); /* in this order */
    return 0;
}

static int find_taken(struct laz_ship_stream *stream, struct laz_err *err)
{
    struct laz_ship_state *state = stream->ship->state;
    off_t at = lseek(stream->ring, 0, SEEK_CUR);
    if (at < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "a ring: %s", strerror(errno));
    }
    if (state->wrapping[stream->id] != 0) { /* a predecessor was killed in wrap() */
        state->wraps[stream->id] = state->wrapping[stream->id] - 1;
        at = LAZ_RING_SIZE;
    }
    if (at == LAZ_RING_SIZE) {
        if (wrap(stream) < 0) {
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "a ring: %s", strerror(errno));
        }
        at = 0;
    }
    stream->taken = state->wraps[stream->id] * LAZ_RING_SIZE + (uint64_t)at;
    return 0;
}

/* ---- passing through ---- */

static void pass(struct laz_ship_stream *stream)
{
    while (stream->output != NULL && !stream->out_full && stream->passing < stream->taken) {
        const struct laz_sink_record piece = {
                .text = stream->map + stream->passing % LAZ_RING_SIZE,
                .length = (size_t)smaller(stream->taken - stream->passing, LAZ_SHIP_PIECE_MAX),
                .ticket = stream->out_ticket + 1,
        };
        if (laz_sink_offer(stream->output, &piece) != LAZ_SINK_TAKEN) {
            stream->out_full = true;
            break;
        }
        stream->out_ticket++;
        stream->passing += piece.length;
    }
}

/* What was offered is either all out or not: pieces are not told apart. */
static void on_passed(void *context, uint64_t ticket)
{
    struct laz_ship_stream *stream = context;
    if (ticket == stream->out_ticket) {
        stream->passed = stream->passing;
        stream->passed_ns = laz_ship_now_ns();
        stream->ship->state->passed[stream->id] = stream->passed;
    }
}

static void on_output_wants(void *context, uint64_t ticket)
{
    struct laz_ship_stream *stream = context;
    if (ticket != stream->out_ticket) { /* a break: again from where it is known to be */
        stream->passing = stream->passed;
        stream->out_ticket = ticket;
    }
    stream->out_full = false;
    pass(stream);
}

/* Nobody reads it: what is not passed is counted, and the rest of the world goes on. */
static void skip_output(struct laz_ship_stream *stream)
{
    stream->ship->state->unpassed[stream->id] += stream->taken - stream->passed;
    stream->passed = stream->passing = stream->taken;
    stream->passed_ns = laz_ship_now_ns();
    stream->ship->state->passed[stream->id] = stream->passed;
}

static void on_output_down(void *context, const char *why)
{
    struct laz_ship_stream *stream = context;
    (void)why;
    stream->out_full = true;
}

static void on_output_rejected(void *context, uint64_t ticket, const char *why)
{
    (void)context;
    (void)ticket;
    (void)why; /* raw bytes have no form that could be wrong */
}

static int open_output(struct laz_ship_stream *stream, int output, struct laz_err *err)
{
    static const struct laz_ship_sink config = {.name = "passthrough", .type = LAZ_SINK_STDOUT};
    const struct laz_sink_means means = {
            .base = stream->ship->base, .fd = output, .host = stream->ship->host};
    const struct laz_sink_owner owner = {.arrived = on_passed,
            .rejected = on_output_rejected,
            .wants = on_output_wants,
            .down = on_output_down,
            .context = stream};
    stream->out_full = true; /* until it says that it wants */
    return laz_sink_open(&config, &means, &owner, &stream->output, err);
}

/* ---- taking ---- */

static size_t room(const struct laz_ship_stream *stream)
{
    uint64_t kept = smaller(stream->recorded, stream->passed);
    uint64_t free_bytes = LAZ_RING_SIZE - (stream->taken - kept);
    return (size_t)smaller(free_bytes, LAZ_RING_SIZE - stream->taken % LAZ_RING_SIZE);
}

size_t laz_ship_stream_take(struct laz_ship_stream *stream)
{
    size_t sum = 0;
    if (stream->pipe < 0) {
        return 0;
    }
    bool is_held = room(stream) == 0 && stream->passed < stream->recorded;
    if (is_held && !stream->ship->orders.config.logs_block &&
            laz_ship_now_ns() - stream->passed_ns > LAZ_SHIP_PATIENCE_NS) {
        skip_output(stream);
    }
    for (size_t wanted = room(stream); wanted > 0; wanted = room(stream)) {
        ssize_t n = splice(
                stream->pipe, NULL, stream->ring, NULL, wanted, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        stream->has_ended = n == 0; /* nobody is left who could write */
        if (n <= 0) {
            break;
        }
        sum += (size_t)n;
        stream->taken += (uint64_t)n;
        if (stream->taken % LAZ_RING_SIZE == 0 && wrap(stream) < 0) {
            struct laz_err err = {0};
            (void)laz_err_set(&err, LAZ_E_SYSTEM, errno, "a ring: %s", strerror(errno));
            laz_ship_fail(stream->ship, &err);
        }
    }
    if (stream->output == NULL) {
        stream->passed = stream->taken;
    }
    if (sum > 0) {
        stream->last_ns = laz_ship_now_ns();
        pass(stream);
    }
    return sum;
}

void laz_ship_stream_settle(struct laz_ship_stream *stream, bool is_late)
{
    bool waits = stream->output != NULL && stream->passed < stream->taken;
    if (waits && (is_late || laz_ship_now_ns() - stream->passed_ns > LAZ_SHIP_PATIENCE_NS)) {
        skip_output(stream);
    }
}

bool laz_ship_stream_is_dry(struct laz_ship_stream *stream)
{
    return stream->pipe < 0 || (laz_ship_stream_take(stream) == 0 && room(stream) > 0);
}

void laz_ship_stream_recorded(struct laz_ship_stream *stream)
{
    stream->recorded = stream->framed;
    if (stream->lines != NULL) {
        laz_lines_place(stream->lines, &stream->place);
    }
}

/* ---- the loop's side ---- */

/* While it naps, what comes collects in the pipe; full, it would hold the writer. */
static void nap(struct laz_ship_stream *stream, size_t came)
{
    const struct timeval none = {0}; /* after whoever else is due */
    const struct timeval quick = {.tv_usec = QUICK_NAP_US};
    const struct timeval slow = {.tv_usec = SLOW_NAP_US};
    const struct timeval *short_one = came >= FULL_BYTES ? &none : &quick;
    (void)event_add(stream->nap, came >= QUICK_BYTES ? short_one : &slow);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship_stream *stream = context;
    (void)fd;
    (void)what;
    if (!laz_stream_is_workloads(stream->id)) { /* what was written before it comes before it */
        (void)laz_ship_stream_take(&stream->ship->streams[LAZ_STREAM_STDOUT]);
        (void)laz_ship_stream_take(&stream->ship->streams[LAZ_STREAM_STDERR]);
        (void)laz_ship_stream_take(stream);
        laz_ship_ledger_turn(stream->ship);
    }
    if (laz_stream_is_workloads(stream->id) || room(stream) == 0) {
        nap(stream, 0); /* full: what is readable would wake us again at once */
    } else {
        (void)event_add(stream->readable, NULL);
    }
}

static void on_woken(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship_stream *stream = context;
    uint64_t multiline_ns = stream->ship->orders.config.multiline_wait_ms * UINT64_C(1000000);
    (void)fd;
    (void)what;
    size_t came = laz_ship_stream_take(stream);
    bool waited = came == 0 && laz_ship_now_ns() - stream->last_ns >= multiline_ns;
    stream->until = stream->has_ended ? LAZ_LINES_END : waited ? LAZ_LINES_WAITED : LAZ_LINES_OPEN;
    laz_ship_ledger_turn(stream->ship);
    stream->until = LAZ_LINES_OPEN;
    bool holds_lines = stream->ship->orders.config.multiline_start[0] != '\0' &&
            stream->framed < stream->taken && !waited;
    bool waits_for_room = stream->ship->ledger.full_ns != 0 && stream->framed < stream->taken;
    bool is_done = stream->has_ended && stream->framed == stream->taken;
    if (came > 0 || holds_lines || waits_for_room || room(stream) == 0 ||
            (stream->has_ended && !is_done)) {
        nap(stream, came);
    } else if (!is_done) {
        (void)event_add(stream->readable, NULL);
    }
}

int laz_ship_stream_begin(struct laz_ship_stream *stream, struct laz_err *err)
{
    if (stream->pipe < 0) {
        return 0;
    }
    stream->readable = event_new(stream->ship->base, stream->pipe, EV_READ, on_readable, stream);
    stream->nap = event_new(stream->ship->base, -1, 0, on_woken, stream);
    if (stream->readable == NULL || stream->nap == NULL || event_add(stream->readable, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a stream");
    }
    return 0;
}

int laz_ship_stream_rewound(struct laz_ship_stream *stream, struct laz_err *err)
{
    const struct laz_ship_config *config = &stream->ship->orders.config;
    const struct laz_lines_options options = {
            .max_line = config->max_line,
            .multiline_start = config->multiline_start,
            .redactor = stream->ship->ledger.redactor,
    };
    if (!laz_stream_is_workloads(stream->id) || stream->pipe < 0) {
        return 0;
    }
    laz_lines_free(stream->lines);
    stream->lines = NULL;
    if (laz_lines_new(&options, &stream->lines, err) < 0) {
        return -1;
    }
    laz_lines_go_on(stream->lines, &stream->place);
    return 0;
}

int laz_ship_stream_open(struct laz_ship *ship, enum laz_stream id, int output, struct laz_err *err)
{
    struct laz_ship_stream *stream = &ship->streams[id];
    stream->ship = ship;
    stream->id = id;
    stream->pipe = ship->orders.pipes[id];
    stream->ring = ship->orders.rings[id];
    if (stream->pipe < 0) {
        return 0;
    }
    if (map_ring(stream, err) < 0 || find_taken(stream, err) < 0 ||
            laz_ship_stream_rewound(stream, err) < 0) {
        return -1;
    }
    stream->passed = stream->passing = stream->taken;
    stream->passed_ns = laz_ship_now_ns();
    if (output >= 0 && laz_stream_is_workloads(id)) {
        stream->passed = stream->passing = ship->state->passed[id];
        return open_output(stream, output, err);
    }
    return 0;
}
