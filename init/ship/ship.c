/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ship`: takes its orders, opens what they name, narrows itself, and then carries what is
 * said from the streams into the ledger and from there to the sinks, until init tells it to finish.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/role/crypto.h"
#include "init/ship/ecs.h"
#include "init/ship/events.h"
#include "init/ship/kept.h"

#define KEY_FILE_MAX 16384
#define LARGE_BYTES  (128 << 10) /* as glibc begins */
#define PROGRAM_MAX  (8U << 20)
/* To say that it was not enough, before init loses its patience: a part of the time for finishing,
 * within limits. A busy machine lets this process wait for longer than the least. */
#define SLACK_PARTS    16
#define SLACK_LEAST_NS UINT64_C(50000000)
#define SLACK_MOST_NS  UINT64_C(250000000)
#define LEAVE_NS       UINT64_C(250000000) /* more than any sink takes for it */
#define FINISH_TURN_US 2000
/* Parts of 16 of the time for finishing, after which nobody waits for metrics; */
#define METERS_PART 1
/* after which nobody waits for what is passed through; */
#define OUTPUTS_PART 8
/* after which what finds no room is dropped; */
#define GIVE_UP_PART 12
/* after which nobody listens any more: only who is not ours can be writing then. */
#define CLOSE_PART 13

uint64_t laz_ship_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

struct timespec laz_ship_wall(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

/* ---- words with init ---- */

_Noreturn void laz_ship_fail(const struct laz_ship *ship, const struct laz_err *err)
{
    struct laz_err masked = *err;
    laz_ship_mask_text(ship->ledger.redactor, masked.message, sizeof(masked.message));
    laz_role_fail(ship->ear.chan, &masked);
}

static void copy_string(char *ret, size_t size, const char *text)
{
    (void)snprintf(ret, size, "%s", text);
}

static int take_config(
        struct laz_ship_orders *orders, const struct laz_message *message, struct laz_err *err)
{
    if (message->length > sizeof(orders->section)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a section of %zu bytes", message->length);
    }
    (void)memcpy(orders->section, message->fields, message->length);
    orders->has_config = true;
    return laz_ship_decode(orders->section, message->length, &orders->config, err);
}

static int take_stream(
        struct laz_ship_orders *orders, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint8_t stream = laz_fields_u8(&fields);
    if (!laz_fields_done(&fields) || stream >= LAZ_STREAM_COUNT) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such stream: %u", stream);
    }
    if (message->type == LAZ_MESSAGE_STREAM) {
        orders->pipes[stream] = message->fds[0];
        orders->rings[stream] = message->fds[1];
    } else {
        orders->outputs[stream] = message->fds[0];
    }
    return 0;
}

static void take_finish(struct laz_ship *ship, const struct laz_message *message)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    ship->exit_code = (int)laz_fields_u32(&fields);
    ship->finish_deadline_ns = laz_fields_u64(&fields);
    ship->is_finishing = laz_fields_done(&fields);
}

static int take_order(void *context, struct laz_message *message, struct laz_err *err)
{
    struct laz_ship *ship = context;
    struct laz_ship_orders *orders = &ship->orders;
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    if (message->type == LAZ_MESSAGE_CONFIG) {
        return take_config(orders, message, err);
    }
    if (message->type == LAZ_MESSAGE_FACTS) {
        copy_string(orders->name, sizeof(orders->name), laz_fields_string(&fields));
        copy_string(
                orders->policy_digest, sizeof(orders->policy_digest), laz_fields_string(&fields));
        copy_string(orders->spool_dir, sizeof(orders->spool_dir), laz_fields_string(&fields));
        return laz_fields_done(&fields)
                ? 0
                : laz_err_set(err, LAZ_E_INTERNAL, 0, "facts of another form");
    }
    if (message->type == LAZ_MESSAGE_VARIABLE) {
        return laz_role_take_variable(&orders->variables, message, err);
    }
    if (message->type == LAZ_MESSAGE_STATE) {
        orders->state_fd = message->fds[0];
        return 0;
    }
    if (message->type == LAZ_MESSAGE_HIDE) {
        return laz_ship_take_hide(ship, message, err);
    }
    if (message->type == LAZ_MESSAGE_STREAM || message->type == LAZ_MESSAGE_OUTPUT) {
        return take_stream(orders, message, err);
    }
    orders->has_begun = orders->has_begun || message->type == LAZ_MESSAGE_BEGIN;
    if (message->type == LAZ_MESSAGE_FINISH) {
        take_finish(ship, message);
    }
    return 0;
}

/* ---- opening ---- */

static int map_state(struct laz_ship *ship, struct laz_err *err)
{
    void *state = mmap(NULL, LAZ_SHIP_STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
            ship->orders.state_fd, 0);
    if (state == MAP_FAILED) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "mmap: %s", strerror(errno));
    }
    ship->state = state;
    return 0;
}

/* Where init is not root, its user is ours. */
static bool is_ours(const struct stat *status)
{
    if (geteuid() != 0) {
        return status->st_uid == geteuid() && (status->st_mode & 077) == 0;
    }
    return (status->st_mode & 07) == 0 &&
            ((status->st_uid == LAZ_SHIP_UID && (status->st_mode & 0700) == 0700) ||
                    (status->st_gid == LAZ_SHIP_UID && (status->st_mode & 070) == 070));
}

/* What we have made ourselves is root's and our group's; what was there needs CAP_CHOWN. The mode
 * first: what is given away is no longer ours to change. */
static int take_dir(int dir, const struct stat *status)
{
    bool is_root = geteuid() == 0;
    if (fchmod(dir, is_root ? 0770 : 0700) < 0) {
        return -1;
    }
    bool is_done = !is_root || status->st_gid == LAZ_SHIP_UID;
    return is_done ? 0 : fchown(dir, LAZ_SHIP_UID, LAZ_SHIP_UID);
}

/* What belongs to the workload is not taken from it: whoever wrote the policy has named a folder of
 * another purpose. What others may merely write to becomes ours. */
static int own_spool_dir(struct laz_ship *ship, const struct stat *status, struct laz_err *err)
{
    const struct laz_party *workload = &ship->orders.config.workload;
    const char *path = ship->orders.spool_dir;
    struct laz_err why = {0};
    bool has_hand = laz_trusted_check(ship->spool_dir, workload, &why) < 0;
    bool is_theirs = has_hand && status->st_uid == workload->uid;
    if (!is_theirs && (has_hand || !is_ours(status)) && take_dir(ship->spool_dir, status) < 0) {
        return laz_err_set(err, LAZ_E_SPOOL, errno,
                "spool.dir: %.256s is neither the helper's own (user or group %d, nothing for "
                "others) nor can be made so: %s",
                path, LAZ_SHIP_UID, strerror(errno));
    }
    if (has_hand && laz_trusted_check(ship->spool_dir, workload, &why) < 0) {
        return laz_err_set(
                err, LAZ_E_SPOOL, why.sys_errno, "spool.dir: %.256s %s", path, why.message);
    }
    return 0;
}

/* Made where it is missing; we are root here, so no part of the path may be one that the workload
 * could lead elsewhere. The last one is the helper's own. */
static int open_spool_dir(struct laz_ship *ship, struct laz_err *err)
{
    const char *path = ship->orders.spool_dir;
    struct laz_err why = {0};
    struct stat status;
    laz_cleanup_fd int fd = -1;
    if (laz_trusted_make_folder(path, &ship->orders.config.workload, &fd, &why) < 0) {
        return laz_err_set(
                err, LAZ_E_SPOOL, why.sys_errno, "spool.dir: %.256s: %s", path, why.message);
    }
    ship->spool_dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ship->spool_dir < 0 || fstat(ship->spool_dir, &status) < 0) {
        return laz_err_set(err, LAZ_E_SPOOL, errno, "spool.dir: %.256s: %s", path, strerror(errno));
    }
    return own_spool_dir(ship, &status, err);
}

static char *read_text(const char *path, const struct laz_party *party, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    char *text = calloc(1, KEY_FILE_MAX + 1);
    size_t length = 0;
    struct laz_err why = {0};
    if (text == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "%.256s: no memory", path);
    } else if (laz_trusted_open(path, party, &fd, &why) < 0) {
        (void)laz_err_set(err, LAZ_E_SPOOL, why.sys_errno, "%.256s: %s", path, why.message);
    } else if (laz_fd_read_all(fd, text, KEY_FILE_MAX, &length, err) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

static int read_keys(
        const struct laz_ship_config *config, struct laz_ship_keys *ret, struct laz_err *err)
{
    for (size_t i = 0; i < config->n_seal_to; i++) {
        ret->seal_to[i] = read_text(config->seal_to[i], &config->workload, err);
        if (ret->seal_to[i] == NULL) {
            return laz_err_context(err, "spool.seal-to");
        }
    }
    if (config->open_with[0] != '\0') {
        ret->open_with = read_text(config->open_with, &config->workload, err);
        return ret->open_with == NULL ? laz_err_context(err, "spool.open-with") : 0;
    }
    return 0;
}

static void free_keys(struct laz_ship_keys *keys)
{
    for (size_t i = 0; i < LAZ_SHIP_KEYS_MAX; i++) {
        free(laz_unconst(keys->seal_to[i]));
    }
    if (keys->open_with != NULL) {
        explicit_bzero(laz_unconst(keys->open_with), KEY_FILE_MAX);
        free(laz_unconst(keys->open_with));
    }
}

static void read_line(const char *path, char *ret, size_t size)
{
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

/* The init that is beside us, which is the one that started us. */
static void digest_init(struct laz_ship *ship)
{
    char path[LAZ_SHIP_PATH_MAX] = "";
    uint8_t digest[LAZ_SHA256_SIZE];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("lazaret-init"));
    char *slash = n > 0 ? strrchr(path, '/') : NULL;
    if (slash == NULL) {
        return;
    }
    (void)memcpy(slash + 1, "lazaret-init", sizeof("lazaret-init"));
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = malloc(PROGRAM_MAX);
    struct laz_err ignored = {0};
    size_t length = 0;
    if (fd >= 0 && bytes != NULL &&
            laz_fd_read_all(fd, bytes, PROGRAM_MAX, &length, &ignored) == 0) {
        laz_sha256_of(bytes, length, digest);
        laz_format_hex(digest, sizeof(digest), ship->binary);
    }
    free(bytes);
}

static void learn_facts(struct laz_ship *ship)
{
    read_line("/proc/sys/kernel/random/boot_id", ship->boot, sizeof(ship->boot));
    if (gethostname(ship->host, sizeof(ship->host) - 1) < 0 || ship->host[0] == '\0') {
        copy_string(ship->host, sizeof(ship->host), "-");
    }
    digest_init(ship);
    ship->start = (struct laz_chain_start){.task = "",
            .ctr = ship->orders.name,
            .boot = ship->boot,
            .policy = ship->orders.policy_digest,
            .binary = ship->binary};
}

static int narrow(const struct laz_ship *ship, struct laz_narrow *left, struct laz_err *err)
{
    left->spool_dir = ship->spool_dir;
    for (size_t i = 0; i < ship->n_feeds; i++) {
        if (ship->feeds[i].config->port != 0) {
            left->ports[left->n_ports++] = ship->feeds[i].config->port;
        }
        if (ship->feeds[i].config->enrol_port != 0) {
            left->ports[left->n_ports++] = ship->feeds[i].config->enrol_port;
        }
    }
    return laz_ship_narrow(left, err);
}

/* What only whoever started us may open. Bytes of keys are read here, and looked at by nobody. */
static int open_files(struct laz_ship *ship, struct laz_ship_keys *keys, struct laz_err *err)
{
    const struct laz_ship_config *config = &ship->orders.config;
    learn_facts(ship);
    laz_role_environment(&ship->orders.variables, &ship->aws);
    if (map_state(ship, err) < 0 || laz_role_take_group(LAZ_SHIP_UID, err) < 0 ||
            open_spool_dir(ship, err) < 0 || read_keys(config, keys, err) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        if ((sink->type == LAZ_SINK_EMF ? laz_ship_meter_files(ship, sink, err)
                                        : laz_ship_feed_files(ship, sink, err)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What others have written is parsed here: keys, certificates, names of hosts, the spool of an
 * earlier run. */
static int begin_work(struct laz_ship *ship, const struct laz_ship_keys *keys, struct laz_err *err)
{
    const struct laz_ship_config *config = &ship->orders.config;
    int result = laz_ship_ecs_learn(ship, err);
    for (size_t i = 0; i < ship->n_feeds && result == 0; i++) {
        result = laz_ship_feed_open(&ship->feeds[i], err);
    }
    result = result == 0 ? laz_ship_ledger_open(ship, keys, err) : result;
    if (result == 0) {
        laz_ship_ecs_tell(ship);
    }
    for (size_t i = 0; i < LAZ_STREAM_COUNT && result == 0; i++) {
        int output = config->passthrough ? ship->orders.outputs[i] : -1;
        result = laz_ship_stream_open(ship, (enum laz_stream)i, output, err);
    }
    for (size_t i = 0; i < ship->n_feeds && result == 0; i++) {
        laz_ship_feed_begin(&ship->feeds[i]);
    }
    return result == 0 ? laz_ship_meters_open(ship, err) : -1;
}

/* With root's rights nothing is done but opening. */
static int open_all(struct laz_ship *ship, struct laz_err *err)
{
    struct laz_ship_keys keys = {0};
    struct laz_narrow left = {0};
    int result = open_files(ship, &keys, err);
    laz_ship_narrow_cloud(ship, &left);
    if (result == 0 && laz_role_take_user(LAZ_SHIP_UID, err) == 0 &&
            narrow(ship, &left, err) == 0) {
        result = begin_work(ship, &keys, err);
    } else {
        result = -1;
    }
    free_keys(&keys);
    return result;
}

/* ---- the end ---- */

/* Where the spool has not got everything, no sink has. */
static uint32_t count_behind(const struct laz_ship *ship)
{
    bool is_whole = ship->ledger.is_final && ship->ledger.batch.len == 0;
    uint32_t n = 0;
    for (size_t i = 0; i < ship->n_feeds; i++) {
        n += is_whole && laz_ship_feed_is_done(&ship->feeds[i]) ? 0 : 1;
    }
    return n;
}

/* A receiver logs an error for each connection that ends without a word, and one of syslog may lose
 * what it has not read yet. Whoever does not answer costs a fifth of a second, if there is one. */
static void take_leave(struct laz_ship *ship)
{
    for (size_t i = 0; i < ship->n_feeds; i++) {
        if (laz_ship_feed_is_done(&ship->feeds[i]) &&
                laz_ship_now_ns() + LEAVE_NS < ship->finish_deadline_ns) {
            laz_sink_close(ship->feeds[i].sink);
        }
    }
}

static _Noreturn void leave(struct laz_ship *ship, bool in_peace)
{
    char memory[64];
    struct laz_buf message;
    laz_ship_ledger_release(ship);
    laz_ship_tell_behind(ship);
    if (in_peace) {
        take_leave(ship);
    }
    laz_ship_forget(ship);
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_FLUSHED);
    laz_message_u32(&message, count_behind(ship));
    laz_spool_free(ship->ledger.spool); /* init may end when it has heard, and this with it */
    laz_role_say(ship->ear.chan, &message);
    _exit(0);
}

static bool has_passed_all(const struct laz_ship *ship)
{
    bool all = true;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        all = all && ship->streams[i].passed == ship->streams[i].taken;
    }
    return all;
}

static bool are_dry(struct laz_ship *ship)
{
    bool dry = true;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        dry = laz_ship_stream_is_dry(&ship->streams[i]) && dry;
    }
    return dry;
}

/* Has so much of the time for finishing passed, in parts of 16? */
static bool is_past(const struct laz_ship *ship, uint64_t now_ns, uint64_t parts)
{
    uint64_t began_ns = ship->finish_began_ns;
    uint64_t whole_ns =
            ship->finish_deadline_ns > began_ns ? ship->finish_deadline_ns - began_ns : 0;
    return now_ns >= began_ns + whole_ns / 16 * parts;
}

/* What is passed through comes before the final record, which closes the count of what was not. */
static void settle_outputs(struct laz_ship *ship, uint64_t now_ns)
{
    bool is_late = is_past(ship, now_ns, OUTPUTS_PART);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        laz_ship_stream_settle(&ship->streams[i], is_late);
    }
}

/* Everybody of ours is dead: what is in the pipes is all that will ever be. */
static void finish_turn(struct laz_ship *ship)
{
    const struct timeval soon = {.tv_usec = FINISH_TURN_US};
    uint64_t now_ns = laz_ship_now_ns();
    ship->gives_up = is_past(ship, now_ns, GIVE_UP_PART);
    bool are_told = laz_ship_meters_finish(ship) || is_past(ship, now_ns, METERS_PART);
    bool dry = are_dry(ship) || is_past(ship, now_ns, CLOSE_PART);
    laz_ship_ledger_turn(ship);
    settle_outputs(ship, now_ns);
    if (dry && has_passed_all(ship) && laz_ship_ledger_finish(ship)) {
        for (size_t i = 0; i < ship->n_feeds; i++) {
            laz_ship_feed_turn(&ship->feeds[i]);
            laz_sink_flush(ship->feeds[i].sink);
        }
    }
    bool is_over = ship->ledger.is_final && count_behind(ship) == 0 && are_told;
    if (is_over || now_ns >= ship->finish_deadline_ns) {
        leave(ship, is_over);
    }
    (void)event_add(ship->finish_timer, &soon);
}

static void on_finish_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    finish_turn(context);
}

static void begin_finish(struct laz_ship *ship)
{
    uint64_t now_ns = laz_ship_now_ns();
    uint64_t deadline_ns = ship->finish_deadline_ns;
    uint64_t slack_ns = deadline_ns > now_ns ? (deadline_ns - now_ns) / SLACK_PARTS : 0;
    slack_ns = slack_ns > SLACK_LEAST_NS ? slack_ns : SLACK_LEAST_NS;
    ship->finish_began_ns = now_ns;
    ship->finish_deadline_ns -= slack_ns < SLACK_MOST_NS ? slack_ns : SLACK_MOST_NS;
    finish_turn(ship);
}

/* ---- the loop ---- */

void laz_ship_look(struct laz_ship *ship)
{
    if (ship->acked_said || ship->state->start_at == 0) {
        return;
    }
    for (size_t i = 0; i < ship->n_feeds; i++) {
        const struct laz_feed *feed = &ship->feeds[i];
        uint64_t at = (uint64_t)feed->cursor.segment << 32 | feed->cursor.offset;
        if (feed->config->required &&
                (at <= ship->state->start_at || laz_ship_rejects_start(feed))) {
            return;
        }
    }
    ship->acked_said = true;
    laz_role_say_only(ship->ear.chan, LAZ_MESSAGE_ACKED);
}

static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct laz_ship *ship = context;
    struct laz_err err = {0};
    bool before = ship->is_finishing;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&ship->ear)) {
        leave(ship, false); /* init has gone without a word: the trail stays open */
    }
    if (laz_ship_hide_asked(ship, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
    if (ship->is_finishing && !before) {
        begin_finish(ship);
    }
}

static int begin_loop(struct laz_ship *ship, struct laz_err *err)
{
    ship->orders_event =
            event_new(ship->base, ship->ear.chan, EV_READ | EV_PERSIST, on_orders, ship);
    ship->finish_timer = event_new(ship->base, -1, 0, on_finish_timer, ship);
    if (ship->orders_event == NULL || ship->finish_timer == NULL ||
            event_add(ship->orders_event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (laz_ship_stream_begin(&ship->streams[i], err) < 0) {
            return -1;
        }
    }
    return laz_ship_ledger_begin(ship, err);
}

_Noreturn void laz_role_ship(int chan)
{
    struct laz_err err = {0};
    enum laz_fips_state fips = LAZ_FIPS_UNASKED;
    /* Large buffers go back to the kernel; left to itself glibc keeps them from the second on. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    struct laz_ship *ship = calloc(1, sizeof(*ship));
    if (ship == NULL) {
        _exit(1);
    }
    ship->ear = (struct laz_role_ear){
            .chan = chan, .role = LAZ_ROLE_SHIP, .take = take_order, .context = ship};
    ship->orders.state_fd = ship->spool_dir = -1;
    laz_ship_hidden_init(&ship->hidden);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        ship->orders.pipes[i] = ship->orders.rings[i] = ship->orders.outputs[i] = -1;
        ship->streams[i].pipe = -1;
    }
    laz_role_await_orders(&ship->ear, &ship->orders.has_begun);
    ship->base = event_base_new();
    if (ship->base == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no event loop");
        laz_ship_fail(ship, &err);
    }
    if (laz_role_begin_crypto(ship->orders.config.tls_fips, &fips, &err) < 0 ||
            open_all(ship, &err) < 0 || begin_loop(ship, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
    laz_role_say_ready(ship->ear.chan, fips);
    laz_ship_tell_hidden(ship);
    laz_ship_tell_trouble(ship);
    if (laz_ship_gauges_begin(ship, &err) < 0) {
        laz_ship_fail(ship, &err);
    }
    if (ship->is_finishing) {
        begin_finish(ship);
    }
    (void)event_base_dispatch(ship->base);
    (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "the event loop ended");
    laz_ship_fail(ship, &err);
}
