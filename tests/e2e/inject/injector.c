/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes one system call of one process fail, or holds one, and counts all of them. Attached from
 * outside to an init that has not exec'd yet. strace cannot do it: it injects into every process at
 * the k-th use, so that init's own failure hides the child's, and it turns the call into number -1,
 * which PID 1's own filter kills. Here the call becomes close(-1), which every filter allows.
 * Must never change anything else, and lets go of the workload at its execve.
 *
 * injector PID setup|no-setup record|quiet [ACTION ROLE NR K DETAIL]
 * Actions: fail (DETAIL: an errno), repeat (fail, and so does each second use from then on), hold
 * (DETAIL: enter or exit).
 * Roles: init (until the workload has exec'd), loop (init after it), setup (its first child, if
 * there is a setup), child, sibling (what the child forks before it has exec'd).
 * Lines: ready; hold (goes on at a line of input); hit; exec ROLE; call ROLE NR K; total ROLE N.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../probe/wire.h"

#define NUMBERS     512
#define TRACEES_MAX 64
#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |      \
            PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)
#define GET_SYSCALL_INFO 0x420e

/* The kernel's ptrace_syscall_info, as far as it is used. */
struct call_info {
    uint8_t op; /* 1 entry, 2 exit */
    uint8_t pad[3];
    uint32_t arch;
    uint64_t instruction;
    uint64_t stack;
    uint64_t nr; /* at entry */
    uint64_t args[8];
};

enum role {
    ROLE_UNKNOWN,
    ROLE_INIT,
    ROLE_LOOP,
    ROLE_SETUP,
    ROLE_CHILD,
    ROLE_SIBLING,
    ROLE_OTHER,
    ROLE_COUNT
};

static const char *const role_names[ROLE_COUNT] = {
        "unknown", "init", "loop", "setup", "child", "sibling", "other"};

struct registers {
    struct user_regs_struct all;
    int call; /* aarch64 keeps the number apart */
};

struct tracee {
    pid_t pid; /* 0: free */
    enum role role;
    bool waits;    /* for its role: its first stop came before its parent's event */
    bool failing;  /* its call is close(-1) now */
    bool hold_due; /* at the end of this call */
    struct registers before;
    unsigned counts[NUMBERS];
};

struct plan {
    bool fails;
    bool repeats;
    bool holds;
    bool at_exit;
    enum role role;
    unsigned nr;
    unsigned k;
    int error;
};

struct injector {
    struct plan plan;
    bool has_setup;
    bool records;
    bool started; /* the workload has exec'd */
    pid_t init;
    bool init_execd;
    unsigned forks_of_init;
    pid_t held;
    int children; /* readable when one of them has changed */
    unsigned totals[ROLE_COUNT];
    struct tracee tracees[TRACEES_MAX];
};

static int registers_get(pid_t pid, struct registers *ret)
{
    struct iovec all = {.iov_base = &ret->all, .iov_len = sizeof ret->all};
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &all) != 0) {
        return -1;
    }
#if defined(__aarch64__)
    struct iovec call = {.iov_base = &ret->call, .iov_len = sizeof ret->call};
    return (int)ptrace(PTRACE_GETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &call);
#else
    return 0;
#endif
}

static int registers_set(pid_t pid, struct registers *regs)
{
#if defined(__aarch64__)
    struct iovec call = {.iov_base = &regs->call, .iov_len = sizeof regs->call};
    if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &call) != 0) {
        return -1;
    }
#endif
    struct iovec all = {.iov_base = &regs->all, .iov_len = sizeof regs->all};
    return (int)ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &all);
}

static void registers_make_close(struct registers *regs)
{
#if defined(__aarch64__)
    regs->call = SYS_close;
    regs->all.regs[0] = UINT64_MAX;
#else
    regs->all.orig_rax = SYS_close;
    regs->all.rdi = UINT64_MAX;
#endif
}

static void registers_answer(struct registers *regs, int error)
{
#if defined(__aarch64__)
    regs->all.regs[0] = (uint64_t)(int64_t)-error;
#else
    regs->all.rax = (uint64_t)(int64_t)-error;
#endif
}

static struct tracee *tracee_of(struct injector *in, pid_t pid)
{
    struct tracee *spare = NULL;
    for (size_t i = 0; i < TRACEES_MAX; i++) {
        if (in->tracees[i].pid == pid) {
            return &in->tracees[i];
        }
        if (in->tracees[i].pid == 0) {
            spare = &in->tracees[i];
        }
    }
    if (spare == NULL) {
        die("more processes than expected");
    }
    memset(spare, 0, sizeof *spare);
    spare->pid = pid;
    return spare;
}

/* ESRCH: killed meanwhile, and waitpid will say so. */
static void go_on(const struct tracee *t, int signal_number)
{
    (void)ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(intptr_t)signal_number);
}

static void hold(struct injector *in, const struct tracee *t)
{
    in->held = t->pid;
    (void)printf("hold\n");
    (void)fflush(stdout);
}

static enum role role_of_new(struct injector *in, const struct tracee *parent)
{
    if (parent->role == ROLE_INIT && in->init_execd) {
        in->forks_of_init++;
        return in->has_setup && in->forks_of_init == 1 ? ROLE_SETUP : ROLE_CHILD;
    }
    return parent->role == ROLE_CHILD ? ROLE_SIBLING : ROLE_OTHER;
}

static void on_fork(struct injector *in, const struct tracee *parent)
{
    unsigned long pid = 0;
    (void)ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid);
    struct tracee *born = tracee_of(in, (pid_t)pid);
    born->role = role_of_new(in, parent);
    if (born->waits) {
        born->waits = false;
        go_on(born, 0);
    }
    go_on(parent, 0);
}

/* The workload's first instruction: it is let go, and init's calls are the loop's from here on. */
static void on_exec(struct injector *in, struct tracee *t)
{
    if (t->pid == in->init) {
        in->init_execd = true;
        go_on(t, 0);
        return;
    }
    (void)printf("exec %s\n", role_names[t->role]);
    (void)fflush(stdout);
    if (t->role != ROLE_CHILD) {
        go_on(t, 0);
        return;
    }
    in->started = true;
    if (t->hold_due) {
        hold(in, t);
        return;
    }
    (void)ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
    t->pid = 0;
}

static bool is_planned(const struct injector *in, enum role role, unsigned nr, unsigned k)
{
    bool is_turn =
            k == in->plan.k || (in->plan.repeats && k > in->plan.k && (k - in->plan.k) % 2 == 0);
    return in->plan.role == role && in->plan.nr == nr && is_turn;
}

static void make_fail(struct tracee *t, unsigned nr)
{
    if (registers_get(t->pid, &t->before) != 0) {
        return;
    }
    struct registers regs = t->before;
    if (nr != SYS_close) { /* which closes whatever it answers */
        registers_make_close(&regs);
    }
    t->failing = registers_set(t->pid, &regs) == 0;
}

static void on_entry(struct injector *in, struct tracee *t, unsigned nr)
{
    if (t->role == ROLE_INIT && in->started) {
        t->role = ROLE_LOOP;
        memset(t->counts, 0, sizeof t->counts);
    }
    if (nr >= NUMBERS || (t->role == ROLE_INIT && !in->init_execd)) {
        go_on(t, 0);
        return;
    }
    unsigned k = ++t->counts[nr];
    in->totals[t->role]++;
    if (in->records) {
        (void)printf("call %s %u %u\n", role_names[t->role], nr, k);
    }
    if (is_planned(in, t->role, nr, k)) {
        if (in->plan.fails) {
            make_fail(t, nr);
        }
        (void)printf("hit\n");
        t->hold_due = in->plan.holds && in->plan.at_exit;
        if (in->plan.holds && !in->plan.at_exit) {
            hold(in, t);
            return;
        }
    }
    go_on(t, 0);
}

static void on_exit_of_call(struct injector *in, struct tracee *t)
{
    if (t->failing) {
        t->failing = false;
        registers_answer(&t->before, in->plan.error);
        (void)registers_set(t->pid, &t->before);
    }
    if (t->hold_due) {
        t->hold_due = false;
        hold(in, t);
        return;
    }
    go_on(t, 0);
}

static void on_call(struct injector *in, struct tracee *t)
{
    struct call_info info = {0};
    if (ptrace(GET_SYSCALL_INFO, t->pid, sizeof info, &info) < 0) {
        go_on(t, 0);
    } else if (info.op == 1) {
        on_entry(in, t, info.nr < NUMBERS ? (unsigned)info.nr : NUMBERS);
    } else {
        on_exit_of_call(in, t);
    }
}

static void on_stop(struct injector *in, struct tracee *t, int status)
{
    int number = WSTOPSIG(status);
    switch (status >> 16) {
    case PTRACE_EVENT_STOP:
        if (t->role == ROLE_UNKNOWN) {
            t->waits = true;
        } else if (number == SIGTRAP) {
            go_on(t, 0);
        } else {
            (void)ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
        }
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        on_fork(in, t);
        break;
    case PTRACE_EVENT_EXEC:
        on_exec(in, t);
        break;
    default:
        if (number == (SIGTRAP | 0x80)) {
            on_call(in, t);
        } else {
            go_on(t, number);
        }
    }
}

static void release(struct injector *in)
{
    struct tracee *t = tracee_of(in, in->held);
    in->held = 0;
    if (t->role == ROLE_CHILD && in->started) {
        (void)ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
        t->pid = 0;
    } else {
        go_on(t, 0);
    }
}

/* While one tracee is held: the others go on, until a line of input comes. */
static void wait_for_input(struct injector *in)
{
    struct pollfd both[] = {
            {.fd = STDIN_FILENO, .events = POLLIN}, {.fd = in->children, .events = POLLIN}};
    char bytes[128];
    if (poll(both, 2, -1) < 0) {
        return;
    }
    if (both[1].revents != 0) {
        ssize_t n = read(in->children, bytes, sizeof bytes);
        (void)n; /* waitpid knows */
    }
    if (both[0].revents != 0) {
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        (void)n; /* its end is as good as a line */
        release(in);
    }
}

/* The next change of a tracee; false when there is none left. */
static bool wait_next(struct injector *in, pid_t *ret_pid, int *ret_status)
{
    for (;;) {
        *ret_pid = waitpid(-1, ret_status, __WALL | (in->held != 0 ? WNOHANG : 0));
        if (*ret_pid > 0 || (*ret_pid < 0 && errno != EINTR)) {
            return *ret_pid > 0;
        }
        if (*ret_pid == 0) {
            wait_for_input(in);
        }
    }
}

static void run(struct injector *in)
{
    pid_t pid = 0;
    int status = 0;
    while (wait_next(in, &pid, &status)) {
        struct tracee *t = tracee_of(in, pid);
        if (WIFSTOPPED(status)) {
            on_stop(in, t, status);
        } else {
            in->held = in->held == pid ? 0 : in->held;
            t->pid = 0;
        }
    }
    for (int role = ROLE_INIT; role < ROLE_COUNT; role++) {
        (void)printf("total %s %u\n", role_names[role], in->totals[role]);
    }
}

static enum role role_named(const char *name)
{
    for (int role = ROLE_INIT; role < ROLE_COUNT; role++) {
        if (strcmp(name, role_names[role]) == 0) {
            return (enum role)role;
        }
    }
    die(name);
}

static void plan_parse(struct plan *plan, char **words)
{
    plan->repeats = strcmp(words[0], "repeat") == 0;
    plan->fails = plan->repeats || strcmp(words[0], "fail") == 0;
    plan->holds = strcmp(words[0], "hold") == 0;
    plan->role = role_named(words[1]);
    plan->nr = (unsigned)number_or_die(words[2], "call");
    plan->k = (unsigned)number_or_die(words[3], "k");
    if (plan->fails) {
        plan->error = (int)number_or_die(words[4], "error");
    } else {
        plan->at_exit = strcmp(words[4], "exit") == 0;
    }
}

int main(int argc, char **argv)
{
    static struct injector in;
    if (argc != 4 && argc != 9) {
        (void)fprintf(stderr, "injector: wrong arguments\n");
        return 125;
    }
    in.init = (pid_t)number_or_die(argv[1], "pid");
    in.has_setup = strcmp(argv[2], "setup") == 0;
    in.records = strcmp(argv[3], "record") == 0;
    if (argc == 9) {
        plan_parse(&in.plan, argv + 4);
    }
    sigset_t children;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &children, NULL);
    in.children = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    tracee_of(&in, in.init)->role = ROLE_INIT;
    if (ptrace(PTRACE_SEIZE, in.init, NULL, (void *)(intptr_t)OPTIONS) != 0 ||
            ptrace(PTRACE_INTERRUPT, in.init, NULL, NULL) != 0) {
        die("ptrace");
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    run(&in);
    return 0;
}
