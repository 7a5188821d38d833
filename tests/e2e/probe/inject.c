/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the k-th use of a system call of one process fail, or lists its calls. strace can do that
 * only until the process has a filter of its own, which would see the call number that strace puts
 * in; this one asks the kernel to suspend that filter. Counting starts at the process's next exec.
 * Traces no children. Must only be pointed at a process that the fence holds.
 *
 * inject PID list                    one number a line, in order
 * inject PID CALL K EVERY ERRNO      the K-th use and, if EVERY > 0, each EVERY-th after it
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

struct plan {
    pid_t pid;
    int64_t call, first, every, error;
    bool list;
};

struct progress {
    int64_t uses;
    bool after_exec, failing;
};

static long trace(long request, pid_t pid, uintptr_t address, uintptr_t data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

#if defined(__x86_64__)
struct registers {
    unsigned long r[27];
};
#define ORIGINAL_RAX 15
#define RAX          10

static void registers_get(pid_t pid, struct registers *ret)
{
    struct iovec piece = {.iov_base = ret, .iov_len = sizeof *ret};
    (void)trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&piece);
}

static void registers_set(pid_t pid, struct registers *registers)
{
    struct iovec piece = {.iov_base = registers, .iov_len = sizeof *registers};
    (void)trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (uintptr_t)&piece);
}

static void call_skip(pid_t pid)
{
    struct registers registers;
    registers_get(pid, &registers);
    registers.r[ORIGINAL_RAX] = (unsigned long)-1;
    registers_set(pid, &registers);
}

static void answer_set(pid_t pid, int64_t answer)
{
    struct registers registers;
    registers_get(pid, &registers);
    registers.r[RAX] = (unsigned long)answer;
    registers_set(pid, &registers);
}
#elif defined(__aarch64__)
static void call_skip(pid_t pid)
{
    int none = -1;
    struct iovec piece = {.iov_base = &none, .iov_len = sizeof none};
    (void)trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, (uintptr_t)&piece);
}

static void answer_set(pid_t pid, int64_t answer)
{
    unsigned long registers[34];
    struct iovec piece = {.iov_base = registers, .iov_len = sizeof registers};
    (void)trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&piece);
    registers[0] = (unsigned long)answer;
    (void)trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (uintptr_t)&piece);
}
#else
#error "inject knows x86-64 and aarch64"
#endif

static bool is_chosen(const struct plan *plan, int64_t uses)
{
    if (uses < plan->first) {
        return false;
    }
    return uses == plan->first || (plan->every > 0 && (uses - plan->first) % plan->every == 0);
}

static void syscall_stop(const struct plan *plan, struct progress *progress)
{
    struct ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    if (trace(PTRACE_GET_SYSCALL_INFO, plan->pid, sizeof info, (uintptr_t)&info) < 0) {
        return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && progress->failing) {
        progress->failing = false;
        answer_set(plan->pid, -plan->error);
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !progress->after_exec) {
        return;
    }
    if (plan->list) {
        line_write(STDOUT_FILENO, "%lld\n", (long long)info.entry.nr);
        return;
    }
    if ((int64_t)info.entry.nr == plan->call && is_chosen(plan, ++progress->uses)) {
        progress->failing = true;
        call_skip(plan->pid);
    }
}

/* How the process goes on after a stop: the request and the signal that goes with it. */
static void resume(const struct plan *plan, struct progress *progress, int status)
{
    int number = WSTOPSIG(status);
    int event = status >> 16;
    long request = PTRACE_SYSCALL;
    if (number == (SIGTRAP | 0x80)) {
        syscall_stop(plan, progress);
        number = 0;
    } else if (event == PTRACE_EVENT_EXEC) {
        progress->after_exec = true;
        number = 0;
    } else if (event == PTRACE_EVENT_STOP) {
        request = number == SIGTRAP ? PTRACE_SYSCALL : PTRACE_LISTEN;
        number = 0;
    }
    (void)trace(request, plan->pid, 0, (uintptr_t)number);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 6) {
        (void)fprintf(stderr, "inject PID list | inject PID CALL K EVERY ERRNO\n");
        return 125;
    }
    struct plan plan = {.pid = (pid_t)number_or_die(argv[1], "pid"), .list = argc == 3};
    struct progress progress = {0};
    if (!plan.list) {
        plan.call = number_or_die(argv[2], "call");
        plan.first = number_or_die(argv[3], "k");
        plan.every = number_or_die(argv[4], "every");
        plan.error = number_or_die(argv[5], "errno");
    }
    uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_SUSPEND_SECCOMP;
    if (trace(PTRACE_SEIZE, plan.pid, 0, options) != 0) {
        die("PTRACE_SEIZE");
    }
    (void)trace(PTRACE_INTERRUPT, plan.pid, 0, 0);
    line_write(STDERR_FILENO, "attached\n");
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(plan.pid, &status, __WALL);
        if (pid < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
            return 0;
        }
        resume(&plan, &progress, status);
    }
}
