/* SPDX-License-Identifier: Apache-2.0
 *
 * One helper's life. Believes nothing: a message that the catalogue does not allow kills its
 * sender. libc only.
 */
#include "init/pid1/helper.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "core/format.h"
#include "init/pid1/secrets.h"
#include "init/pid1/tunnel.h"
#include "init/pid1/watch.h"

#define SAID_MAX    (LAZ_GAUGES_MAX + LAZ_MESSAGE_HEADER) /* bytes of a message of theirs */
#define ABSENT_CODE 127                                   /* launch found none */
/* Messages of a helper that has ended: fetch may have said all that it had to say. */
#define LAST_WORDS_MAX (3 * LAZ_IMAGE_FETCHED_MAX + 16)

/* ---- what it is told ---- */

bool laz_helper_say(int chan, struct laz_buf *message, const int *fds, size_t n_fds)
{
    struct laz_err err = {.sys_errno = EMSGSIZE}; /* the caller ends it */
    if (laz_message_end(message) && laz_chan_send(chan, message, fds, n_fds, &err) == 0) {
        return true;
    }
    errno = err.sys_errno;
    return false;
}

bool laz_helper_say_only(int chan, enum laz_message_type type)
{
    char memory[64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    return laz_helper_say(chan, &message, NULL, 0);
}

bool laz_helper_say_config(int chan, const uint8_t *section, uint32_t length)
{
    char memory[LAZ_IMAGE_TUNNEL_MAX + LAZ_MESSAGE_HEADER + 1];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_CONFIG);
    laz_buf_put(&message, section, length);
    return laz_helper_say(chan, &message, NULL, 0);
}

static bool say_with(
        int chan, enum laz_message_type type, uint32_t number, const int *fds, size_t n_fds)
{
    char memory[64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    laz_message_u32(&message, number);
    return laz_helper_say(chan, &message, fds, n_fds);
}

bool laz_helper_say_listen(int chan, uint32_t number, int fd)
{
    return say_with(chan, LAZ_MESSAGE_LISTEN, number, &fd, 1);
}

bool laz_helper_say_identity(
        int chan, uint32_t number, const struct laz_secrets *secrets, const uint8_t items[2])
{
    const int fds[] = {secrets->items[items[0]].value, secrets->items[items[1]].value};
    return say_with(chan, LAZ_MESSAGE_IDENTITY, number, fds, 2);
}

bool laz_helper_listens(int fd)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 1;
}

/* ---- its life ---- */

void laz_helper_init(struct laz_helper *helper, enum laz_role role, enum laz_err_kind lost_as)
{
    *helper = (struct laz_helper){.role = role, .lost_as = lost_as, .chan = -1};
}

void laz_helper_lose(struct laz_helper *helper, const char *why)
{
    if (!helper->is_lost && helper->err.kind != LAZ_E_NONE) {
        (void)laz_err_context(&helper->err, "%s", why);
    }
    (void)laz_err_set(&helper->err, helper->lost_as, 0, "%s", why);
    helper->is_lost = true;
    helper->due_ns = helper->is_needed ? 0 : helper->due_ns;
}

static void retry_later(struct laz_helper *helper, uint64_t now_ns)
{
    bool was_steady = helper->ready_ns != 0 &&
            now_ns - helper->ready_ns >= LAZ_HELPER_STEADY_MS * LAZ_NS_PER_MS;
    uint64_t most_ms = helper->is_lost ? LAZ_HELPER_LOST_MS : LAZ_HELPER_RETRY_MAX_MS;
    helper->failures = was_steady ? 0 : helper->failures;
    unsigned doublings = helper->failures < 7 ? helper->failures : 7;
    uint64_t wait_ms = (uint64_t)LAZ_HELPER_RETRY_MIN_MS << doublings;
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    helper->failures++;
    helper->ready_ns = 0;
    helper->due_ns =
            helper->is_finishing ? now_ns : now_ns + wait_ms * LAZ_NS_PER_MS; /* no later */
    if (!helper->was_ever_ready && helper->failures >= LAZ_HELPER_START_TRIES) {
        laz_helper_lose(helper, "lazaret-helper does not stay up");
    }
    helper->absent_ns = helper->absent_ns == 0 ? now_ns : helper->absent_ns;
}

bool laz_helper_ask(struct laz_helper *helper, int launcher_chan, uint64_t now_ns)
{
    int pair[2];
    char memory[64];
    struct laz_buf message;
    struct laz_err err = {0};
    helper->due_ns = 0;
    if (!helper->is_needed) { /* what it says next time is news */
        helper->err = (struct laz_err){0};
    }
    if (laz_chan_pair(pair, &err) < 0) {
        retry_later(helper, now_ns);
        return false;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_START);
    laz_message_u8(&message, (uint8_t)helper->role);
    bool sent = laz_message_end(&message) &&
            laz_chan_send(launcher_chan, &message, &pair[1], 1, &err) == 0;
    laz_fd_close(&pair[1]);
    if (!sent) {
        laz_fd_close(&pair[0]);
        laz_helper_lose(helper, "the process that starts helpers does not answer");
        return false;
    }
    helper->chan = pair[0];
    helper->is_starting = true;
    return true;
}

/* Who cannot be talked to is no helper. One that has ended, and is not reaped, is not hurt by it.
 */
static void end_mute(struct laz_helper *helper)
{
    if (helper->chan < 0 && helper->pid > 0) {
        (void)kill(helper->pid, SIGKILL);
    }
}

void laz_helper_drop(struct laz_helper *helper)
{
    laz_fd_close(&helper->chan);
    end_mute(helper);
}

void laz_helper_drop_untold(struct laz_helper *helper)
{
    int cause = errno;
    if (cause != EPIPE && cause != ECONNRESET) {
        helper->err = (struct laz_err){0};
        (void)laz_err_set(&helper->err, helper->lost_as, cause,
                "lazaret-helper %s cannot be told what it needs: %s", laz_role_name(helper->role),
                strerror(cause));
    }
    laz_helper_drop(helper);
}

/* It may have ended, and been reaped as one of many, before `launch` had said its number; or have
 * been found wanting before there was a number to kill. */
bool laz_helper_look(
        struct laz_helper *helper, const struct laz_reaped reaped[LAZ_REAPED_MAX], uint64_t now_ns)
{
    siginfo_t info = {0};
    if (!helper->is_new) {
        return false;
    }
    helper->is_new = false;
    int result = waitid(P_PID, (id_t)helper->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (result == 0 || errno != ECHILD) {
        end_mute(helper);
        return false;
    }
    int status = 109 << 8; /* how, nobody knows any more */
    for (size_t i = 0; i < LAZ_REAPED_MAX; i++) {
        status = reaped[i].pid == helper->pid ? reaped[i].status : status;
    }
    laz_helper_ended(helper, status, true, now_ns);
    return true;
}

void laz_helper_started(struct laz_helper *helper, int32_t pid, uint64_t now_ns)
{
    if (!helper->is_starting) {
        return;
    }
    helper->is_starting = false;
    if (pid > 0) {
        helper->pid = pid;
        helper->is_new = true;
    } else {
        laz_fd_close(&helper->chan);
        helper->err = (struct laz_err){0};
        (void)laz_err_set(&helper->err, helper->lost_as, -pid,
                "lazaret-helper %s cannot be started: %s", laz_role_name(helper->role),
                strerror(-pid));
        retry_later(helper, now_ns);
    }
}

static void on_ready(struct laz_helper *helper, struct laz_fields *fields, uint64_t now_ns)
{
    uint8_t fips = laz_fields_u8(fields);
    helper->fips = laz_fields_done(fields) ? fips : 0;
    helper->is_ready = helper->was_ever_ready = true;
    helper->ready_ns = now_ns;
    helper->absent_ns = 0;
    helper->trouble[0] = '\0';
    if (!helper->is_lost || !helper->is_needed) {
        helper->is_lost = false;
        helper->err = (struct laz_err){0};
    }
}

static void on_trouble(struct laz_helper *helper, struct laz_fields *fields)
{
    const char *text = laz_fields_string(fields);
    if (laz_fields_done(fields)) {
        (void)laz_format(helper->trouble, sizeof(helper->trouble), "%s", text);
        laz_format_printable(helper->trouble);
    }
}

static void on_failed(struct laz_helper *helper, struct laz_fields *fields)
{
    uint32_t kind = laz_fields_u32(fields);
    const char *text = laz_fields_string(fields);
    if (laz_fields_done(fields) && kind > LAZ_E_NONE && kind < LAZ_E_COUNT) {
        helper->err = (struct laz_err){0};
        (void)laz_err_set(&helper->err, (enum laz_err_kind)kind, 0, "%s", text);
        laz_format_printable(helper->err.message);
        helper->has_failed = helper->secrets != NULL ||
                (helper->has_begun && !helper->was_ever_ready) ||
                ((kind == LAZ_E_VOLUME || kind == LAZ_E_FIPS) && helper->is_needed);
    }
}

static void violated(struct laz_helper *helper, const struct laz_err *how)
{
    helper->err = (struct laz_err){0};
    (void)laz_err_set(&helper->err, helper->lost_as, 0, "%s", how->message);
}

static void on_secret(struct laz_helper *helper, struct laz_message *message)
{
    struct laz_err err = {0};
    if (laz_secrets_told(helper->secrets, message, &err) < 0) {
        violated(helper, &err);
        laz_helper_drop(helper);
    }
}

static void on_watch(struct laz_helper *helper, struct laz_message *message, uint64_t now_ns)
{
    struct laz_err err = {0};
    if (message->type == LAZ_MESSAGE_GAUGES) {
        laz_watch_relay(helper->watch, message, now_ns);
    } else if (laz_watch_told(helper->watch, message, now_ns, &err) < 0) {
        violated(helper, &err);
        laz_helper_drop(helper);
    }
}

static void on_tunnel(struct laz_helper *helper, struct laz_message *message, uint64_t now_ns)
{
    struct laz_err err = {0};
    if (laz_tunnels_told(helper->tunnels, message, now_ns, &err) < 0) {
        violated(helper, &err);
        laz_helper_drop(helper);
    }
}

/* Who may say what, the catalogue has checked. */
static void on_message(struct laz_helper *helper, struct laz_message *message, uint64_t now_ns)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    if (message->type == LAZ_MESSAGE_READY) {
        on_ready(helper, &fields, now_ns);
    } else if (message->type == LAZ_MESSAGE_ACKED) {
        helper->is_acked = true;
    } else if (message->type == LAZ_MESSAGE_FLUSHED) {
        helper->undelivered = laz_fields_u32(&fields);
        helper->is_flushed = helper->is_finishing;
    } else if (message->type == LAZ_MESSAGE_TROUBLE) {
        on_trouble(helper, &fields);
    } else if (message->type == LAZ_MESSAGE_FAILED) {
        on_failed(helper, &fields);
    } else if (message->type == LAZ_MESSAGE_HIDDEN) {
        helper->n_hiding -= helper->n_hiding > 0 ? 1 : 0;
    } else if (helper->secrets != NULL) {
        on_secret(helper, message);
    } else if (helper->tunnels != NULL) {
        on_tunnel(helper, message, now_ns);
    } else if (helper->watch != NULL) {
        on_watch(helper, message, now_ns);
    }
}

void laz_helper_read(struct laz_helper *helper, uint64_t now_ns)
{
    uint8_t memory[SAID_MAX];
    struct laz_message message;
    struct laz_err err = {0};
    if (helper->chan < 0) {
        return;
    }
    enum laz_chan_got got =
            laz_chan_receive(helper->chan, (struct laz_route){helper->role, LAZ_ROLE_INIT}, memory,
                    sizeof(memory), &message, &err);
    if (got == LAZ_CHAN_MESSAGE) {
        on_message(helper, &message, now_ns);
    } else if (got != LAZ_CHAN_NOTHING) {
        if (got == LAZ_CHAN_VIOLATION) {
            violated(helper, &err);
        }
        laz_helper_drop(helper);
    }
}

void laz_helper_ended(struct laz_helper *helper, int status, bool can_start_again, uint64_t now_ns)
{
    helper->is_new = false;
    helper->pid = 0; /* the number may be somebody else's: nobody is killed for its last words */
    for (unsigned i = 0; i < LAST_WORDS_MAX && helper->chan >= 0; i++) {
        laz_helper_read(helper, now_ns); /* ends with the channel */
    }
    laz_fd_close(&helper->chan);
    helper->is_ready = helper->knows_masks = false;
    helper->n_hiding = 0;
    if (helper->is_flushed) {
        return;
    }
    if (helper->has_failed) {
        helper->is_lost = true;
        return;
    }
    if (helper->err.kind == LAZ_E_NONE && WIFEXITED(status) && WEXITSTATUS(status) == ABSENT_CODE) {
        (void)laz_err_set(&helper->err, helper->lost_as, 0,
                "lazaret-helper was not found beside lazaret-init or in /usr/libexec/lazaret");
    } else if (helper->err.kind == LAZ_E_NONE) {
        (void)laz_err_set(&helper->err, helper->lost_as, 0, "lazaret-helper %s ended by %s %d",
                laz_role_name(helper->role), WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (can_start_again) {
        retry_later(helper, now_ns);
    } else {
        laz_helper_lose(helper, "the process that starts helpers has ended");
    }
}

/* Whether it dies again and again, or lives and never says that it is ready. */
static uint64_t patience_ends_ns(const struct laz_helper *helper)
{
    bool is_over = helper->is_lost && helper->is_needed;
    return helper->absent_ns == 0 || is_over
            ? 0
            : helper->absent_ns + LAZ_HELPER_ABSENT_MAX_MS * LAZ_NS_PER_MS;
}

uint64_t laz_helper_due_ns(const struct laz_helper *helper)
{
    uint64_t end_ns = patience_ends_ns(helper);
    bool is_later = end_ns == 0 || (helper->due_ns != 0 && helper->due_ns < end_ns);
    return is_later ? helper->due_ns : end_ns;
}

void laz_helper_check(struct laz_helper *helper, uint64_t now_ns)
{
    uint64_t end_ns = patience_ends_ns(helper);
    if (end_ns == 0 || now_ns < end_ns) {
        return;
    }
    laz_helper_lose(helper, "lazaret-helper has not come back");
    if (!helper->is_needed) { /* another one may do better */
        helper->absent_ns = now_ns;
        laz_helper_drop(helper);
    }
}

bool laz_helper_is_due(const struct laz_helper *helper, uint64_t now_ns)
{
    return helper->due_ns != 0 && helper->due_ns <= now_ns && helper->pid == 0 &&
            !helper->is_starting;
}
