/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets system calls of one process fail: from the FIRST use on each STEP-th, with ERRNO. strace
 * turns the call into number -1, which ship's own filter kills; here it becomes close(-1), which
 * that filter allows. Ends with its tracee, or when it is told to, and then lets it go on.
 *
 * refuse PID NUMBER ERRNO FIRST STEP
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
    (void)number;
    is_over = 1;
}

static struct user_regs_struct registers_of(pid_t pid)
{
    struct user_regs_struct all;
    struct iovec place = {&all, sizeof all};
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &place) != 0) {
        _exit(2);
    }
    return all;
}

static void set_registers(pid_t pid, struct user_regs_struct *all)
{
    struct iovec place = {all, sizeof *all};
    if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &place) != 0) {
        _exit(2);
    }
}

#if defined(__x86_64__)
static long number_of(pid_t pid)
{
    return (long)registers_of(pid).orig_rax;
}

/* Returns what the register with the first argument held. */
static uint64_t make_harmless(pid_t pid)
{
    struct user_regs_struct all = registers_of(pid);
    uint64_t argument = all.rdi;
    all.orig_rax = SYS_close;
    all.rdi = UINT64_MAX;
    set_registers(pid, &all);
    return argument;
}

static void answer(pid_t pid, int error, uint64_t argument)
{
    struct user_regs_struct all = registers_of(pid);
    all.rax = (uint64_t)(int64_t)-error;
    all.rdi = argument;
    set_registers(pid, &all);
}
#elif defined(__aarch64__)
static long number_of(pid_t pid)
{
    return (long)registers_of(pid).regs[8];
}

static uint64_t make_harmless(pid_t pid)
{
    int call = SYS_close;
    struct iovec place = {&call, sizeof call};
    struct user_regs_struct all = registers_of(pid);
    all.regs[0] = UINT64_MAX;
    set_registers(pid, &all);
    if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &place) != 0) {
        _exit(2);
    }
    return 0; /* that register has the answer */
}

static void answer(pid_t pid, int error, uint64_t argument)
{
    struct user_regs_struct all = registers_of(pid);
    (void)argument;
    all.regs[0] = (uint64_t)(int64_t)-error;
    set_registers(pid, &all);
}
#endif

int main(int argc, char **argv)
{
    const struct sigaction term = {.sa_handler = on_term};
    if (argc != 6 || sigaction(SIGTERM, &term, NULL) != 0) {
        return 2;
    }
    pid_t pid = (pid_t)atol(argv[1]);
    long number = atol(argv[2]);
    int error = (int)atol(argv[3]);
    unsigned long first = strtoul(argv[4], NULL, 10);
    unsigned long step = strtoul(argv[5], NULL, 10);
    unsigned long uses = 0;
    uint64_t argument = 0;
    bool is_inside = false;
    bool fails = false;
    int status = 0;
    if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) != 0 ||
            ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0) {
        return 3;
    }
    while (!is_over && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
        int signal_number = WSTOPSIG(status);
        bool is_call = signal_number == (SIGTRAP | 0x80);
        if (is_call && !is_inside) {
            uses += number_of(pid) == number ? 1 : 0;
            fails = number_of(pid) == number && uses >= first && (uses - first) % step == 0;
            if (fails) {
                argument = make_harmless(pid);
            }
        } else if (is_call && fails) {
            answer(pid, error, argument);
        }
        is_inside = is_call ? !is_inside : is_inside;
        bool is_stop = status >> 16 == PTRACE_EVENT_STOP;
        long deliver = is_call || is_stop ? 0 : signal_number;
        if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)deliver) != 0 && errno != ESRCH) {
            return 4;
        }
    }
    return 0;
}
