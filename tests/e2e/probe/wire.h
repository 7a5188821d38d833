/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test programs share: numbers in, lines of JSON out, signals by raw system calls.
 * Raw, because the C library hides signals 32-34 and these programs must see all 64.
 * Must never allocate, and must never depend on the libraries that are under test.
 */
#ifndef PROBE_WIRE_H
#define PROBE_WIRE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define LAST_SIGNAL 64

/* The kernel's siginfo starts with these on every 64-bit architecture; enough for what is logged.
 */
struct signal_seen {
    int number;
    int code;
    pid_t sender;
    uid_t sender_uid;
    int64_t value;
};

/* Read a decimal (or 0x) number; false when the text is anything else. */
bool number_parse(const char *text, int64_t *ret_value);

/* Read a number or end the program with a message that names what was wanted. */
int64_t number_or_die(const char *text, const char *what);

/* Read "15,1,34" into a mask with bit (signal - 1); "all" is every signal. */
uint64_t signals_or_die(const char *text);

/* Write one formatted piece with a single write(2), so that lines of several processes never mix.
 */
void line_write(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line that grows, for one write at its end. What does not fit shows as JSON that cannot be read.
 */
struct text {
    char bytes[60000];
    size_t used;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print to stderr with errno and end with 125. */
void die(const char *what) __attribute__((noreturn));

int64_t now_ns(void);
void sleep_ns(int64_t ns);

/* rt_sigprocmask without the library's exceptions; how is SIG_BLOCK, SIG_SETMASK, ... */
void mask_set(int how, uint64_t mask);
uint64_t mask_get(void);

/* Wait for one of mask; false on time-out. timeout_ns < 0 waits for ever. */
bool signal_wait(uint64_t mask, int64_t timeout_ns, struct signal_seen *ret_seen);

/* Set SIG_DFL or SIG_IGN for one signal, any of the 64. */
void disposition_set(int number, bool ignore);
bool disposition_is_ignored(int number);

/* fork by raw clone: the caller gives namespace flags; returns 0 in the child. */
pid_t fork_with(uint64_t flags, int *ret_pidfd);

static inline uint64_t signal_bit(int number)
{
    return 1ULL << (number - 1);
}

#endif
