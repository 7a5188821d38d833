/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps the wall clock of one process, and of nothing else: no time namespace has a CLOCK_REALTIME,
 * and the machine's own clock belongs to everybody. At the process's next exec its vDSO is hidden,
 * so that it has to ask the kernel for the time; what the kernel says of CLOCK_REALTIME then goes
 * through here. Traces no children, and must only be pointed at a process that the fence holds.
 *
 * clock PID FILE       FILE holds the step in seconds, 8 bytes, and may change at any time
 * Lines: "clock ID" for each look at a clock, "call NUMBER" for each other system call.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define WORDS_MAX 65536 /* of arguments and environment before the auxiliary vector */

struct tracee {
    pid_t pid;
    const volatile int64_t *step_s;
    bool after_exec;
    uintptr_t time; /* where its clock_gettime(CLOCK_REALTIME) puts the answer; 0: not in one */
};

static long trace(long request, pid_t pid, uintptr_t address, uintptr_t data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

static uint64_t word_get(pid_t pid, uintptr_t address)
{
    uint64_t word = 0;
    if (trace(PTRACE_PEEKDATA, pid, address, (uintptr_t)&word) != 0) {
        die("PTRACE_PEEKDATA");
    }
    return word;
}

static void word_set(pid_t pid, uintptr_t address, uint64_t word)
{
    if (trace(PTRACE_POKEDATA, pid, address, word) != 0) {
        die("PTRACE_POKEDATA");
    }
}

static void info_get(pid_t pid, struct ptrace_syscall_info *ret)
{
    memset(ret, 0, sizeof *ret);
    if (trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof *ret, (uintptr_t)ret) < 0) {
        die("PTRACE_GET_SYSCALL_INFO");
    }
}

/* The stack of a new program: argc, argv, NULL, environment, NULL, then pairs of type and value. */
static void vdso_hide(pid_t pid)
{
    struct ptrace_syscall_info info;
    info_get(pid, &info);
    uintptr_t at = (uintptr_t)info.stack_pointer + sizeof(uint64_t);
    for (int lists = 0, words = 0; lists < 2 && words < WORDS_MAX; words++) {
        lists += word_get(pid, at) == 0 ? 1 : 0;
        at += sizeof(uint64_t);
    }
    for (uint64_t type = 0; (type = word_get(pid, at)) != AT_NULL; at += 2 * sizeof(uint64_t)) {
        if (type == AT_SYSINFO_EHDR) {
            word_set(pid, at, AT_IGNORE);
            return;
        }
    }
    errno = ENOENT;
    die("AT_SYSINFO_EHDR");
}

static void syscall_stop(struct tracee *t)
{
    struct ptrace_syscall_info info;
    info_get(t->pid, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr != SYS_clock_gettime) {
        line_write(STDOUT_FILENO, "call %llu\n", (unsigned long long)info.entry.nr);
    } else if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        line_write(STDOUT_FILENO, "clock %llu\n", (unsigned long long)info.entry.args[0]);
        t->time = info.entry.args[0] == CLOCK_REALTIME ? (uintptr_t)info.entry.args[1] : 0;
    } else if (t->time != 0) {
        word_set(t->pid, t->time, word_get(t->pid, t->time) + (uint64_t)*t->step_s);
        t->time = 0;
    }
}

static void resume(struct tracee *t, int status)
{
    int number = WSTOPSIG(status);
    int event = status >> 16;
    long request = PTRACE_SYSCALL;
    if (number == (SIGTRAP | 0x80)) {
        if (t->after_exec) {
            syscall_stop(t);
        }
        number = 0;
    } else if (event == PTRACE_EVENT_EXEC) {
        t->after_exec = true;
        vdso_hide(t->pid);
        number = 0;
    } else if (event == PTRACE_EVENT_STOP) {
        request = number == SIGTRAP ? PTRACE_SYSCALL : PTRACE_LISTEN;
        number = 0;
    }
    (void)trace(request, t->pid, 0, (uintptr_t)number);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "clock PID FILE\n");
        return 125;
    }
    struct tracee t = {.pid = (pid_t)number_or_die(argv[1], "pid")};
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    t.step_s = mmap(NULL, sizeof *t.step_s, PROT_READ, MAP_SHARED, fd, 0);
    if (t.step_s == MAP_FAILED) {
        die(argv[2]);
    }
    if (trace(PTRACE_SEIZE, t.pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC) != 0) {
        die("PTRACE_SEIZE");
    }
    (void)trace(PTRACE_INTERRUPT, t.pid, 0, 0);
    line_write(STDERR_FILENO, "attached\n");
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(t.pid, &status, __WALL);
        if (pid < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
            return 0;
        }
        resume(&t, status);
    }
}
