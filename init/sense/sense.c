/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `sense`: takes its orders, notes what is there, narrows itself, and then looks from time
 * to time, until init closes the channel.
 */
#include "init/sense/sense.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"

#define NS_PER_S    1000000000
#define GIVEN_FIRST 32768 /* ip(7), where the container does not show it */
#define GIVEN_LAST  60999
#define LOOK_PART   9 /* of ten, in which it does not look */

bool laz_sense_is_on(const struct laz_sense *sense, enum laz_detector detector)
{
    return sense->config.level[detector] != LAZ_LEVEL_DISABLED && sense->why[detector][0] == '\0' &&
            (detector != LAZ_DETECTOR_FILES || sense->config.n_watch > 0) &&
            (detector != LAZ_DETECTOR_PLAIN || sense->config.plain);
}

/* ---- words with init ---- */

static _Noreturn void fail(const struct laz_sense *sense, const struct laz_err *err)
{
    laz_role_fail(sense->ear.chan, err);
}

static int take_config(
        struct laz_sense *sense, const struct laz_message *message, struct laz_err *err)
{
    if (message->length > sizeof(sense->section)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a section of %zu bytes", message->length);
    }
    (void)memcpy(sense->section, message->fields, message->length);
    sense->has_config = true;
    return laz_sense_decode(sense->section, message->length, &sense->config, err);
}

static int take_order(void *context, struct laz_message *message, struct laz_err *err)
{
    struct laz_sense *sense = context;
    if (message->type == LAZ_MESSAGE_CONFIG) {
        return take_config(sense, message, err);
    }
    if (message->type == LAZ_MESSAGE_STATE) {
        sense->state_fd = message->fds[0];
    }
    if (message->type == LAZ_MESSAGE_EVENTS) {
        sense->events = message->fds[0];
    }
    sense->has_begun = sense->has_begun || message->type == LAZ_MESSAGE_BEGIN;
    return 0;
}

/* ---- opening ---- */

static int64_t wall_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static bool holds(const struct laz_sense_state *state)
{
    bool result = state->magic == LAZ_SENSE_STATE_MAGIC;
    for (unsigned i = 0; i < 2 && result; i++) {
        result = state->processes[i].n <= LAZ_SENSE_PROCESSES_MAX &&
                state->sockets[i].n <= LAZ_SENSE_SOCKETS_MAX;
    }
    return result && state->told.n <= LAZ_SENSE_TOLD_MAX;
}

static int map_state(struct laz_sense *sense, struct laz_err *err)
{
    void *memory = mmap(
            NULL, LAZ_SENSE_STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sense->state_fd, 0);
    if (memory == MAP_FAILED) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "mmap: %s", strerror(errno));
    }
    struct laz_sense_state *state = memory;
    sense->state = state;
    laz_fd_close(&sense->state_fd);
    sense->is_first = !holds(state);
    if (sense->is_first) { /* a predecessor that did not come to an end of its beginning left bits
                            */
        if (state->starts != 0 || state->n_files != 0 || state->magic != 0) {
            (void)memset(memory, 0, LAZ_SENSE_STATE_SIZE);
        }
        state->since_ns = wall_ns();
    }
    (void)laz_fold_repair(&state->fold);
    return 0;
}

/* Ports that a socket gets which asks for none. */
static void read_given_ports(struct laz_sense *sense)
{
    char text[64];
    uint64_t first = 0;
    uint64_t last = 0;
    laz_cleanup_fd int fd =
            openat(sense->proc, "sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    size_t digits = strspn(text, "0123456789");
    const char *second = text + digits + strspn(text + digits, " \t");
    bool is_read = laz_parse_u64(text, digits, UINT16_MAX, &first) &&
            laz_parse_u64(second, strspn(second, "0123456789"), UINT16_MAX, &last);
    sense->first_given = is_read ? (uint16_t)first : GIVEN_FIRST;
    sense->last_given = is_read ? (uint16_t)last : GIVEN_LAST;
}

static void cannot(struct laz_sense *sense, enum laz_detector detector, const char *why)
{
    (void)snprintf(sense->why[detector], sizeof(sense->why[detector]), "%s", why);
}

/* What the detectors need, seen with the eyes of the role's own user. */
static void probe(struct laz_sense *sense)
{
    sense->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    laz_cleanup_fd int init = -1;
    laz_cleanup_fd int tcp = -1;
    if (sense->proc >= 0) {
        char path[48];
        (void)snprintf(path, sizeof(path), "%d/status", (int)sense->init);
        init = openat(sense->proc, path, O_RDONLY | O_CLOEXEC);
        tcp = openat(sense->proc, "net/tcp", O_RDONLY | O_CLOEXEC);
    }
    if (init < 0) { /* not mounted, or hidepid */
        cannot(sense, LAZ_DETECTOR_FOREIGN, "/proc does not show processes of others");
        cannot(sense, LAZ_DETECTOR_CREDENTIALS, "/proc does not show processes of others");
        cannot(sense, LAZ_DETECTOR_EXECUTABLES, "/proc does not show processes of others");
    }
    if (tcp < 0) {
        cannot(sense, LAZ_DETECTOR_LISTEN, "/proc/net/tcp cannot be read");
        cannot(sense, LAZ_DETECTOR_PLAIN, "/proc/net/tcp cannot be read");
    }
    read_given_ports(sense);
}

static void forget_disabled(struct laz_sense *sense)
{
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        if (sense->config.level[i] == LAZ_LEVEL_DISABLED ||
                (i == LAZ_DETECTOR_PLAIN && !sense->config.plain)) {
            sense->why[i][0] = '\0';
        }
    }
}

static bool looks_at_processes(const struct laz_sense *sense)
{
    return laz_sense_is_on(sense, LAZ_DETECTOR_FOREIGN) ||
            laz_sense_is_on(sense, LAZ_DETECTOR_CREDENTIALS) ||
            laz_sense_is_on(sense, LAZ_DETECTOR_EXECUTABLES) ||
            laz_sense_is_on(sense, LAZ_DETECTOR_PLAIN);
}

/* At most a part of a processor: a workload of thousands of processes is looked at less often. */
static void look(struct laz_sense *sense)
{
    uint64_t before_ns = laz_sense_used_ns();
    if (looks_at_processes(sense)) {
        laz_sense_look_at_processes(sense);
    }
    laz_sense_look_at_ports(sense);
    sense->next_look_ns = laz_sense_now_ns() + (laz_sense_used_ns() - before_ns) * LOOK_PART;
}

/* ---- the loop ---- */

static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct laz_sense *sense = context;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&sense->ear)) {
        laz_sense_flush(sense, true); /* first what is counted: init does not wait for long */
        look(sense);
        laz_sense_flush(sense, true);
        laz_sense_sweep_at_last(sense);
        laz_sense_flush(sense, true);
        _exit(0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct laz_sense *sense = context;
    (void)fd;
    (void)what;
    laz_sense_look_at_volumes(sense);
    if (laz_sense_now_ns() >= sense->next_look_ns) {
        look(sense);
    }
    laz_sense_look_at_files(sense, laz_sense_now_ns());
    laz_sense_flush(sense, false);
}

static int begin_loop(struct laz_sense *sense, struct laz_err *err)
{
    const struct timeval interval = {.tv_sec = sense->config.interval_ms / 1000,
            .tv_usec = (suseconds_t)(sense->config.interval_ms % 1000) * 1000};
    sense->orders_event =
            event_new(sense->base, sense->ear.chan, EV_READ | EV_PERSIST, on_orders, sense);
    sense->timer = event_new(sense->base, -1, EV_PERSIST, on_timer, sense);
    if (sense->orders_event == NULL || sense->timer == NULL ||
            event_add(sense->orders_event, NULL) != 0 || event_add(sense->timer, &interval) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

/* What is there now is what is to stay, or, after a predecessor, what is held against it. */
static int begin(struct laz_sense *sense, struct laz_err *err)
{
    if (!sense->has_config || sense->state_fd < 0 || sense->events < 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "orders are missing");
    }
    sense->init = getppid();
    if (map_state(sense, err) < 0 || laz_sense_volumes_begin(sense, err) < 0 ||
            laz_sense_take_user(sense, err) < 0) {
        return -1;
    }
    probe(sense);
    forget_disabled(sense);
    sense->sees_programs = sense->sees_programs && sense->why[LAZ_DETECTOR_EXECUTABLES][0] == '\0';
    if (laz_sense_check_required(sense, err) < 0 || laz_sense_files_open(sense, err) < 0 ||
            laz_sense_narrow(sense, err) < 0 || laz_sense_files_begin(sense, err) < 0) {
        return -1;
    }
    look(sense);
    sense->state->starts++;
    sense->state->magic = LAZ_SENSE_STATE_MAGIC;
    laz_sense_tell_start(sense);
    laz_sense_volumes_told(sense);
    laz_sense_flush(sense, false);
    sense->is_first = false;
    return begin_loop(sense, err);
}

_Noreturn void laz_role_sense(int chan)
{
    struct laz_err err = {0};
    struct laz_sense *sense = calloc(1, sizeof(*sense));
    if (sense == NULL) {
        _exit(1);
    }
    sense->ear = (struct laz_role_ear){
            .chan = chan, .role = LAZ_ROLE_SENSE, .take = take_order, .context = sense};
    sense->state_fd = sense->events = sense->proc = sense->files.inotify = -1;
    sense->volumes.proc = sense->volumes.sys = sense->volumes.mounts = -1;
    laz_role_await_orders(&sense->ear, &sense->has_begun);
    sense->base = event_base_new();
    if (sense->base == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no event loop");
        fail(sense, &err);
    }
    if (begin(sense, &err) < 0) {
        fail(sense, &err);
    }
    laz_role_say_ready(chan, LAZ_FIPS_UNASKED);
    (void)event_base_dispatch(sense->base);
    (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "the event loop ended");
    fail(sense, &err);
}
