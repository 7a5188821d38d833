/* SPDX-License-Identifier: Apache-2.0
 *
 * The running kernel answers as the evaluator says. The filter is loaded in a child of the test,
 * because it would otherwise forbid the test to report.
 */
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/fixture/policy.h"

#define UNKNOWN_NR 1000

/* Everything is allowed, except what the rows of the test are about. */
static struct fixture *make_policy(void)
{
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        fixture->decisions[i].base = verdict_of(LAZ_ACTION_ALLOW, 0);
    }
    fixture->policy.unknown_verdict = verdict_of(LAZ_ACTION_ERRNO, ENOLCK);
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_ERRNO, EXDEV);
    decision_of(fixture, "getppid")->base = verdict_of(LAZ_ACTION_ERRNO, ENOTBLK);
    decision_of(fixture, "getuid")->base = verdict_of(LAZ_ACTION_NOTIFY, EUCLEAN);
    decision_of(fixture, "geteuid")->base = verdict_of(LAZ_ACTION_LOG, 0);
    decision_of(fixture, "getsid")->base = verdict_of(LAZ_ACTION_KILL, 0);
    struct laz_verdict refused = verdict_of(LAZ_ACTION_ERRNO, ENOTUNIQ);
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "socket")->refuse, refused),
            IS(0), (uint64_t[]){AF_VSOCK, AF_ALG}, 2);
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "unshare")->refuse, refused),
            HAS_ANY(0, CLONE_NEWUSER | CLONE_NEWNS), (uint64_t[]){0}, 1);
    const struct laz_cond offset = {.arg = 1, .width_bits = 64, .mask = UINT64_MAX};
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "lseek")->refuse, refused),
            offset, (uint64_t[]){0x100000005}, 1);
    return fixture;
}

static const struct row {
    const char *name;
    long nr;
    long args[3];
    int otherwise; /* what the kernel itself says to a call that passes the filter; 0: it succeeds
                    */
} rows[] = {
        {"allowed", SYS_getpid, {0}, 0},
        {"refused", SYS_getppid, {0}, 0},
        {"notified", SYS_getuid, {0}, 0},
        {"logged", SYS_geteuid, {0}, 0},
        {"unknown", UNKNOWN_NR, {0}, 0},
        {"minus one", -1, {0}, 0},
        {"an int", SYS_socket, {AF_VSOCK, -1, 0}, EINVAL},
        {"an int with an upper half", SYS_socket, {AF_ALG | 1L << 32, -1, 0}, EINVAL},
        {"another int", SYS_socket, {AF_UNIX, -1, 0}, EINVAL},
        {"a flag", SYS_unshare, {CLONE_NEWUSER}, EINVAL},
        {"a flag with an upper half", SYS_unshare, {CLONE_NEWNS | 1L << 40}, EINVAL},
        {"no flag", SYS_unshare, {0}, 0},
        {"64 bits", SYS_lseek, {-1, 0x100000005, 0}, EBADF},
        {"32 of the 64 bits", SYS_lseek, {-1, 5, 0}, EBADF},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool load(const struct laz_filter *filter)
{
    const struct sock_fprog program = {.len = (unsigned short)filter->n, .filter = filter->insns};
    return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 &&
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL, &program) == 0;
}

/* errno of each row, in memory that the child shares; -1: the filter could not be loaded. */
static int *run_rows(const struct laz_filter *filter)
{
    int *seen = mmap(
            NULL, sizeof(int) * ROWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(seen, MAP_FAILED);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        bool is_loaded = load(filter);
        for (size_t i = 0; i < ROWS; i++) {
            const struct row *row = &rows[i];
            long result = syscall(row->nr, row->args[0], row->args[1], row->args[2], 0L, 0L, 0L);
            seen[i] = !is_loaded ? -1 : result < 0 ? errno : 0;
        }
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status), "status %#x", (unsigned)status);
    return seen;
}

static int errno_of(const struct row *row, uint32_t answer)
{
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ERRNO:
        return (int)(answer & SECCOMP_RET_DATA);
    case SECCOMP_RET_USER_NOTIF:
        return ENOSYS; /* nobody listens */
    default:
        return row->otherwise;
    }
}

static void compare(enum laz_filter_variant variant)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_err err = {0};
    enum laz_arch arch = laz_arch_native();
    cr_assert_eq(laz_filter_compile(&fixture->policy, arch, variant, &filter, &err), 0, "%s",
            err.message);
    const int *seen = run_rows(&filter);
    if (seen[0] == -1) {
        cr_skip_test("this machine lets nobody load a seccomp filter");
    }
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct seccomp_data data = {.nr = (int)row->nr, .arch = laz_arch_audit(arch)};
        for (size_t j = 0; j < 3; j++) {
            data.args[j] = (uint64_t)row->args[j];
        }
        uint32_t answer = laz_bpf_evaluate(filter.insns, filter.n, &data, NULL);
        cr_expect_eq(seen[i], errno_of(row, answer), "%s: errno %d", row->name, seen[i]);
    }
}

Test(filter_on_kernel, plain_answers_as_evaluated)
{
    compare(LAZ_FILTER_PLAIN);
}

Test(filter_on_kernel, with_events_answers_as_evaluated)
{
    compare(LAZ_FILTER_WITH_EVENTS);
}

/* The status of a child that does this under the plain filter. */
static int status_under_filter(void (*do_it)(void))
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_err err = {0};
    cr_assert_eq(laz_filter_compile(
                         &fixture->policy, laz_arch_native(), LAZ_FILTER_PLAIN, &filter, &err),
            0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        if (!load(&filter)) {
            _exit(77);
        }
        do_it();
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        cr_skip_test("this machine lets nobody load a seccomp filter");
    }
    return status;
}

static void ask_for_the_session(void)
{
    (void)syscall(SYS_getsid, 0);
}

Test(filter_on_kernel, kill_ends_the_process_with_sigsys)
{
    int status = status_under_filter(ask_for_the_session);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %#x", (unsigned)status);
}

#ifdef __x86_64__
/* The old gates into the same kernel: getpid of i386 (20) by int 0x80, and of x32. */
static void go_through_the_old_gates(void)
{
    long i386 = 20;
    __asm__ volatile("int $0x80" : "+a"(i386) : : "r8", "r9", "r10", "r11", "memory");
    bool is_x32_refused = syscall(39 | 0x40000000) == -1 && errno == EXDEV;
    _exit(i386 == -EXDEV && is_x32_refused ? 0 : 1);
}

Test(filter_on_kernel, foreign_abis_are_told_apart)
{
    int status = status_under_filter(go_through_the_old_gates);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) {
        cr_skip_test("this kernel has no int 0x80");
    }
    cr_assert_eq(status, 0);
}
#endif
