/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp listener of PID 1. Kernel documentation: userspace-api/seccomp_filter.rst. libc only.
 */
#include "init/pid1/listener.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "confine/sys.h"
#include "core/bpf.h"
#include "core/deadline.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define MILLI         1000U
#define TRIES         4 /* of an ioctl whose failure nobody else makes good */
#define ALL_FACTOR    4 /* all numbers together: four times the budget of one */

void laz_listener_init(struct laz_listener *listener, int fd)
{
    listener->fd = fd;
    listener->may_hold = true;
    /* The caller goes on where init stops, which spares a way across processors: the first execve
     * starts 60 us sooner. Before 6.6 nothing else changes. */
    (void)laz_sys_ioctl_value(fd, LAZ_SECCOMP_NOTIF_SET_FLAGS, LAZ_SECCOMP_SYNC_WAKE_UP);
}

/* RECV blocks while nothing is waiting, whatever O_NONBLOCK says: so look first. If the caller dies
 * between the look and the call, RECV says ENOENT, because the kernel's count of requests is not
 * taken back. */
int laz_listener_receive(struct laz_listener *listener, struct seccomp_notif *ret)
{
    struct pollfd look = {.fd = listener->fd, .events = POLLIN};
    if (poll(&look, 1, 0) < 1) {
        return 0;
    }
    if ((look.revents & POLLIN) == 0) {
        return -1; /* POLLHUP: the last process under the filter is gone */
    }
    (void)memset(ret, 0, sizeof(*ret)); /* the kernel insists */
    for (int i = 0; i < TRIES; i++) {
        if (laz_sys_ioctl(listener->fd, SECCOMP_IOCTL_NOTIF_RECV, ret) == 0) {
            return 1;
        }
        if (errno == ENOENT || errno == EINTR || errno == EAGAIN) {
            return 0;
        }
    }
    return -1;
}

/* ENOENT: the caller died meanwhile, there is nobody to tell. Anything else is tried again a few
 * times, because the caller hangs until it has its answer. */
static int send_answer(const struct laz_listener *listener, uint64_t id, int errno_value)
{
    struct seccomp_notif_resp response = {.id = id};
    if (errno_value == 0) {
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        response.error = -errno_value;
    }
    for (int i = 0; i < TRIES; i++) {
        if (laz_sys_ioctl(listener->fd, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 ||
                errno == ENOENT) {
            return 0;
        }
    }
    return -1;
}

int laz_listener_let_through(struct laz_listener *listener, uint64_t id, struct laz_err *err)
{
    if (send_answer(listener, id, 0) < 0 && errno != ENOENT) { /* a key press ended it: SIGCHLD */
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "the first execve cannot be let through: %s",
                strerror(errno));
    }
    return 0;
}

static void fill(struct laz_bucket *bucket, uint64_t burst, uint64_t per_second, uint64_t now_ns)
{
    if (!bucket->used) {
        *bucket = (struct laz_bucket){
                .used = true, .milli_tokens = burst * MILLI, .filled_ns = now_ns};
        return;
    }
    uint64_t elapsed_ns = now_ns - bucket->filled_ns;
    uint64_t earned =
            elapsed_ns / LAZ_NS_PER_MS * per_second; /* a token a second is one milli a ms */
    if (earned > 0) {
        bucket->filled_ns = now_ns;
        uint64_t ceiling = burst * MILLI;
        bucket->milli_tokens =
                bucket->milli_tokens + earned < ceiling ? bucket->milli_tokens + earned : ceiling;
    }
}

/* One token of each, or none of either. */
static bool take_token(struct laz_listener *listener, const struct laz_image *image,
        struct laz_bucket *bucket, uint64_t now_ns)
{
    fill(bucket, image->flood_burst, image->flood_per_second, now_ns);
    fill(&listener->all, (uint64_t)image->flood_burst * ALL_FACTOR,
            (uint64_t)image->flood_per_second * ALL_FACTOR, now_ns);
    if (bucket->milli_tokens < MILLI || listener->all.milli_tokens < MILLI) {
        return false;
    }
    bucket->milli_tokens -= MILLI;
    listener->all.milli_tokens -= MILLI;
    return true;
}

static void hold_or_answer(struct laz_listener *listener, const struct laz_image *image,
        uint64_t id, int errno_value, uint64_t now_ns)
{
    if (!listener->may_hold || listener->n_held == LAZ_LISTENER_HELD_MAX ||
            image->flood_hold_ms == 0 || errno_value == 0) {
        laz_ignore(send_answer(listener, id, errno_value));
        return;
    }
    unsigned slot = (listener->held_first + listener->n_held) % LAZ_LISTENER_HELD_MAX;
    listener->held[slot] = (struct laz_held_answer){
            .id = id,
            .due_ns = now_ns + image->flood_hold_ms * LAZ_NS_PER_MS,
            .errno_value = errno_value,
    };
    listener->n_held++;
    listener->held_ever++;
}

static bool is_exec(const struct seccomp_data *data)
{
    return data->nr == SYS_execve || data->nr == SYS_execveat;
}

static bool count_window(
        struct laz_listener *listener, const struct laz_image *image, uint64_t now_ns)
{
    if (now_ns - listener->window_start_ns > 60 * NS_PER_SECOND) {
        listener->window_start_ns = now_ns;
        listener->window_denied = 0;
    }
    listener->window_denied++;
    return image->flood_kill_after > 0 && listener->window_denied > image->flood_kill_after;
}

static void record_one(struct laz_listener *listener, const struct laz_image *image,
        struct laz_trail *trail, const struct laz_refused *refused, bool over_budget)
{
    if (over_budget) {
        laz_trail_exec_budget(trail, refused, listener->exec_attempts, image->exec_budget);
    } else {
        laz_trail_denied(trail, refused);
    }
}

/* Returns whether there have been too many. */
static bool refuse(struct laz_listener *listener, const struct laz_image *image,
        struct laz_trail *trail, const struct seccomp_notif *notif, uint64_t now_ns)
{
    uint32_t plain = laz_bpf_evaluate(image->plain.insns, image->plain.n, &notif->data, NULL);
    bool over_budget = false;
    int errno_value = EPERM; /* kill and the like, which only observe mode notifies */
    if ((plain & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
        errno_value = (int)(plain & SECCOMP_RET_DATA);
    } else if ((plain & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW && is_exec(&notif->data)) {
        listener->exec_attempts++;
        over_budget =
                image->exec_budget >= 0 && listener->exec_attempts > (uint64_t)image->exec_budget;
        if (!over_budget) {
            laz_ignore(send_answer(listener, notif->id, 0));
            return false;
        }
    }
    if (image->mode == LAZ_MODE_OBSERVE) {
        errno_value = 0;
    }
    listener->denied++;
    bool native = notif->data.arch == image->audit_arch;
    uint32_t number = (uint32_t)notif->data.nr;
    size_t slot = native && number < LAZ_LISTENER_NUMBERS ? number : LAZ_LISTENER_NUMBERS;
    struct laz_bucket *bucket = &listener->numbers[slot];
    struct laz_refused refused = {.pid = (pid_t)notif->pid,
            .audit_arch = notif->data.arch,
            .native = native,
            .nr = number,
            .ip = notif->data.instruction_pointer,
            .errno_value = errno_value,
            .count = 1};
    (void)memcpy(refused.args, notif->data.args, sizeof(refused.args));
    if (take_token(listener, image, bucket, now_ns)) {
        record_one(listener, image, trail, &refused, over_budget);
        laz_ignore(send_answer(listener, notif->id, errno_value));
    } else {
        bucket->suppressed++;
        listener->last[slot] = refused;
        if (listener->summary_ns == 0) {
            listener->summary_ns = now_ns + NS_PER_SECOND;
        }
        hold_or_answer(listener, image, notif->id, errno_value, now_ns);
    }
    /* in mode observe nothing is refused, so nothing may be held against the workload */
    return image->mode != LAZ_MODE_OBSERVE && count_window(listener, image, now_ns);
}

int laz_listener_turn(struct laz_listener *listener, const struct laz_image *image,
        struct laz_trail *trail, uint64_t now_ns, bool *ret_too_many)
{
    int taken = 0;
    for (unsigned i = 0; i < LAZ_LISTENER_TURN_MAX; i++) {
        struct seccomp_notif notif;
        taken = laz_listener_receive(listener, &notif);
        if (taken <= 0) {
            break;
        }
        if (refuse(listener, image, trail, &notif, now_ns)) {
            *ret_too_many = true;
        }
    }
    return taken;
}

uint64_t laz_listener_due_ns(const struct laz_listener *listener)
{
    uint64_t due_ns = listener->summary_ns;
    if (listener->n_held > 0) {
        uint64_t held_ns = listener->held[listener->held_first].due_ns;
        due_ns = due_ns == 0 || held_ns < due_ns ? held_ns : due_ns;
    }
    return due_ns;
}

static void answer_first(struct laz_listener *listener)
{
    const struct laz_held_answer *first = &listener->held[listener->held_first];
    laz_ignore(send_answer(listener, first->id, first->errno_value));
    listener->held_first = (listener->held_first + 1) % LAZ_LISTENER_HELD_MAX;
    listener->n_held--;
}

static void summarise(struct laz_listener *listener, struct laz_trail *trail)
{
    for (size_t i = 0; i <= LAZ_LISTENER_NUMBERS; i++) {
        if (listener->numbers[i].suppressed > 0) {
            listener->last[i].count = listener->numbers[i].suppressed;
            listener->numbers[i].suppressed = 0;
            laz_trail_denied(trail, &listener->last[i]);
        }
    }
    listener->summary_ns = 0;
}

void laz_listener_expire(struct laz_listener *listener, struct laz_trail *trail, uint64_t now_ns)
{
    while (listener->n_held > 0 && listener->held[listener->held_first].due_ns <= now_ns) {
        answer_first(listener);
    }
    if (listener->summary_ns != 0 && listener->summary_ns <= now_ns) {
        summarise(listener, trail);
    }
}

void laz_listener_release(struct laz_listener *listener)
{
    listener->may_hold = false;
    while (listener->n_held > 0) {
        answer_first(listener);
    }
}

void laz_listener_finish(struct laz_listener *listener, struct laz_trail *trail)
{
    if (listener->summary_ns != 0) {
        summarise(listener, trail);
    }
}
