/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to come in by another door: foreign ABIs, unknown numbers, calls that hide their
 * arguments.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

#if defined(__x86_64__)
/* A 32-bit system call; the kernel's answer is in eax, negative for errors. */
static int int80(long nr, unsigned long first, unsigned long second)
{
    long rc = nr;
    __asm__ volatile("int $0x80"
                     : "+a"(rc)
                     : "b"(first), "c"(second), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)rc < 0 ? -(int)rc : 0;
}

int attack_x32_getppid(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(0x40000000L | SYS_getppid));
}

int attack_int80_getpid(struct attack_note *note)
{
    (void)note;
    return int80(20, 0, 0);
}

int attack_int80_socketcall(struct attack_note *note)
{
    (void)note;
    uint32_t *arguments = mmap(
            NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arguments == MAP_FAILED) {
        return errno;
    }
    arguments[0] = AF_UNIX;
    arguments[1] = SOCK_STREAM;
    arguments[2] = 0;
    return int80(102, 1, (unsigned long)(uintptr_t)arguments);
}
#else
/* No such doors here. */
int attack_x32_getppid(struct attack_note *note)
{
    return attack_say(note, "n/a");
}

int attack_int80_getpid(struct attack_note *note)
{
    return attack_say(note, "n/a");
}

int attack_int80_socketcall(struct attack_note *note)
{
    return attack_say(note, "n/a");
}
#endif

int attack_clone3(struct attack_note *note)
{
    (void)note;
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (child == 0) {
        _exit(0);
    }
    return attack_result(child);
}

int attack_unknown_999(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(999));
}

int attack_unknown_minus_one(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(-1));
}

int attack_control_getppid(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_getppid));
}

int attack_control_futex_waitv(struct attack_note *note)
{
    (void)note;
    /* No waiters is an error of the caller's, found after the call was let through. */
    return attack_reached(syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0), EINVAL);
}

int attack_lsm_set_self_attr(struct attack_note *note)
{
    (void)note;
    return attack_reached(syscall(SYS_lsm_set_self_attr, 0, NULL, 0, 0), EINVAL);
}
