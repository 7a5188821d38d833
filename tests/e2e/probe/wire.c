/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the test programs; see wire.h.
 * Must never allocate: it also runs between fork and exec.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct sigaction as the kernel reads it; the restorer is unused for SIG_DFL and SIG_IGN. */
struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

bool number_parse(const char *text, int64_t *ret_value)
{
    bool negative = *text == '-';
    int64_t base = 10;
    int64_t value = 0;
    text += negative ? 1 : 0;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        int64_t digit = 99;
        if (*text >= '0' && *text <= '9') {
            digit = *text - '0';
        } else if (*text >= 'a' && *text <= 'f') {
            digit = *text - 'a' + 10;
        }
        if (digit >= base || value > (INT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *ret_value = negative ? -value : value;
    return true;
}

int64_t number_or_die(const char *text, const char *what)
{
    int64_t value = 0;
    if (text == NULL || !number_parse(text, &value)) {
        (void)fprintf(stderr, "%s: not a number: %s\n", what, text == NULL ? "(nothing)" : text);
        _exit(125);
    }
    return value;
}

uint64_t signals_or_die(const char *text)
{
    uint64_t mask = 0;
    if (strcmp(text, "all") == 0) {
        return UINT64_MAX;
    }
    while (*text != '\0') {
        char piece[8] = {0};
        size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof piece) {
            (void)fprintf(stderr, "not a list of signals: %s\n", text);
            _exit(125);
        }
        memcpy(piece, text, length);
        int64_t number = number_or_die(piece, "signal");
        if (number < 1 || number > LAST_SIGNAL) {
            (void)fprintf(stderr, "no such signal: %s\n", piece);
            _exit(125);
        }
        mask |= signal_bit((int)number);
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return mask;
}

void line_write(int fd, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length <= 0) {
        return;
    }
    size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    /* A line that cannot be written shows in the test as a line that never came. */
    ssize_t written = write(fd, line, size);
    (void)written;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->used;
    int length = vsnprintf(text->bytes + text->used, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room) {
        text->used += (size_t)length;
    }
}

void die(const char *what)
{
    int code = errno;
    line_write(STDERR_FILENO, "%s: %s\n", what, strerror(code));
    _exit(125);
}

int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t ns)
{
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void mask_set(int how, uint64_t mask)
{
    if (syscall(SYS_rt_sigprocmask, how, &mask, NULL, sizeof mask) != 0) {
        die("rt_sigprocmask");
    }
}

uint64_t mask_get(void)
{
    uint64_t mask = 0;
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask) != 0) {
        die("rt_sigprocmask");
    }
    return mask;
}

bool signal_wait(uint64_t mask, int64_t timeout_ns, struct signal_seen *ret_seen)
{
    siginfo_t info;
    struct timespec timeout = {
            .tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    memset(&info, 0, sizeof info);
    for (;;) {
        long number = syscall(
                SYS_rt_sigtimedwait, &mask, &info, timeout_ns < 0 ? NULL : &timeout, sizeof mask);
        if (number > 0) {
            break;
        }
        if (errno == EAGAIN) {
            return false;
        }
        if (errno != EINTR) {
            die("rt_sigtimedwait");
        }
    }
    *ret_seen = (struct signal_seen){
            .number = info.si_signo,
            .code = info.si_code,
            .sender = info.si_pid,
            .sender_uid = info.si_uid,
            .value = (int64_t)(intptr_t)info.si_value.sival_ptr,
    };
    return true;
}

void disposition_set(int number, bool ignore)
{
    struct kernel_action action = {.handler = ignore ? SIG_IGN : SIG_DFL};
    if (number == SIGKILL || number == SIGSTOP) {
        return;
    }
    if (syscall(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask) != 0) {
        die("rt_sigaction");
    }
}

bool disposition_is_ignored(int number)
{
    struct kernel_action action = {0};
    if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof action.mask) != 0) {
        die("rt_sigaction");
    }
    return action.handler == SIG_IGN;
}

pid_t fork_with(uint64_t flags, int *ret_pidfd)
{
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    int pidfd = -1;
    if (ret_pidfd != NULL) {
        args.flags |= CLONE_PIDFD;
        args.pidfd = (uint64_t)(uintptr_t)&pidfd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0) {
        die("clone3");
    }
    if (pid > 0 && ret_pidfd != NULL) {
        *ret_pidfd = pidfd;
    }
    return pid;
}
