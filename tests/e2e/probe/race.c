/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what is too fast for a script: how long an init is deaf after its exec, and whether it
 * loses a TERM once it listens. Runs as the fence's payload and starts the init many times, each
 * time in a PID namespace of its own or as its plain child.
 *
 * race ladder|armed|exec COUNT MICROSECONDS pid1|nested pinned|free SEED -- INIT... ("app" or any
 * program) race app       the workload: says "R" on stdout and waits to be ended by a signal
 *
 * ladder: 31 real-time signals, one every MICROSECONDS from the exec on; the workload dies of the
 * first that was not lost, so the exit code tells when the init began to listen. armed:  TERM at a
 * random moment up to MICROSECONDS after the init was seen to block or catch it. exec:   TERM at a
 * random moment up to MICROSECONDS after the init's exec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define FIRST_RUNG     34
#define LAST_RUNG      64
#define READY_GRACE_NS 100000000
#define DOUBT_NS       5000
#define LADDER_TRIES   10
#define HANG_NS        5000000000LL

enum race_kind {
    RACE_LADDER,
    RACE_ARMED,
    RACE_EXEC
};

struct race {
    char **command;
    int64_t count, window_ns;
    uint64_t random;
    enum race_kind kind;
    bool pid1, pinned;
};

struct start {
    pid_t pid;
    int exec_pipe, output, status_file;
    int64_t exec_ns;
    int64_t doubt_ns; /* the exec may have been this much earlier: the time since the look before */
};

enum outcome {
    OUTCOME_STOPPED,
    OUTCOME_BEFORE,
    OUTCOME_LOST,
    OUTCOME_HUNG,
    OUTCOME_OTHER,
    OUTCOMES
};

static const char *const outcome_names[OUTCOMES] = {"stopped", "died", "lost", "hung", "other"};

static uint64_t random_next(struct race *race)
{
    race->random ^= race->random << 13;
    race->random ^= race->random >> 7;
    race->random ^= race->random << 17;
    return race->random;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        die("sched_setaffinity");
    }
}

static void init_exec_in_child(const struct race *race, int output)
{
    if (race->pid1 &&
            (setsid() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                    mount("proc", "/proc", "proc", 0, NULL) != 0)) {
        die("namespace");
    }
    if (race->pinned) {
        pin(0);
    }
    if (dup2(output, STDOUT_FILENO) < 0) {
        die("dup2");
    }
    mask_set(SIG_SETMASK, 0);
    execvp(race->command[0], race->command);
    die(race->command[0]);
}

/* Returns as soon as the exec is seen; a spinning read, because a wake-up would cost more than is
 * measured. */
static struct start init_start(const struct race *race)
{
    char path[64];
    int exec_pipe[2];
    int output[2];
    char byte = 0;
    if (pipe2(exec_pipe, O_CLOEXEC | O_NONBLOCK) != 0 ||
            pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) {
        die("pipe2");
    }
    struct start start = {.exec_pipe = exec_pipe[0], .output = output[0]};
    int64_t before = now_ns();
    start.pid = fork_with(race->pid1 ? CLONE_NEWPID | CLONE_NEWNS : 0, NULL);
    if (start.pid == 0) {
        init_exec_in_child(race, output[1]);
    }
    (void)close(exec_pipe[1]);
    (void)close(output[1]);
    (void)snprintf(path, sizeof path, "/proc/%d/status", start.pid);
    start.status_file = open(path, O_RDONLY | O_CLOEXEC);
    while (read(start.exec_pipe, &byte, 1) < 0) {
        before = now_ns();
    }
    start.exec_ns = now_ns();
    start.doubt_ns = start.exec_ns - before;
    return start;
}

static void start_done(struct start *start)
{
    (void)close(start->exec_pipe);
    (void)close(start->output);
    (void)close(start->status_file);
}

static uint64_t hex_after(const char *text, const char *name)
{
    uint64_t value = 0;
    const char *at = strstr(text, name);
    if (at == NULL) {
        return 0;
    }
    for (at += strlen(name); *at != '\n' && *at != '\0'; at++) {
        if (*at >= '0' && *at <= '9') {
            value = value << 4 | (uint64_t)(*at - '0');
        } else if (*at >= 'a' && *at <= 'f') {
            value = value << 4 | (uint64_t)(*at - 'a' + 10);
        }
    }
    return value;
}

/* True when the init blocks or catches TERM; false when it was never seen to. Who sleeps without it
 * for so long waits in sigtimedwait, where the kernel shows no signal as blocked; who waits for a
 * processor is waited for. */
static bool armed_wait(const struct start *start)
{
    char text[4096];
    while (now_ns() - start->exec_ns < HANG_NS / 2) {
        ssize_t got = pread(start->status_file, text, sizeof text - 1, 0);
        if (got <= 0) {
            return false;
        }
        text[got] = '\0';
        if (((hex_after(text, "SigBlk:") | hex_after(text, "SigCgt:")) & signal_bit(SIGTERM)) !=
                0) {
            return true;
        }
        if (strstr(text, "State:\tS") != NULL && now_ns() - start->exec_ns > READY_GRACE_NS) {
            return false;
        }
    }
    return false;
}

static void spin_until(int64_t when_ns)
{
    while (now_ns() < when_ns) {
    }
}

/* True when a process sleeps and has no TERM to take. */
static bool is_at_rest(const char *status)
{
    uint64_t pending = hex_after(status, "SigPnd:") | hex_after(status, "ShdPnd:");
    return strstr(status, "State:\tS") != NULL && (pending & signal_bit(SIGTERM)) == 0;
}

/* The first child of the init: its workload. False if it has gone. */
static bool workload_status(const struct start *start, char *ret, size_t size)
{
    char path[64];
    char pid[16] = "";
    (void)snprintf(
            path, sizeof path, "/proc/%d/task/%d/children", (int)start->pid, (int)start->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, pid, sizeof pid - 1);
    (void)close(fd);
    if (got <= 0) {
        return false;
    }
    (void)snprintf(path, sizeof path, "/proc/%.*s/status", (int)strspn(pid, "0123456789"), pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, ret, size - 1);
    (void)close(fd);
    ret[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* True when neither the init nor its workload has a TERM left to take, or waits for a processor to
 * take it: then none is on its way any more. */
static bool is_idle(const struct start *start)
{
    char text[4096];
    ssize_t got = pread(start->status_file, text, sizeof text - 1, 0);
    if (got <= 0) {
        return false;
    }
    text[got] = '\0';
    return is_at_rest(text) && workload_status(start, text, sizeof text) && is_at_rest(text);
}

/* Wait for the init's end. A workload that said "R" and still runs after a grace never got the
 * signal. */
static enum outcome outcome_wait(struct start *start, int64_t sent_ns, int *ret_status)
{
    int64_t ready_ns = 0;
    enum outcome outcome = OUTCOME_STOPPED;
    char byte = 0;
    for (;;) {
        if (waitpid(start->pid, ret_status, WNOHANG) == start->pid) {
            return outcome;
        }
        if (ready_ns == 0 && read(start->output, &byte, 1) == 1) {
            ready_ns = now_ns();
        }
        int64_t now = now_ns();
        int64_t since = ready_ns > sent_ns ? ready_ns : sent_ns;
        if (outcome == OUTCOME_STOPPED &&
                ((ready_ns != 0 && now - since > READY_GRACE_NS && is_idle(start)) ||
                        now - sent_ns > HANG_NS)) {
            outcome = ready_ns != 0 ? OUTCOME_LOST : OUTCOME_HUNG;
            (void)kill(start->pid, SIGKILL);
        }
        sleep_ns(100000);
    }
}

static enum outcome term_once(struct race *race)
{
    int status = 0;
    struct start start = init_start(race);
    int64_t from = start.exec_ns;
    if (race->kind == RACE_ARMED && armed_wait(&start)) {
        from = now_ns();
    }
    spin_until(from + (int64_t)(random_next(race) % (uint64_t)race->window_ns));
    (void)kill(start.pid, SIGTERM);
    enum outcome outcome = outcome_wait(&start, now_ns(), &status);
    start_done(&start);
    if (outcome != OUTCOME_STOPPED) {
        return outcome;
    }
    if (WIFSIGNALED(status)) {
        return OUTCOME_BEFORE; /* not PID 1 and not armed: the default action, nothing was started
                                */
    }
    return WEXITSTATUS(status) == 128 + SIGTERM ? OUTCOME_STOPPED : OUTCOME_OTHER;
}

/* Nanoseconds from exec to the first signal that was not lost; -1 when all were, -2 when this
 * process was kept from looking and cannot say when the exec was. */
static int64_t ladder_once(const struct race *race)
{
    int64_t sent[LAST_RUNG + 1] = {0};
    int status = 0;
    struct start start = init_start(race);
    for (int number = FIRST_RUNG; number <= LAST_RUNG; number++) {
        spin_until(start.exec_ns + (number - FIRST_RUNG) * race->window_ns);
        sent[number] = now_ns() - start.exec_ns;
        (void)kill(start.pid, number);
    }
    (void)outcome_wait(&start, now_ns(), &status);
    start_done(&start);
    int first = WIFEXITED(status) ? WEXITSTATUS(status) - 128 : 0;
    if (start.doubt_ns > DOUBT_NS || first == FIRST_RUNG) {
        return -2;
    }
    return first >= FIRST_RUNG && first <= LAST_RUNG ? sent[first] : -1;
}

static void race_run(struct race *race)
{
    int64_t outcomes[OUTCOMES] = {0};
    if (race->pinned) {
        pin(1);
    }
    if (race->kind == RACE_LADDER) {
        line_write(STDOUT_FILENO, "{\"armed_ns\":[");
        for (int64_t i = 0; i < race->count; i++) {
            int64_t armed = -2;
            for (int tries = 0; armed == -2 && tries < LADDER_TRIES; tries++) {
                armed = ladder_once(race);
            }
            line_write(STDOUT_FILENO, "%s%lld", i == 0 ? "" : ",", (long long)armed);
        }
        line_write(STDOUT_FILENO, "]}\n");
        return;
    }
    for (int64_t i = 0; i < race->count; i++) {
        outcomes[term_once(race)]++;
    }
    line_write(STDOUT_FILENO, "{");
    for (int i = 0; i < OUTCOMES; i++) {
        line_write(STDOUT_FILENO, "%s\"%s\":%lld", i == 0 ? "" : ",", outcome_names[i],
                (long long)outcomes[i]);
    }
    line_write(STDOUT_FILENO, "}\n");
}

static enum race_kind kind_parse(const char *text)
{
    if (strcmp(text, "ladder") == 0) {
        return RACE_LADDER;
    }
    return strcmp(text, "armed") == 0 ? RACE_ARMED : RACE_EXEC;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "app") == 0) {
        line_write(STDOUT_FILENO, "R");
        for (;;) {
            (void)pause();
        }
    }
    if (argc < 9 || strcmp(argv[7], "--") != 0) {
        (void)fprintf(
                stderr, "race KIND COUNT MICROSECONDS pid1|nested pinned|free SEED -- INIT...\n");
        return 125;
    }
    struct race race = {
            .kind = kind_parse(argv[1]),
            .count = number_or_die(argv[2], "count"),
            .window_ns = number_or_die(argv[3], "microseconds") * 1000,
            .pid1 = strcmp(argv[4], "pid1") == 0,
            .pinned = strcmp(argv[5], "pinned") == 0,
            .random = (uint64_t)number_or_die(argv[6], "seed") | 1,
            .command = &argv[8],
    };
    race_run(&race);
    return 0;
}
