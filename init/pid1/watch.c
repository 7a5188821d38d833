/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets, words and commands of the role `health`. Believes nothing that it says but that it says
 * it. libc only.
 */
#include "init/pid1/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/deadline.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "init/pid1/place.h"

#define FACTS_MAX 256  /* bytes: the policy's name and its digest */
#define FOR_ALL   0666 /* who connects shows who they are, and gets no more than words */

bool laz_watch_begin(
        struct laz_watch *watch, const struct laz_image *image, char *const *environment)
{
    const char *cursor = image->reported.first;
    watch->image = image;
    laz_helper_init(&watch->helper, LAZ_ROLE_HEALTH, LAZ_E_HEALTH);
    watch->helper.is_needed = true;
    watch->helper.watch = watch;
    for (uint32_t i = 0; i < image->reported.n && i < 2; i++) {
        const char *name = laz_strings_next(&cursor);
        const char *value = name[0] == '\0' ? NULL : laz_environment_find(environment, name);
        (void)laz_format(
                watch->reported[i], sizeof(watch->reported[i]), "%s", value == NULL ? "" : value);
        laz_format_printable(watch->reported[i]);
    }
    int *sockets = watch->sockets;
    sockets[LAZ_HEALTH_SOCKET_TCP] = -1;
    sockets[LAZ_HEALTH_SOCKET_PROBE] =
            laz_place_listen(LAZ_CONTROL_SOCKET_PROBE, SOCK_SEQPACKET, FOR_ALL);
    sockets[LAZ_HEALTH_SOCKET_HTTP] =
            laz_place_listen(LAZ_CONTROL_SOCKET_HEALTH, SOCK_STREAM, FOR_ALL);
    return sockets[LAZ_HEALTH_SOCKET_PROBE] >= 0 && sockets[LAZ_HEALTH_SOCKET_HTTP] >= 0;
}

/* ---- what it is told ---- */

static bool say_facts(int chan, const struct laz_image *image)
{
    char memory[FACTS_MAX];
    char digest[2 * LAZ_SHA256_SIZE + 1];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_format_hex(image->source_digest, LAZ_SHA256_SIZE, digest);
    laz_message_begin(&message, LAZ_MESSAGE_FACTS);
    laz_message_string(&message, image->name);
    laz_message_string(&message, digest);
    laz_message_string(&message, "");
    return laz_helper_say(chan, &message, NULL, 0);
}

static bool say_reported(int chan, uint8_t variable, const char *value)
{
    char memory[LAZ_COLOR_MAX + 32];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_VARIABLE);
    laz_message_u8(&message, variable);
    laz_message_string(&message, value);
    return value[0] == '\0' || laz_helper_say(chan, &message, NULL, 0);
}

bool laz_watch_show(
        const struct laz_watch *watch, const struct laz_secrets *secrets, uint32_t changed)
{
    const uint8_t *items = watch->image->health_identity;
    bool is_meant = ((changed >> items[0] | changed >> items[1]) & 1) != 0;
    return !watch->image->health_shows || !is_meant ||
            laz_helper_say_identity(watch->helper.chan, 0, secrets, items);
}

/* What ship said last, and how old that is. */
static bool say_gauges(const struct laz_watch *watch, uint64_t now_ns)
{
    char memory[LAZ_GAUGES_MAX + LAZ_MESSAGE_HEADER + 8];
    uint64_t age_ms = (now_ns - watch->gauges_ns) / LAZ_NS_PER_MS;
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_GAUGED);
    laz_message_u32(&message, age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX);
    laz_buf_put(&message, watch->gauges, watch->gauges_length);
    return laz_helper_say(watch->helper.chan, &message, NULL, 0);
}

bool laz_watch_tell(struct laz_watch *watch, const struct laz_secrets *secrets, uint64_t now_ns)
{
    int chan = watch->helper.chan;
    bool ok = laz_helper_say_config(chan, watch->image->health, watch->image->health_length) &&
            say_facts(chan, watch->image) && laz_watch_show(watch, secrets, UINT32_MAX);
    for (unsigned i = 0; i < 2; i++) {
        ok = ok && say_reported(chan, (uint8_t)(LAZ_VARIABLE_COLOR + i), watch->reported[i]);
    }
    for (uint32_t i = 0; i < LAZ_HEALTH_SOCKET_COUNT && ok; i++) {
        ok = watch->sockets[i] < 0 || laz_helper_say_listen(chan, i, watch->sockets[i]);
    }
    ok = ok && (watch->gauges_length == 0 || say_gauges(watch, now_ns));
    for (unsigned i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) { /* of a predecessor's */
        watch->checks[i].is_unasked = watch->checks[i].is_over = true;
    }
    watch->to_kill = UINT8_MAX;
    watch->to_run = 0;
    watch->verdict.checks = LAZ_CHECKS_UNKNOWN; /* a new one knows for itself, or not yet */
    watch->wants_status = true;
    return ok && laz_helper_say_only(chan, LAZ_MESSAGE_BEGIN);
}

static void say_or_drop(struct laz_watch *watch, struct laz_buf *message)
{
    if (watch->helper.chan >= 0 && !laz_helper_say(watch->helper.chan, message, NULL, 0)) {
        laz_helper_drop(&watch->helper);
    }
}

void laz_watch_status(struct laz_watch *watch, const struct laz_status *status)
{
    char memory[LAZ_STATUS_MAX];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_STATUS);
    laz_status_put(&message, status);
    watch->wants_status = false;
    say_or_drop(watch, &message);
}

void laz_watch_relay(struct laz_watch *watch, const struct laz_message *gauges, uint64_t now_ns)
{
    if (watch->image == NULL || gauges->length > sizeof(watch->gauges)) {
        return;
    }
    (void)memcpy(watch->gauges, gauges->fields, gauges->length);
    watch->gauges_length = gauges->length;
    watch->gauges_ns = now_ns;
    if (watch->helper.chan >= 0 && !say_gauges(watch, now_ns)) {
        laz_helper_drop(&watch->helper);
    }
}

/* ---- what it says ---- */

static int broken(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_HEALTH, 0, "lazaret-helper health sent %s", what);
}

/* For the next helper, if this one dies: meanwhile nobody else can have the port. */
static int on_listener(
        struct laz_watch *watch, struct laz_fields *fields, int *fd, struct laz_err *err)
{
    int *kept = &watch->sockets[LAZ_HEALTH_SOCKET_TCP];
    uint32_t number = laz_fields_u32(fields);
    if (!laz_fields_done(fields) || number != LAZ_HEALTH_SOCKET_TCP || *kept >= 0 ||
            watch->helper.is_ready || !laz_helper_listens(*fd)) {
        return broken(err, "a socket that is not to be kept");
    }
    *kept = *fd;
    *fd = -1;
    return 0;
}

static void copy(char *ret, size_t size, const char *text)
{
    (void)laz_format(ret, size, "%s", text);
    laz_format_printable(ret);
}

/* What is written down of it. */
static bool is_same(const struct laz_watch_verdict *one, const struct laz_watch_verdict *other)
{
    return one->is_live == other->is_live && one->is_ready == other->is_ready &&
            strcmp(one->state, other->state) == 0 && strcmp(one->why, other->why) == 0;
}

/* Of some that come faster than they can be written down, the last one counts. */
static int on_verdict(struct laz_watch *watch, struct laz_fields *fields, struct laz_err *err)
{
    struct laz_watch_verdict said;
    said.is_live = laz_fields_u8(fields) == 1;
    said.is_ready = laz_fields_u8(fields) == 1;
    watch->has_started |= laz_fields_u8(fields) == 1; /* for its successors */
    said.checks = (enum laz_checks)laz_fields_u8(fields);
    copy(said.state, sizeof(said.state), laz_fields_string(fields));
    copy(said.why, sizeof(said.why), laz_fields_string(fields));
    if (said.checks >= LAZ_CHECKS_COUNT) {
        return broken(err, "what checks cannot say");
    }
    if (!is_same(&watch->verdict, &said)) {
        watch->missed += watch->has_verdict;
        watch->has_verdict = true;
    }
    watch->verdict = said;
    return 0;
}

static void on_renewed(struct laz_watch *watch, struct laz_fields *fields)
{
    copy(watch->renewed, sizeof(watch->renewed), laz_fields_string(fields));
    copy(watch->renewed_not, sizeof(watch->renewed_not), laz_fields_string(fields));
    watch->has_renewed = true;
}

static int on_command(
        struct laz_watch *watch, struct laz_fields *fields, uint32_t *set, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    if (number >= watch->image->n_commands) {
        return broken(err, "the number of a command that there is not");
    }
    *set |= UINT32_C(1) << number;
    return 0;
}

static int on_word(struct laz_watch *watch, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    int result = 0;
    laz_fields_begin(&fields, message);
    if (message->type == LAZ_MESSAGE_VERDICT) {
        result = on_verdict(watch, &fields, err);
    } else if (message->type == LAZ_MESSAGE_RENEWED) {
        on_renewed(watch, &fields);
    } else if (message->type == LAZ_MESSAGE_CHECK) {
        result = on_command(watch, &fields, &watch->to_run, err);
    } else if (message->type == LAZ_MESSAGE_CANCEL) {
        result = on_command(watch, &fields, &watch->to_kill, err);
    } else if (message->type == LAZ_MESSAGE_DRAINED) {
        copy(watch->evidence, sizeof(watch->evidence), laz_fields_string(&fields));
        watch->is_drained = true;
    } else if (message->type == LAZ_MESSAGE_OVERDUE) {
        copy(watch->overdue, sizeof(watch->overdue), laz_fields_string(&fields));
        watch->is_overdue = true;
    }
    return result == 0 && !laz_fields_done(&fields) ? broken(err, "half a message") : result;
}

int laz_watch_told(
        struct laz_watch *watch, struct laz_message *message, uint64_t now_ns, struct laz_err *err)
{
    laz_cleanup_fd int fd = message->n_fds > 0 ? message->fds[0] : -1;
    if (now_ns - watch->words_ns >= LAZ_WATCH_WORDS_NS) {
        watch->words_ns = now_ns;
        watch->n_words = 0;
    }
    if (++watch->n_words > LAZ_WATCH_WORDS_MAX) {
        return broken(err, "more than it can have to say");
    }
    if (message->type == LAZ_MESSAGE_ASK) {
        watch->wants_status = true;
        return 0;
    }
    if (message->type == LAZ_MESSAGE_LISTENER) {
        struct laz_fields fields;
        laz_fields_begin(&fields, message);
        return on_listener(watch, &fields, &fd, err);
    }
    return on_word(watch, message, err);
}

static bool take_word(
        struct laz_watch *watch, bool *said, uint64_t since_ns, uint32_t least_ms, uint64_t now_ns)
{
    bool is_said = *said;
    bool can_be = since_ns != 0 && now_ns >= since_ns + least_ms * LAZ_NS_PER_MS;
    *said = false;
    if (is_said && !can_be) {
        watch->helper.err = (struct laz_err){0};
        (void)broken(&watch->helper.err, "what cannot be true yet");
        laz_helper_drop(&watch->helper);
    }
    return is_said && can_be;
}

bool laz_watch_is_drained(struct laz_watch *watch, uint64_t stop_ns, uint64_t now_ns)
{
    return take_word(watch, &watch->is_drained, stop_ns, watch->image->lb_least_ms, now_ns);
}

bool laz_watch_is_overdue(struct laz_watch *watch, uint64_t started_ns, uint64_t now_ns)
{
    uint32_t deadline_ms = watch->image->startup_deadline_ms;
    bool can_be = deadline_ms != 0 && !watch->has_started;
    return take_word(watch, &watch->is_overdue, can_be ? started_ns : 0, deadline_ms, now_ns);
}

/* ---- checks that are commands ---- */

static void say_checked(struct laz_watch *watch, uint32_t number, int32_t status)
{
    char memory[32];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_CHECKED);
    laz_message_u32(&message, number);
    laz_message_u32(&message, (uint32_t)status);
    say_or_drop(watch, &message);
}

/* Its whole group, and itself in case it is not in that yet. */
static void end_check(const struct laz_watch_check *check)
{
    (void)kill(-check->pid, SIGKILL);
    (void)kill(check->pid, SIGKILL);
}

static void settle(struct laz_watch *watch, uint32_t number, int32_t status)
{
    struct laz_watch_check *check = &watch->checks[number];
    bool is_unasked = check->is_unasked;
    *check = (struct laz_watch_check){0};
    if (!is_unasked) {
        say_checked(watch, number, status);
    }
}

static void start_check(struct laz_watch *watch, uint32_t number, int launcher_chan, bool runs)
{
    struct laz_watch_check *check = &watch->checks[number];
    char memory[32];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_RUN);
    laz_message_u32(&message, number);
    if (check->pid > 0 || check->is_starting) {
        say_checked(watch, number, -EBUSY);
    } else if (!runs || launcher_chan < 0 || !laz_helper_say(launcher_chan, &message, NULL, 0)) {
        say_checked(watch, number, -ECHILD);
    } else {
        *check = (struct laz_watch_check){.is_starting = true};
    }
}

void laz_watch_run(struct laz_watch *watch, int launcher_chan, bool runs)
{
    for (uint32_t i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) {
        struct laz_watch_check *check = &watch->checks[i];
        if (!runs || (watch->to_kill >> i & 1) != 0) {
            check->is_over = true;
        }
        if (check->pid > 0 && check->is_over) {
            end_check(check);
        }
        if ((watch->to_run >> i & 1) != 0) {
            start_check(watch, i, launcher_chan, runs);
        }
    }
    watch->to_run = watch->to_kill = 0;
}

void laz_watch_runs(struct laz_watch *watch, const struct laz_message *message)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t number = laz_fields_u32(&fields);
    int32_t pid = (int32_t)laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || number >= LAZ_IMAGE_COMMANDS_MAX ||
            !watch->checks[number].is_starting) {
        return;
    }
    watch->checks[number].is_starting = false;
    if (pid > 0) {
        watch->checks[number].pid = pid;
        watch->checks[number].is_new = true;
    } else {
        settle(watch, number, pid);
    }
}

static bool is_reaped(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

void laz_watch_look(struct laz_watch *watch, const struct laz_reaped reaped[LAZ_REAPED_MAX])
{
    for (uint32_t number = 0; number < LAZ_IMAGE_COMMANDS_MAX; number++) {
        struct laz_watch_check *check = &watch->checks[number];
        if (!check->is_new) {
            continue;
        }
        check->is_new = false;
        if (!is_reaped(check->pid)) {
            continue;
        }
        /* What it has left. While there is some, the number is nobody else's. */
        (void)kill(-check->pid, SIGKILL);
        int status = 109 << 8; /* how, nobody knows any more */
        for (size_t i = 0; i < LAZ_REAPED_MAX; i++) {
            status = reaped[i].pid == check->pid ? reaped[i].status : status;
        }
        settle(watch, number, status);
    }
}

void laz_watch_lose_launch(struct laz_watch *watch)
{
    for (uint32_t i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) {
        if (watch->checks[i].is_starting) {
            settle(watch, i, -ECHILD);
        }
    }
}

bool laz_watch_is_starting(const struct laz_watch *watch)
{
    bool is_starting = false;
    for (uint32_t i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) {
        is_starting = is_starting || watch->checks[i].is_starting;
    }
    return is_starting;
}

void laz_watch_ends(const struct laz_watch *watch, pid_t pid)
{
    for (uint32_t i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) {
        if (watch->checks[i].pid == pid) {
            end_check(&watch->checks[i]);
        }
    }
}

bool laz_watch_ended(struct laz_watch *watch, pid_t pid, int status)
{
    for (uint32_t i = 0; i < LAZ_IMAGE_COMMANDS_MAX; i++) {
        if (watch->checks[i].pid == pid) {
            if (watch->checks[i].is_new) { /* nobody knew when laz_watch_ends asked: as above */
                (void)kill(-pid, SIGKILL);
            }
            settle(watch, i, status);
            return true;
        }
    }
    return false;
}
