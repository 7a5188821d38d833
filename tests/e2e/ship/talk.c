/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of the suites about the trail: says what its words tell it to, one word after
 * another, and counts in a file what it has got rid of. Must say nothing that it was not told to.
 *
 * talk [VERB=ARGUMENT[,ARGUMENT]...]...; see `verbs` below.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pry.h"

#define BURST_MAX (1U << 20)
#define ARGUMENTS 4

static volatile sig_atomic_t is_over;
/* Bytes got rid of, and whether that is enough; in a file, so that a kill does not take it along.
 */
static volatile uint64_t *said;
static uint64_t unshared[2];
static int to = STDOUT_FILENO;
static char burst[BURST_MAX];

static _Noreturn void die(const char *what)
{
    dprintf(STDERR_FILENO, "talk: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static void on_term(int number)
{
    (void)number;
    is_over = 1;
}

static void nap(uint64_t us)
{
    struct timespec time = {
            .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    if (us > 0) {
        (void)nanosleep(&time, NULL);
    }
}

/* All of it; less only if the end was asked for meanwhile. */
static void put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(to, text, length);
        if (n < 0 && errno == EINTR) {
            if (is_over) {
                return;
            }
            continue;
        }
        if (n < 0) {
            die("write");
        }
        *said += (uint64_t)n;
        text += n;
        length -= (size_t)n;
        if (is_over && length > 0) {
            return;
        }
    }
}

/* count, width, lines at a time, microseconds between: "00000001 xxxx"; count 0: until it is
 * enough. */
static void lines(const uint64_t *arguments, const char *tag)
{
    size_t width = arguments[1] < 10 ? 10 : (size_t)arguments[1];
    uint64_t at_once = arguments[2] == 0 ? 1 : arguments[2];
    for (uint64_t i = 1; (arguments[0] == 0 ? said[1] == 0 : i <= arguments[0]) && !is_over;) {
        size_t length = 0;
        for (uint64_t k = 0; k < at_once && (i <= arguments[0] || arguments[0] == 0); k++, i++) {
            if (length + width + 64 > sizeof burst) {
                die("burst");
            }
            char *line = burst + length;
            int n = snprintf(line, sizeof burst - length, "%s%08llu ", tag, (unsigned long long)i);
            if ((size_t)n < width) {
                memset(line + n, 'a' + (int)(i % 26), width - (size_t)n);
                n = (int)width;
            }
            line[n] = '\n';
            length += (size_t)n + 1;
        }
        put(burst, length);
        nap(arguments[3]);
    }
}

static void on_lines(const char *text, const uint64_t *arguments)
{
    (void)text;
    lines(arguments, "");
}

/* processes, lines of each, width, microseconds: each with its own tag */
static void on_many(const char *text, const uint64_t *arguments)
{
    (void)text;
    for (uint64_t i = 0; i < arguments[0]; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            die("fork");
        }
        if (pid == 0) {
            char tag[32];
            const uint64_t own[ARGUMENTS] = {arguments[1], arguments[2], 1, arguments[3]};
            (void)snprintf(tag, sizeof tag, "p%02llu-", (unsigned long long)i);
            said = unshared;
            lines(own, tag);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
}

/* code, milliseconds: the child goes on in a session of its own, and with the words that follow; we
 * end with the code, later. */
static void on_daemon(const char *text, const uint64_t *arguments)
{
    (void)text;
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid > 0) {
        nap(arguments[1] * 1000);
        _exit((int)arguments[0]);
    }
    (void)setsid();
}

static void on_say(const char *text, const uint64_t *arguments)
{
    (void)arguments;
    put(text, strlen(text));
    put("\n", 1);
}

/* path, bytes at a time, microseconds between */
static void on_file(const char *text, const uint64_t *arguments)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(text, ","), text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t piece =
            arguments[1] == 0 || arguments[1] > sizeof burst ? sizeof burst : (size_t)arguments[1];
    ssize_t n = 0;
    while (fd >= 0 && (n = read(fd, burst, piece)) > 0) {
        put(burst, (size_t)n);
        nap(arguments[2]);
    }
    if (fd < 0 || n < 0) {
        die(path);
    }
    (void)close(fd);
}

static void on_share(const char *text, const uint64_t *arguments)
{
    (void)arguments;
    int fd = open(text, O_RDWR | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        die(text);
    }
    said = page;
}

static void on_to(const char *text, const uint64_t *arguments)
{
    (void)text;
    to = (int)arguments[0];
}

static void on_close(const char *text, const uint64_t *arguments)
{
    (void)text;
    (void)close((int)arguments[0]);
}

static void on_sleep(const char *text, const uint64_t *arguments)
{
    (void)text;
    nap(arguments[0] * 1000);
}

static void on_touch(const char *text, const uint64_t *arguments)
{
    (void)arguments;
    if (open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0) {
        die(text);
    }
}

static void on_tty(const char *text, const uint64_t *arguments)
{
    (void)text;
    (void)arguments;
    char line[64];
    (void)snprintf(line, sizeof line, "tty %d %d %d", isatty(0), isatty(1), isatty(2));
    on_say(line, arguments);
}

/* Opens standard output anew by its name, as programs do that are told to log to /dev/stdout. */
static void on_again(const char *text, const uint64_t *arguments)
{
    (void)arguments;
    int fd = open(text, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
        die(text);
    }
    to = fd;
}

/* Until TERM comes; what was to be said is said then. */
static void on_term_word(const char *text, const uint64_t *arguments)
{
    (void)text;
    (void)arguments;
    while (!is_over) {
        nap(2000);
    }
    is_over = 0;
}

static void on_ignore(const char *text, const uint64_t *arguments)
{
    (void)text;
    (void)signal((int)arguments[0], SIG_IGN);
}

/* So often a call that no policy of ours allows. */
static void on_deny(const char *text, const uint64_t *arguments)
{
    (void)text;
    for (uint64_t i = 0; i < arguments[0]; i++) {
        if (syscall(SYS_swapoff, "/") == 0) {
            die("swapoff");
        }
    }
}

static void on_pry(const char *text, const uint64_t *arguments)
{
    (void)arguments;
    pry(text, to);
}

static void on_hamper(const char *text, const uint64_t *arguments)
{
    (void)text;
    (void)arguments;
    hamper(to);
}

static void on_exit_word(const char *text, const uint64_t *arguments)
{
    (void)text;
    _exit((int)arguments[0]);
}

static const struct {
    const char *name;
    void (*act)(const char *text, const uint64_t *arguments);
} verbs[] = {
        {"lines", on_lines},
        {"many", on_many},
        {"daemon", on_daemon},
        {"say", on_say},
        {"file", on_file},
        {"share", on_share},
        {"to", on_to},
        {"close", on_close},
        {"sleep", on_sleep},
        {"touch", on_touch},
        {"tty", on_tty},
        {"again", on_again},
        {"term", on_term_word},
        {"ignore", on_ignore},
        {"deny", on_deny},
        {"hamper", on_hamper},
        {"pry", on_pry},
        {"exit", on_exit_word},
};

static void run(const char *word)
{
    uint64_t arguments[ARGUMENTS] = {0};
    size_t name = strcspn(word, "=");
    const char *text = word[name] == '=' ? word + name + 1 : "";
    const char *at = text;
    for (size_t i = 0; i < ARGUMENTS && *at != '\0'; i++) {
        arguments[i] = strtoull(at, NULL, 10);
        at += strcspn(at, ",");
        at += *at == ',' ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strlen(verbs[i].name) == name && memcmp(word, verbs[i].name, name) == 0) {
            verbs[i].act(text, arguments);
            return;
        }
    }
    die(word);
}

int main(int argc, char **argv)
{
    const struct sigaction term = {
            .sa_handler = on_term}; /* no SA_RESTART: a write is interrupted */
    said = unshared;
    if (sigaction(SIGTERM, &term, NULL) < 0) {
        die("sigaction");
    }
    for (int i = 1; i < argc; i++) {
        run(argv[i]);
    }
    return 0;
}
