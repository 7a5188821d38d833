/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom init signals where it is not PID 1: the workload's group as long as that is the workload's,
 * and the children that the kernel lists, each by its whole number. kill() is the linker's --wrap.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "init/pid1/pid1.h"

#define MAIN     12345
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

/* The children are these numbers, as the kernel writes them. */
static void set_children(pid_t first, size_t n)
{
    is_recording = true;
    pid1.workload.pid = MAIN;
    pid1.children_fd = memfd_create("children", MFD_CLOEXEC);
    cr_assert_geq(pid1.children_fd, 0);
    for (size_t i = 0; i < n; i++) {
        cr_assert_gt(dprintf(pid1.children_fd, "%d ", first + (pid_t)i), 0);
    }
}

Test(processes, signals_each_child_but_the_workload)
{
    set_children(MAIN - 1, 3);
    laz_pid1_signal_others(&pid1, SIGTERM);
    cr_assert_eq(n_sent, 2);
    cr_assert(sent[0].pid == MAIN - 1 && sent[0].number == SIGTERM);
    cr_assert(sent[1].pid == MAIN + 1 && sent[1].number == SIGTERM);
}

Test(processes, signals_the_workloads_group_only_between_its_end_and_its_reaping)
{
    set_children(0, 0);
    laz_pid1_signal_others(&pid1, SIGTERM);
    cr_assert_eq(n_sent, 0, "it is still there, and is signalled by itself");
    pid1.main_exited = true;
    laz_pid1_signal_others(&pid1, SIGTERM);
    cr_assert_eq(n_sent, 1);
    cr_assert_eq(sent[0].pid, -MAIN);
    pid1.main_reaped = true;
    laz_pid1_signal_others(&pid1, SIGTERM);
    cr_assert_eq(n_sent, 1, "the number may be somebody else's");
}

/* The list is longer than what is read at once, and cut somewhere in the midst of a number. */
Test(processes, believes_no_number_that_was_cut)
{
    for (pid_t first = 99990; first < 100010; first++) {
        n_sent = 0;
        set_children(first, 1500);
        laz_pid1_signal_others(&pid1, SIGKILL);
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
    laz_pid1_signal_others(&pid1, SIGTERM);
    cr_assert_eq(n_sent, 0);
}
