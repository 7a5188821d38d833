/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom init signals at the end: as PID 1 everybody; elsewhere the workload's group as long as that
 * is the workload's, and the children that the kernel lists, each by its whole number. kill() is
 * the linker's --wrap.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "init/pid1/pid1.h"

#define MAIN     (1 << 23) /* no process has so high a number: none that a test has started is it */
#define SENT_MAX 4096

static struct laz_pid1 pid1;
static bool is_recording;
static struct {
    pid_t pid;
    int number;
} sent[SENT_MAX];
static size_t n_sent;

int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);

int __wrap_kill(pid_t pid, int number)
{
    if (!is_recording) {
        return __real_kill(pid, number);
    }
    cr_assert_lt(n_sent, SENT_MAX);
    sent[n_sent].pid = pid;
    sent[n_sent].number = number;
    n_sent++;
    return 0;
}

/* What pid1.c has, and no test here comes to. */
void laz_pid1_refuse(struct laz_pid1 *of, uint64_t now_ns)
{
    (void)of;
    (void)now_ns;
    cr_assert_fail("a refusal");
}

void laz_pid1_start(struct laz_pid1 *of, uint64_t now_ns)
{
    (void)of;
    (void)now_ns;
    cr_assert_fail("a start");
}

/* The children are these numbers as well, as the kernel writes them. */
static void add_children(pid_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cr_assert_gt(dprintf(pid1.children_fd, "%d ", first + (pid_t)i), 0);
    }
}

static void set_children(pid_t first, size_t n)
{
    is_recording = true;
    pid1.workload.pid = MAIN;
    pid1.children_fd = memfd_create("children", MFD_CLOEXEC);
    cr_assert_geq(pid1.children_fd, 0);
    add_children(first, n);
}

static void check_sent(size_t at, pid_t pid, int number)
{
    cr_assert_gt(n_sent, at);
    cr_assert(sent[at].pid == pid && sent[at].number == number, "%zu: %d to %d", at,
            sent[at].number, sent[at].pid);
}

Test(processes, signals_each_child_but_the_workload)
{
    set_children(MAIN - 1, 3);
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 4);
    check_sent(0, MAIN - 1, SIGTERM);
    check_sent(1, MAIN - 1, SIGCONT);
    check_sent(2, MAIN + 1, SIGTERM);
    check_sent(3, MAIN + 1, SIGCONT);
}

Test(processes, signals_the_workloads_group_only_between_its_end_and_its_reaping)
{
    set_children(0, 0);
    laz_pid1_kill_others(&pid1);
    cr_assert_eq(n_sent, 0, "it is still there, and is signalled by itself");
    pid1.main_exited = true;
    laz_pid1_kill_others(&pid1);
    cr_assert_eq(n_sent, 1);
    check_sent(0, -MAIN, SIGKILL);
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 3);
    check_sent(1, -MAIN, SIGTERM);
    check_sent(2, -MAIN, SIGCONT);
    pid1.main_reaped = true;
    laz_pid1_ask_others(&pid1);
    laz_pid1_kill_others(&pid1);
    cr_assert_eq(n_sent, 3, "the number may be somebody else's");
}

/* The list is longer than what is read at once, and cut somewhere in the midst of a number. */
Test(processes, believes_no_number_that_was_cut)
{
    for (pid_t first = 99990; first < 100010; first++) {
        n_sent = 0;
        set_children(first, 1500);
        laz_pid1_kill_others(&pid1);
        cr_assert_gt(n_sent, 500);
        for (size_t i = 0; i < n_sent; i++) {
            cr_assert_eq(sent[i].pid, first + (pid_t)i);
        }
        (void)close(pid1.children_fd);
    }
}

Test(processes, signals_nobody_where_children_cannot_be_read)
{
    set_children(0, 0);
    pid1.children_fd = -1;
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 0);
}

/* One that is there until it is killed. */
static pid_t start_child(void)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
    return child;
}

/* A turn of the drain: the workload is gone, and some child of this process is not. */
static void turn_drain(void)
{
    pid1.main_exited = pid1.main_reaped = true;
    pid1.state.phase = LAZ_PHASE_DRAINING;
    cr_assert_not(laz_pid1_reap(&pid1, 0));
}

Test(processes, asks_who_is_adopted_later_as_well_and_nobody_twice)
{
    pid_t child = start_child();
    set_children(child, 1);
    laz_pid1_ask_others(&pid1);
    turn_drain();
    cr_assert_eq(n_sent, 2, "twice");
    add_children(child + 7, 1);
    turn_drain();
    turn_drain();
    cr_assert_eq(n_sent, 4);
    check_sent(2, child + 7, SIGTERM);
    check_sent(3, child + 7, SIGCONT);
    (void)__real_kill(child, SIGKILL);
}

Test(processes, asks_no_more_at_once_than_it_can_remember_and_the_rest_as_they_leave)
{
    pid_t stays = start_child();
    pid_t child = start_child();
    set_children(child, LAZ_ASKED_MAX + 1);
    laz_pid1_ask_others(&pid1);
    turn_drain();
    cr_assert_eq(n_sent, 2 * LAZ_ASKED_MAX);
    siginfo_t info;
    cr_assert_eq(__real_kill(child, SIGKILL), 0);
    cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    (void)close(pid1.children_fd);
    set_children(child + 1, LAZ_ASKED_MAX);
    turn_drain(); /* it is collected */
    turn_drain();
    cr_assert_eq(n_sent, 2 * LAZ_ASKED_MAX + 2);
    check_sent(2 * LAZ_ASKED_MAX, child + LAZ_ASKED_MAX, SIGTERM);
    (void)__real_kill(stays, SIGKILL);
}

/* Any child may be the one that was asked for: nobody is signalled until it is known, and then
 * everybody else is. */
Test(processes, asks_the_strays_when_no_helper_is_being_started_any_more)
{
    pid_t child = start_child();
    set_children(child, 2);
    pid1.helpers.image = &pid1.image;
    pid1.helpers.ship.is_starting = true;
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 0);
    pid1.helpers.ship.is_starting = false;
    pid1.helpers.ship.pid = child + 1;
    turn_drain();
    cr_assert_eq(n_sent, 2);
    check_sent(0, child, SIGTERM);
    check_sent(1, child, SIGCONT);
    (void)__real_kill(child, SIGKILL);
}

Test(processes, asks_everybody_at_once_as_pid_1_also_beside_helpers)
{
    pid_t child = start_child();
    set_children(child, 2);
    pid1.is_pid1 = true;
    pid1.main_exited = pid1.main_reaped = true;
    pid1.state.phase = LAZ_PHASE_DRAINING;
    pid1.helpers.image = &pid1.image;
    pid1.helpers.ship.pid = child + 1;
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 2);
    check_sent(0, -1, SIGTERM);
    check_sent(1, -1, SIGCONT);
    pid1.helpers.launcher = child;
    laz_pid1_ask_others(&pid1);
    cr_assert_eq(n_sent, 2, "nobody but the helpers is left");
    pid1.helpers.launcher = 0;
    laz_pid1_kill_others(&pid1);
    cr_assert_eq(n_sent, 3);
    check_sent(2, child, SIGKILL); /* the helpers go on */
    (void)__real_kill(child, SIGKILL);
}
