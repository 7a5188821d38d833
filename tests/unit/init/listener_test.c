/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp listener against a kernel that is played here (the linker's --wrap) and a clock that
 * is an argument: what is answered when, what is held, summed up, counted, and when it is too much.
 */
#include "init/pid1/listener.h"

#include <errno.h>
#include <linux/audit.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define LISTENER_FD 98765 /* no descriptor of this process */
#define SECOND      UINT64_C(1000000000)
#define MS          UINT64_C(1000000)
#define T0          (1000 * SECOND)
#define EXECVE      SYS_execve
#define FORBIDDEN   7   /* the plain filter answers EACCES */
#define KILLED      300 /* kill */
#define NATIVE      AUDIT_ARCH_X86_64
#define FOREIGN     AUDIT_ARCH_I386
#define WORLD_MAX   2048

/* ---- the kernel's side ---- */

static struct {
    struct seccomp_notif waiting[WORLD_MAX];
    size_t n;
    size_t taken;
    struct seccomp_notif_resp answers[WORLD_MAX];
    size_t n_answers;
    int sends;      /* tried so far */
    int send_fails; /* so many of the next sends, with this errno */
    int send_errno;
    int receive_errno;
    bool hung_up;
} world;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

static long fails_with(int error)
{
    errno = error;
    return -1;
}

static long take_request(struct seccomp_notif *ret)
{
    if (world.receive_errno != 0) {
        return fails_with(world.receive_errno);
    }
    *ret = world.waiting[world.taken++];
    return 0;
}

static long take_answer(const struct seccomp_notif_resp *answer)
{
    world.sends++;
    if (world.send_fails > 0) {
        world.send_fails--;
        return fails_with(world.send_errno);
    }
    world.answers[world.n_answers++] = *answer;
    return 0;
}

/* Takes six arguments, however many there are, as the C library's own does. */
__attribute__((no_sanitize_address)) long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (size_t i = 0; i < 6; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (number != SYS_ioctl || a[0] != LISTENER_FD) {
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    void *argument = (void *)(uintptr_t)a[2]; /* NOLINT(performance-no-int-to-ptr) */
    switch ((unsigned long)a[1]) {
    case SECCOMP_IOCTL_NOTIF_RECV:
        return take_request(argument);
    case SECCOMP_IOCTL_NOTIF_SEND:
        return take_answer(argument);
    default:
        return 0;
    }
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (n != 1 || fds[0].fd != LISTENER_FD) {
        return __real_poll(fds, n, timeout_ms);
    }
    fds[0].revents = (short)(world.taken < world.n ? POLLIN : world.hung_up ? POLLHUP : 0);
    return fds[0].revents != 0;
}

/* ---- the workload's side ---- */

static struct sock_filter plain[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EXECVE, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KILLED, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static struct laz_image image;
static struct laz_listener listener;
static struct laz_trail trail;
static bool too_many;

/* Two calls are free, and one a second; others wait for 50 ms. */
static void set_up(void)
{
    image = (struct laz_image){.audit_arch = NATIVE,
            .mode = LAZ_MODE_ENFORCE,
            .exec_budget = -1,
            .plain = {.insns = plain, .n = sizeof(plain) / sizeof(plain[0])},
            .flood_burst = 2,
            .flood_per_second = 1,
            .flood_hold_ms = 50};
    trail = (struct laz_trail){.fd = memfd_create("trail", MFD_CLOEXEC), .ctr = "test"};
    cr_assert_geq(trail.fd, 0);
    laz_listener_init(&listener, LISTENER_FD);
}

/* Calls that wait, and what is made of them at this moment. */
static void call_as(uint32_t arch, int nr, size_t times, uint64_t now_ns)
{
    for (size_t i = 0; i < times; i++) {
        cr_assert_lt(world.n, WORLD_MAX);
        world.waiting[world.n] = (struct seccomp_notif){.id = 100 + world.n,
                .pid = (uint32_t)getpid(),
                .data = {.nr = nr, .arch = arch, .args = {world.n}}};
        world.n++;
    }
    while (world.taken < world.n) {
        cr_assert_eq(laz_listener_turn(&listener, &image, &trail, now_ns, &too_many) >= 0, 1);
    }
}

static void call(int nr, size_t times, uint64_t now_ns)
{
    call_as(NATIVE, nr, times, now_ns);
}

static const struct seccomp_notif_resp *last_answer(void)
{
    cr_assert_gt(world.n_answers, 0);
    return &world.answers[world.n_answers - 1];
}

/* How many records there are with this in them. */
static size_t records(const char *with)
{
    static char text[1 << 20];
    ssize_t n = pread(trail.fd, text, sizeof(text) - 1, 0);
    cr_assert_geq(n, 0);
    text[n] = '\0';
    size_t found = 0;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        cr_assert_not_null(end);
        *end = '\0';
        found += strstr(line, with) != NULL;
        line = end + 1;
    }
    return found;
}

TestSuite(listener, .init = set_up);

/* ---- answers ---- */

Test(listener, answers_with_the_errno_of_the_plain_filter)
{
    call(FORBIDDEN, 1, T0);
    cr_expect_eq(last_answer()->error, -EACCES);
    cr_expect_eq(last_answer()->flags, 0);
    call(KILLED, 1, T0);
    cr_expect_eq(last_answer()->error, -EPERM, "a notification cannot kill");
    cr_expect_eq(records("\"ev\":\"seccomp.deny\""), 2);
    cr_expect_eq(records("\"act\":\"EACCES\""), 1);
    cr_expect_eq(listener.denied, 2);
}

Test(listener, lets_through_what_mode_observe_would_refuse)
{
    image.mode = LAZ_MODE_OBSERVE;
    image.flood_kill_after = 1;
    call(FORBIDDEN, 5, T0);
    cr_expect_eq(world.n_answers, 5, "nothing is held against a call that is allowed");
    for (size_t i = 0; i < world.n_answers; i++) {
        cr_expect_eq(world.answers[i].error, 0);
        cr_expect_eq(world.answers[i].flags, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    }
    cr_expect_eq(records("\"act\":\"observed\""), 2);
    cr_expect_not(too_many);
}

Test(listener, counts_executions_against_the_budget)
{
    image.exec_budget = 2;
    listener.exec_attempts = 1; /* the workload's own */
    call(EXECVE, 1, T0);
    cr_expect_eq(last_answer()->flags, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    cr_expect_eq(listener.denied, 0);
    call(EXECVE, 1, T0);
    cr_expect_eq(last_answer()->error, -EPERM);
    cr_expect_eq(records("\"ev\":\"exec.budget\""), 1);
    cr_expect_eq(records("\"attempts\":3,\"budget\":2"), 1);
    image.exec_budget = -1;
    call(EXECVE, 3, T0);
    cr_expect_eq(last_answer()->flags, SECCOMP_USER_NOTIF_FLAG_CONTINUE, "no budget");
}

Test(listener, tries_an_answer_again_unless_the_caller_is_gone)
{
    world.send_fails = 3;
    world.send_errno = EINTR;
    call(FORBIDDEN, 1, T0);
    cr_expect_eq(world.n_answers, 1, "the fourth try");
    world.send_fails = 1;
    world.send_errno = ENOENT;
    world.sends = 0;
    call(FORBIDDEN, 1, T0);
    cr_expect_eq(world.sends, 1);
}

Test(listener, says_whether_the_gate_was_opened)
{
    struct laz_err err = {0};
    cr_expect_eq(laz_listener_let_through(&listener, 5, &err), 0);
    cr_expect_eq(last_answer()->flags, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    world.send_fails = 100;
    world.send_errno = EIO;
    cr_expect_eq(laz_listener_let_through(&listener, 5, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_ENFORCE);
    cr_expect_eq(err.sys_errno, EIO);
}

Test(listener, knows_nothing_from_gone_from_broken)
{
    struct seccomp_notif notif;
    cr_expect_eq(laz_listener_receive(&listener, &notif), 0, "nothing waits");
    world.hung_up = true;
    cr_expect_eq(laz_listener_receive(&listener, &notif), -1, "the last one is gone");
    world.n = 1;
    world.receive_errno = ENOENT;
    cr_expect_eq(laz_listener_receive(&listener, &notif), 0, "the caller died meanwhile");
    world.receive_errno = EBADF;
    cr_expect_eq(laz_listener_receive(&listener, &notif), -1, "broken");
}

Test(listener, looks_at_the_signals_between_64_calls)
{
    for (size_t i = 0; i < 100; i++) {
        world.waiting[world.n++] =
                (struct seccomp_notif){.id = i, .data = {.nr = FORBIDDEN, .arch = NATIVE}};
    }
    cr_expect_eq(laz_listener_turn(&listener, &image, &trail, T0, &too_many), 1);
    cr_expect_eq(world.taken, LAZ_LISTENER_TURN_MAX);
}

/* ---- floods ---- */

Test(listener, holds_what_is_over_its_budget_and_sums_it_up)
{
    call(FORBIDDEN, 5, T0);
    cr_assert_eq(world.n_answers, 2);
    cr_expect_eq(records("\"count\":1}"), 2);
    cr_expect_eq(laz_listener_due_ns(&listener), T0 + 50 * MS);
    laz_listener_expire(&listener, &trail, T0 + 50 * MS - 1);
    cr_expect_eq(world.n_answers, 2);
    laz_listener_expire(&listener, &trail, T0 + 50 * MS);
    cr_assert_eq(world.n_answers, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_expect_eq(world.answers[i].id, 100 + i, "in order");
        cr_expect_eq(world.answers[i].error, -EACCES);
    }
    cr_expect_eq(laz_listener_due_ns(&listener), T0 + SECOND, "the summary");
    laz_listener_expire(&listener, &trail, T0 + SECOND - 1);
    cr_expect_eq(records("\"count\":3}"), 0);
    laz_listener_expire(&listener, &trail, T0 + SECOND);
    cr_expect_eq(records("\"count\":3}"), 1);
    cr_expect_eq(records("\"0000000000000004\""), 1, "with the arguments of the last one");
    cr_expect_eq(laz_listener_due_ns(&listener), 0);
    cr_expect_eq(listener.denied, 5);
    cr_expect_eq(listener.held_ever, 3);
}

Test(listener, sums_up_what_is_left_at_the_end_and_only_then)
{
    laz_listener_finish(&listener, &trail);
    cr_expect_eq(records("{"), 0);
    call(FORBIDDEN, 4, T0);
    laz_listener_finish(&listener, &trail);
    cr_expect_eq(records("\"count\":2}"), 1);
}

Test(listener, gives_tokens_back_with_time_but_never_more_than_the_burst)
{
    call(FORBIDDEN, 2, T0);
    call(FORBIDDEN, 1, T0 + 999 * MS);
    cr_expect_eq(world.n_answers, 2, "a token a second");
    call(FORBIDDEN, 1, T0 + SECOND);
    cr_expect_eq(world.n_answers, 3, "the milliseconds before it count");
    call(FORBIDDEN, 3, T0 + 3600 * SECOND);
    cr_expect_eq(world.n_answers, 5);
}

Test(listener, has_one_budget_for_all_numbers_too)
{
    for (int nr = 10; nr < 14; nr++) {
        call(nr, 2, T0);
    }
    cr_expect_eq(world.n_answers, 8, "four times the budget of one");
    call(14, 1, T0);
    cr_expect_eq(world.n_answers, 8);
    call(14, 1, T0 + SECOND);
    cr_expect_eq(world.n_answers, 9, "its own tokens are still there");
}

Test(listener, puts_foreign_and_unknown_numbers_into_one_budget)
{
    call_as(FOREIGN, FORBIDDEN, 1, T0);
    call(LAZ_LISTENER_NUMBERS, 1, T0);
    call(-1, 1, T0);
    cr_expect_eq(world.n_answers, 2);
    call(FORBIDDEN, 2, T0);
    cr_expect_eq(world.n_answers, 4, "the native number has its own");
    call(LAZ_LISTENER_NUMBERS - 1, 2, T0);
    cr_expect_eq(world.n_answers, 6, "the last number that has one");
}

Test(listener, answers_at_once_when_too_many_wait)
{
    image.flood_burst = 1;
    call(FORBIDDEN, 1 + LAZ_LISTENER_HELD_MAX, T0);
    cr_expect_eq(world.n_answers, 1);
    call(FORBIDDEN, 1, T0);
    cr_expect_eq(world.n_answers, 2);
    cr_expect_eq(last_answer()->id, 101 + LAZ_LISTENER_HELD_MAX);
    cr_expect_eq(listener.held_ever, LAZ_LISTENER_HELD_MAX);
    laz_listener_expire(&listener, &trail, T0 + 50 * MS);
    call(FORBIDDEN, 10, T0 + 60 * MS); /* once round the ring */
    laz_listener_expire(&listener, &trail, T0 + 110 * MS);
    cr_expect_eq(world.n_answers, world.n);
    cr_expect_eq(last_answer()->id, 100 + world.n - 1);
}

Test(listener, holds_nothing_once_it_is_released)
{
    call(FORBIDDEN, 4, T0);
    laz_listener_release(&listener);
    cr_expect_eq(world.n_answers, 4);
    call(FORBIDDEN, 3, T0);
    cr_expect_eq(world.n_answers, 7);
    cr_expect_eq(listener.denied, 7);
    laz_listener_finish(&listener, &trail);
    cr_expect_eq(records("\"count\":5}"), 1, "counted all the same");
}

Test(listener, holds_nothing_if_the_policy_says_so)
{
    image.flood_hold_ms = 0;
    call(FORBIDDEN, 4, T0);
    cr_expect_eq(world.n_answers, 4);
    cr_expect_eq(listener.held_ever, 0);
}

/* ---- too many ---- */

Test(listener, says_when_a_minute_has_seen_too_many)
{
    image.flood_kill_after = 3;
    call(FORBIDDEN, 3, T0);
    cr_expect_not(too_many, "as many as may be");
    call(FORBIDDEN, 1, T0 + 60 * SECOND);
    cr_expect(too_many, "one more within the minute");
}

Test(listener, begins_a_new_minute)
{
    image.flood_kill_after = 3;
    call(FORBIDDEN, 3, T0);
    call(FORBIDDEN, 3, T0 + 60 * SECOND + 1);
    call(EXECVE, 5, T0 + 60 * SECOND + 1);
    cr_expect_not(too_many);
    call(FORBIDDEN, 1, T0 + 61 * SECOND);
    cr_expect(too_many);
}

Test(listener, never_has_too_many_without_a_limit)
{
    call(FORBIDDEN, 1000, T0);
    cr_expect_not(too_many);
}
