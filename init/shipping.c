/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of `ship`. Blocks nowhere, allocates nothing, believes nothing: a message that the
 * catalogue does not allow kills its sender. libc only.
 */
#include "init/shipping.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/launcher.h"
#include "init/ship_state.h"

#define NS_PER_MS      UINT64_C(1000000)
#define SAID_MAX       1024 /* bytes of a message of theirs: an error and its words */
#define LAST_WORDS_MAX 16   /* messages of a helper that has ended */

void laz_shipping_init(struct laz_shipping *shipping)
{
    *shipping = (struct laz_shipping){.launcher_chan = -1, .chan = -1, .state = -1};
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        shipping->pipes[i][0] = shipping->pipes[i][1] = -1;
        shipping->rings[i] = shipping->outputs[i] = -1;
    }
}

int laz_shipping_events(const struct laz_shipping *shipping)
{
    return shipping->pipes[LAZ_STREAM_EVENTS][1];
}

/* ---- what is made once ---- */

static int memory_file(const char *name, off_t size, struct laz_err *err)
{
    /* Larger, it would fill the container's memory; smaller, it would kill whoever maps it. */
    const unsigned seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0) {
        (void)laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", name, strerror(errno));
        laz_fd_close(&fd);
    }
    return fd;
}

/* The workload's own name for it must work too: programs open /dev/stdout. It may write there, by
 * whatever user it becomes, and not read what is on its way; if the pipe were its own, it could
 * change that. */
static int make_pipe(bool is_workloads, int ret[2])
{
    if (pipe2(ret, O_CLOEXEC) < 0) {
        return -1;
    }
    return is_workloads ? fchmod(ret[1], S_IWUSR | S_IWGRP | S_IWOTH) : 0;
}

static int make_stream(struct laz_shipping *shipping, enum laz_stream stream, struct laz_err *err)
{
    int *pipe_fds = shipping->pipes[stream];
    if (make_pipe(stream != LAZ_STREAM_EVENTS, pipe_fds) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "pipe: %s", strerror(errno));
    }
    if (stream == LAZ_STREAM_EVENTS) { /* whatever is done to its other end does not hold us */
        (void)fcntl(pipe_fds[1], F_SETFL, O_WRONLY | O_NONBLOCK);
    }
    /* As much as is granted: beyond a share for each user, the kernel refuses. */
    (void)fcntl(pipe_fds[1], F_SETPIPE_SZ, (int)shipping->image->pipe_bytes);
    int granted = fcntl(pipe_fds[1], F_GETPIPE_SZ);
    shipping->pipe_bytes = granted > 0 ? (uint32_t)granted : 0;
    shipping->rings[stream] = memory_file("lazaret-ring", LAZ_RING_SIZE, err);
    return shipping->rings[stream] < 0 ? -1 : 0;
}

static int capture(struct laz_shipping *shipping, struct laz_err *err)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        enum laz_stream stream = fd == STDOUT_FILENO ? LAZ_STREAM_STDOUT : LAZ_STREAM_STDERR;
        if (make_stream(shipping, stream, err) < 0) {
            return -1;
        }
        if (dup2(shipping->pipes[stream][1], fd) < 0) { /* meant to be inherited */
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "dup2: %s", strerror(errno));
        }
        laz_fd_close(&shipping->pipes[stream][1]);
    }
    shipping->captures = true;
    return 0;
}

static int keep_outputs(struct laz_shipping *shipping, struct laz_err *err)
{
    shipping->outputs[LAZ_STREAM_STDOUT] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    shipping->outputs[LAZ_STREAM_STDERR] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (shipping->outputs[LAZ_STREAM_STDOUT] < 0 || shipping->outputs[LAZ_STREAM_STDERR] < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "dup: %s", strerror(errno));
    }
    return 0;
}

int laz_shipping_begin(struct laz_shipping *shipping, const struct laz_image *image, char **argv,
        struct laz_err *err)
{
    shipping->image = image;
    shipping->state = memory_file("lazaret-ship", LAZ_SHIP_STATE_SIZE, err);
    /* `launch` first: it shall have nothing of what follows. */
    if (shipping->state < 0 ||
            laz_launcher_fork(argv, &shipping->launcher, &shipping->launcher_chan, err) < 0 ||
            keep_outputs(shipping, err) < 0 || make_stream(shipping, LAZ_STREAM_EVENTS, err) < 0) {
        return -1;
    }
    /* At a terminal sits a person: programs ask whether it is one, and it stays theirs. */
    if (image->capture && isatty(STDOUT_FILENO) == 0 && capture(shipping, err) < 0) {
        return -1;
    }
    shipping->due_ns = 1;
    return 0;
}

void laz_shipping_part(struct laz_shipping *shipping)
{
    if (shipping->captures) {
        (void)dup2(shipping->outputs[LAZ_STREAM_STDERR], STDERR_FILENO);
        (void)close(STDOUT_FILENO);
    }
}

/* ---- starting it ---- */

static void lost(struct laz_shipping *shipping, const char *why)
{
    if (!shipping->is_lost && shipping->err.kind != LAZ_E_NONE) {
        (void)laz_err_context(&shipping->err, "%s", why);
    }
    (void)laz_err_set(&shipping->err, LAZ_E_AUDIT, 0, "%s", why);
    shipping->is_lost = true;
    shipping->due_ns = 0;
}

static void retry_later(struct laz_shipping *shipping, uint64_t now_ns)
{
    unsigned doublings = shipping->failures < 7 ? shipping->failures : 7;
    uint64_t wait_ms = (uint64_t)LAZ_SHIP_RETRY_MIN_MS << doublings;
    wait_ms = wait_ms < LAZ_SHIP_RETRY_MAX_MS ? wait_ms : LAZ_SHIP_RETRY_MAX_MS;
    shipping->failures++;
    shipping->due_ns = now_ns + wait_ms * NS_PER_MS;
    if (shipping->is_finishing) {
        shipping->due_ns = now_ns; /* there is no later */
    }
    if (!shipping->was_ever_ready && shipping->failures >= LAZ_SHIP_START_TRIES) {
        lost(shipping, "lazaret-helper does not stay up");
    }
    shipping->absent_ns = shipping->absent_ns == 0 ? now_ns : shipping->absent_ns;
}

static void send_or_end(struct laz_shipping *shipping, struct laz_buf *message, const int *fds,
        size_t n_fds, bool *ok)
{
    struct laz_err ignored = {0}; /* its end comes as SIGCHLD, or it is ended here */
    *ok = *ok && laz_message_end(message) &&
            laz_chan_send(shipping->chan, message, fds, n_fds, &ignored) == 0;
}

static void send_streams(struct laz_shipping *shipping, struct laz_buf *message, bool *ok)
{
    for (unsigned i = 0; i < LAZ_STREAM_COUNT; i++) {
        if (shipping->pipes[i][0] >= 0) {
            const int fds[] = {shipping->pipes[i][0], shipping->rings[i]};
            laz_message_begin(message, LAZ_MESSAGE_STREAM);
            laz_message_u8(message, (uint8_t)i);
            send_or_end(shipping, message, fds, 2, ok);
        }
        if (shipping->outputs[i] >= 0) {
            laz_message_begin(message, LAZ_MESSAGE_OUTPUT);
            laz_message_u8(message, (uint8_t)i);
            send_or_end(shipping, message, &shipping->outputs[i], 1, ok);
        }
    }
}

static void send_finish(struct laz_shipping *shipping, struct laz_buf *message, bool *ok)
{
    laz_message_begin(message, LAZ_MESSAGE_FINISH);
    laz_message_u32(message, (uint32_t)shipping->exit_code);
    laz_message_u64(message, shipping->finish_ns);
    send_or_end(shipping, message, NULL, 0, ok);
}

/* Everything that it needs, in one go: what it does not read is gone with it. */
static bool hand_over(struct laz_shipping *shipping)
{
    char memory[LAZ_IMAGE_SHIP_MAX + LAZ_MESSAGE_HEADER + 1];
    struct laz_buf message;
    char digest[2 * LAZ_SHA256_SIZE + 1];
    bool ok = true;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_CONFIG);
    laz_buf_put(&message, shipping->image->ship, shipping->image->ship_length);
    send_or_end(shipping, &message, NULL, 0, &ok);
    laz_format_hex(shipping->image->source_digest, LAZ_SHA256_SIZE, digest);
    laz_message_begin(&message, LAZ_MESSAGE_FACTS);
    laz_message_string(&message, shipping->image->name);
    laz_message_string(&message, digest);
    laz_message_string(&message, shipping->image->spool_dir);
    send_or_end(shipping, &message, NULL, 0, &ok);
    laz_message_begin(&message, LAZ_MESSAGE_STATE);
    send_or_end(shipping, &message, &shipping->state, 1, &ok);
    send_streams(shipping, &message, &ok);
    laz_message_begin(&message, LAZ_MESSAGE_BEGIN);
    send_or_end(shipping, &message, NULL, 0, &ok);
    if (shipping->is_finishing) {
        send_finish(shipping, &message, &ok);
    }
    return ok;
}

static void ask_for_it(struct laz_shipping *shipping, uint64_t now_ns)
{
    int pair[2];
    char memory[64];
    struct laz_buf message;
    struct laz_err err = {0};
    shipping->due_ns = 0;
    if (laz_chan_pair(pair, &err) < 0) {
        retry_later(shipping, now_ns);
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_START);
    laz_message_u8(&message, LAZ_ROLE_SHIP);
    bool sent = laz_message_end(&message) &&
            laz_chan_send(shipping->launcher_chan, &message, &pair[1], 1, &err) == 0;
    laz_fd_close(&pair[1]);
    if (!sent) {
        laz_fd_close(&pair[0]);
        lost(shipping, "the process that starts helpers does not answer");
        return;
    }
    shipping->chan = pair[0];
    shipping->is_starting = true;
    if (!hand_over(shipping)) {
        laz_fd_close(&shipping->chan); /* it will see that, and end */
    }
}

/* ---- what they say ---- */

/* Who cannot be talked to is no helper. One that has ended, and is not reaped, is not hurt by it.
 */
static void end_mute(struct laz_shipping *shipping)
{
    if (shipping->chan < 0 && shipping->pid > 0) {
        (void)kill(shipping->pid, SIGKILL);
    }
}

static void on_launcher(
        struct laz_shipping *shipping, const struct laz_message *message, uint64_t now_ns)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    (void)laz_fields_u8(&fields); /* there is one role */
    int32_t pid = (int32_t)laz_fields_u32(&fields);
    if (!laz_fields_done(&fields)) {
        return;
    }
    shipping->is_starting = false;
    if (pid > 0) {
        shipping->pid = pid; /* and the caller looks at it */
    } else {
        laz_fd_close(&shipping->chan);
        retry_later(shipping, now_ns);
    }
}

static void on_failed(struct laz_shipping *shipping, struct laz_fields *fields)
{
    uint32_t kind = laz_fields_u32(fields);
    const char *text = laz_fields_string(fields);
    if (laz_fields_done(fields) && kind > LAZ_E_NONE && kind < LAZ_E_COUNT) {
        shipping->err = (struct laz_err){0};
        (void)laz_err_set(&shipping->err, (enum laz_err_kind)kind, 0, "%s", text);
    }
}

static void on_ship(struct laz_shipping *shipping, const struct laz_message *message)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    if (message->type == LAZ_MESSAGE_READY) {
        shipping->is_ready = shipping->was_ever_ready = true;
        shipping->failures = 0;
        shipping->absent_ns = 0;
        shipping->err = (struct laz_err){0};
    } else if (message->type == LAZ_MESSAGE_ACKED) {
        shipping->is_acked = true;
    } else if (message->type == LAZ_MESSAGE_FLUSHED) {
        shipping->undelivered = laz_fields_u32(&fields);
        shipping->is_flushed = shipping->is_finishing;
    } else if (message->type == LAZ_MESSAGE_FAILED) {
        on_failed(shipping, &fields);
    }
}

/* One message a turn: a helper that talks without end does not keep us from the rest. */
static void read_ship(struct laz_shipping *shipping)
{
    uint8_t memory[SAID_MAX];
    struct laz_message message;
    struct laz_err err = {0};
    enum laz_chan_got got =
            laz_chan_receive(shipping->chan, (struct laz_route){LAZ_ROLE_SHIP, LAZ_ROLE_INIT},
                    memory, sizeof(memory), &message, &err);
    if (got == LAZ_CHAN_MESSAGE) {
        on_ship(shipping, &message);
    } else if (got != LAZ_CHAN_NOTHING) {
        laz_fd_close(&shipping->chan);
        if (got == LAZ_CHAN_VIOLATION) {
            shipping->err = (struct laz_err){0};
            (void)laz_err_set(&shipping->err, LAZ_E_AUDIT, 0, "%s", err.message);
        }
        end_mute(shipping);
    }
}

static void read_launcher(struct laz_shipping *shipping, uint64_t now_ns)
{
    uint8_t memory[SAID_MAX];
    struct laz_message message;
    struct laz_err err = {0};
    enum laz_chan_got got = laz_chan_receive(shipping->launcher_chan,
            (struct laz_route){LAZ_ROLE_LAUNCH, LAZ_ROLE_INIT}, memory, sizeof(memory), &message,
            &err);
    if (got == LAZ_CHAN_MESSAGE) {
        on_launcher(shipping, &message, now_ns);
    } else if (got != LAZ_CHAN_NOTHING) {
        laz_fd_close(&shipping->launcher_chan); /* ship may run on; nobody can start it again */
        if (shipping->pid == 0) {
            lost(shipping, "the process that starts helpers has ended");
        }
    }
}

/* It is reaped. */
static void ended(struct laz_shipping *shipping, int status, uint64_t now_ns)
{
    shipping->pid = 0; /* the number may be somebody else's: nobody is killed for its last words */
    for (unsigned i = 0; i < LAST_WORDS_MAX && shipping->chan >= 0; i++) {
        read_ship(shipping); /* ends with the channel */
    }
    laz_fd_close(&shipping->chan);
    shipping->is_ready = false;
    if (shipping->is_flushed) {
        return;
    }
    if (shipping->err.kind == LAZ_E_NONE) {
        (void)laz_err_set(&shipping->err, LAZ_E_AUDIT, 0, "lazaret-helper ship ended by %s %d",
                WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (shipping->launcher_chan < 0) {
        lost(shipping, "the process that starts helpers has ended");
    } else {
        retry_later(shipping, now_ns);
    }
}

/* It may have ended, and been reaped as one of many, before `launch` had said its number; or have
 * been found wanting before there was a number to kill. */
static void look_at_new(struct laz_shipping *shipping, uint64_t now_ns)
{
    siginfo_t info = {0};
    int result = waitid(P_PID, (id_t)shipping->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (result < 0 && errno == ECHILD) {
        ended(shipping, 109 << 8, now_ns); /* how it ended, nobody knows any more */
    } else {
        end_mute(shipping);
    }
}

/* Whether it dies again and again, or lives and never says that it is ready. */
static uint64_t patience_ends_ns(const struct laz_shipping *shipping)
{
    return shipping->absent_ns == 0 || shipping->is_lost
            ? 0
            : shipping->absent_ns + LAZ_SHIP_ABSENT_MAX_MS * NS_PER_MS;
}

uint64_t laz_shipping_due_ns(const struct laz_shipping *shipping)
{
    uint64_t end_ns = patience_ends_ns(shipping);
    bool is_later = end_ns == 0 || (shipping->due_ns != 0 && shipping->due_ns < end_ns);
    return is_later ? shipping->due_ns : end_ns;
}

void laz_shipping_turn(struct laz_shipping *shipping, uint64_t now_ns)
{
    if (shipping->image == NULL) {
        return;
    }
    if (shipping->launcher_chan >= 0) {
        pid_t before = shipping->pid;
        read_launcher(shipping, now_ns);
        if (shipping->pid != before) {
            look_at_new(shipping, now_ns);
        }
    }
    if (shipping->chan >= 0) {
        read_ship(shipping);
    }
    if (shipping->due_ns != 0 && shipping->due_ns <= now_ns && shipping->pid == 0) {
        ask_for_it(shipping, now_ns);
    }
    uint64_t end_ns = patience_ends_ns(shipping);
    if (end_ns != 0 && end_ns <= now_ns) {
        lost(shipping, "lazaret-helper has not come back");
    }
}

/* ---- its end ---- */

bool laz_shipping_owns(const struct laz_shipping *shipping, pid_t pid)
{
    return pid == shipping->launcher || pid == shipping->pid || shipping->is_starting;
}

bool laz_shipping_ended(struct laz_shipping *shipping, pid_t pid, int status, uint64_t now_ns)
{
    if (shipping->image == NULL || pid == 0 || shipping->is_flushed) {
        return false;
    }
    if (pid == shipping->launcher) {
        shipping->launcher = 0;
        return true; /* its channel says so too */
    }
    bool may_be_new = shipping->is_starting && shipping->launcher_chan >= 0;
    if (may_be_new) {
        read_launcher(shipping, now_ns); /* it may have ended before we knew its number */
    }
    if (pid != shipping->pid) {
        if (may_be_new && shipping->pid > 0) {
            look_at_new(shipping, now_ns);
        }
        return false;
    }
    ended(shipping, status, now_ns);
    return true;
}

void laz_shipping_finish(struct laz_shipping *shipping, int exit_code, uint64_t now_ns)
{
    char memory[64];
    struct laz_buf message;
    bool ok = true;
    shipping->is_finishing = true;
    shipping->exit_code = exit_code;
    shipping->finish_ns = now_ns + shipping->image->flush_ms * NS_PER_MS;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    if (shipping->chan >= 0) {
        send_finish(shipping, &message, &ok);
    } else if (shipping->due_ns != 0) {
        shipping->due_ns = now_ns;
    }
}
