/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stop-watch: starts several inits in turn, so that a drift of the machine hits all alike, and
 * prints what each round took. Runs as the fence's payload; each init is PID 1 of a namespace of
 * its own. The same program is the workload that is waited for ("app-...") and the loop that
 * reaping is compared with. Must never start an init anywhere else than in a namespace of its own.
 *
 * timer start   ROUNDS -- COMMAND... // COMMAND... // ...   clone and exec to the end, nanoseconds
 * timer drain   ROUNDS -- ...    the workload is "app-drain N"
 * timer behind  ROUNDS -- ...    the workload is "app-behind N": a signal behind N zombies
 * timer forward ROUNDS -- ...    the workload is "app-forward"
 * timer wait-loop COMMAND...     starts it and waits for whatever comes, as simply as can be
 * timer app-calls COUNT REFUSED  nanoseconds of an allowed and of a refused system call
 * timer app-spin SECONDS REFUSED makes the refused call over and over
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define MAX_INITS 8
#define FORWARDED 40
#define READY_NS  30000000000LL

enum measure {
    MEASURE_START,
    MEASURE_DRAIN,
    MEASURE_BEHIND,
    MEASURE_FORWARD
};

struct bench {
    enum measure measure;
    int64_t rounds;
    char **inits[MAX_INITS];
    int init_count;
    int64_t *exec_ns; /* shared with the child, which writes it right before its exec */
};

struct start {
    pid_t pid;
    int output;
    int64_t clone_ns;
};

static void init_exec_in_child(const struct bench *bench, char **command, int output)
{
    if (setsid() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("proc", "/proc", "proc", 0, NULL) != 0) {
        die("namespace");
    }
    if (dup2(output, STDOUT_FILENO) < 0) {
        die("dup2");
    }
    *bench->exec_ns = now_ns();
    execvp(command[0], command);
    die(command[0]);
}

static struct start init_start(const struct bench *bench, char **command)
{
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0) {
        die("pipe2");
    }
    struct start start = {.output = output[0], .clone_ns = now_ns()};
    start.pid = fork_with(CLONE_NEWPID | CLONE_NEWNS, NULL);
    if (start.pid == 0) {
        init_exec_in_child(bench, command, output[1]);
    }
    (void)close(output[1]);
    return start;
}

static void init_wait(struct start *start)
{
    while (waitpid(start->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)close(start->output);
}

/* The next number that the workload says, or -1 if it ended without a word. */
static int64_t number_read(const struct start *start)
{
    char text[32] = {0};
    for (size_t used = 0; used < sizeof text - 1; used++) {
        if (read(start->output, text + used, 1) != 1) {
            return -1;
        }
        if (text[used] == '\n') {
            text[used] = '\0';
            return number_or_die(text, "the workload's answer");
        }
    }
    return -1;
}

/* Two numbers a round: from the clone, and from the exec, to the end. */
static void measure_start(const struct bench *bench, char **command)
{
    struct start start = init_start(bench, command);
    init_wait(&start);
    int64_t end = now_ns();
    line_write(STDOUT_FILENO, "[%lld,%lld]", (long long)(end - start.clone_ns),
            (long long)(end - *bench->exec_ns));
}

/* The workload itself sees the last zombie go. */
static void measure_drain(const struct bench *bench, char **command)
{
    struct start start = init_start(bench, command);
    int64_t took = number_read(&start);
    (void)kill(start.pid, SIGKILL);
    init_wait(&start);
    line_write(STDOUT_FILENO, "%lld", (long long)took);
}

/* The workload says when it is time, and then when the signal came. */
static void measure_signal(const struct bench *bench, char **command)
{
    struct start start = init_start(bench, command);
    int64_t ready = number_read(&start);
    if (bench->measure == MEASURE_FORWARD) {
        sleep_ns(2000000); /* init is asleep in its loop, as it is nearly always */
    }
    int64_t sent = now_ns();
    (void)kill(start.pid, FORWARDED);
    int64_t came = ready < 0 ? -1 : number_read(&start);
    (void)kill(start.pid, SIGKILL);
    init_wait(&start);
    line_write(STDOUT_FILENO, "%lld", came < 0 ? -1LL : (long long)(came - sent));
}

static void bench_run(struct bench *bench)
{
    bench->exec_ns =
            mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench->exec_ns == MAP_FAILED) {
        die("mmap");
    }
    line_write(STDOUT_FILENO, "[");
    for (int64_t round = 0; round < bench->rounds; round++) {
        line_write(STDOUT_FILENO, "%s[", round == 0 ? "" : ",\n");
        for (int i = 0; i < bench->init_count; i++) {
            line_write(STDOUT_FILENO, "%s", i == 0 ? "" : ",");
            if (bench->measure == MEASURE_START) {
                measure_start(bench, bench->inits[i]);
            } else if (bench->measure == MEASURE_DRAIN) {
                measure_drain(bench, bench->inits[i]);
            } else {
                measure_signal(bench, bench->inits[i]);
            }
        }
        line_write(STDOUT_FILENO, "]");
    }
    line_write(STDOUT_FILENO, "]\n");
}

/* Zombies, as many as asked for, become init's all at once when this child ends. */
static pid_t zombies_make(int64_t count, volatile pid_t *last, volatile int64_t *over_ns)
{
    pid_t parent = fork();
    if (parent != 0) {
        return parent;
    }
    for (int64_t i = 0; i < count; i++) {
        siginfo_t info;
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        if (child < 0) {
            die("fork");
        }
        (void)waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
        *last = child;
    }
    *over_ns = now_ns();
    _exit(0);
}

struct shared {
    volatile pid_t last;
    volatile int64_t over_ns;
};

static struct shared *shared_new(void)
{
    struct shared *shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        die("mmap");
    }
    return shared;
}

static void app_drain(int64_t count)
{
    struct shared *shared = shared_new();
    pid_t parent = zombies_make(count, &shared->last, &shared->over_ns);
    (void)waitpid(parent, NULL, 0);
    /* Init reaps in order of birth, so the last one to be born is the last to go. */
    while (kill(shared->last, 0) == 0) {
        sleep_ns(50000);
    }
    line_write(STDOUT_FILENO, "%lld\n", (long long)(now_ns() - shared->over_ns));
    (void)pause();
}

static void app_behind(int64_t count)
{
    struct signal_seen seen;
    struct shared *shared = shared_new();
    mask_set(SIG_BLOCK, signal_bit(FORWARDED));
    pid_t parent = zombies_make(count, &shared->last, &shared->over_ns);
    (void)waitpid(parent, NULL, 0);
    line_write(STDOUT_FILENO, "0\n");
    if (signal_wait(signal_bit(FORWARDED), READY_NS, &seen)) {
        line_write(STDOUT_FILENO, "%lld\n", (long long)now_ns());
    }
    (void)pause();
}

static void app_forward(void)
{
    struct signal_seen seen;
    mask_set(SIG_BLOCK, signal_bit(FORWARDED));
    line_write(STDOUT_FILENO, "0\n");
    if (signal_wait(signal_bit(FORWARDED), READY_NS, &seen)) {
        line_write(STDOUT_FILENO, "%lld\n", (long long)now_ns());
    }
    (void)pause();
}

static void app_calls(int64_t count, long refused)
{
    int64_t began = now_ns();
    for (int64_t i = 0; i < count; i++) {
        (void)syscall(SYS_getppid);
    }
    int64_t between = now_ns();
    int error = 0;
    for (int64_t i = 0; i < count; i++) {
        error = syscall(refused, -1, -1, -1, -1, -1) < 0 ? errno : 0;
    }
    int64_t end = now_ns();
    line_write(STDOUT_FILENO, "{\"allowed\":%.2f,\"refused\":%.2f,\"errno\":%d}\n",
            (double)(between - began) / (double)count, (double)(end - between) / (double)count,
            error);
}

static void app_spin(int64_t seconds, long refused)
{
    int64_t made = 0;
    int64_t end = now_ns() + seconds * 1000000000;
    for (; now_ns() < end; made++) {
        (void)syscall(refused, -1, -1, -1, -1, -1);
    }
    line_write(STDOUT_FILENO, "%lld\n", (long long)made);
}

/* What an init costs that does nothing but wait: the yardstick of "drain". */
static int wait_loop(char **command)
{
    pid_t main_process = fork();
    int status = 0;
    if (main_process == 0) {
        execvp(command[0], command);
        die(command[0]);
    }
    for (;;) {
        int one = 0;
        pid_t pid = wait(&one);
        status = pid == main_process ? one : status;
        if (pid < 0 && errno == ECHILD) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}

static void commands_split(struct bench *bench, char **argv)
{
    char **first = argv;
    for (; bench->init_count < MAX_INITS; argv++) {
        bool is_end = *argv == NULL;
        if (!is_end && strcmp(*argv, "//") != 0) {
            continue;
        }
        *argv = NULL;
        bench->inits[bench->init_count++] = first;
        first = argv + 1;
        if (is_end) {
            return;
        }
    }
}

static bool workload_run(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "app-drain") == 0) {
        app_drain(number_or_die(argv[2], "count"));
    } else if (argc == 3 && strcmp(argv[1], "app-behind") == 0) {
        app_behind(number_or_die(argv[2], "count"));
    } else if (argc == 2 && strcmp(argv[1], "app-forward") == 0) {
        app_forward();
    } else if (argc == 4 && strcmp(argv[1], "app-calls") == 0) {
        app_calls(number_or_die(argv[2], "count"), (long)number_or_die(argv[3], "call"));
    } else if (argc == 4 && strcmp(argv[1], "app-spin") == 0) {
        app_spin(number_or_die(argv[2], "seconds"), (long)number_or_die(argv[3], "call"));
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"start", "drain", "behind", "forward"};
    struct bench bench = {0};
    if (argc > 2 && strcmp(argv[1], "wait-loop") == 0) {
        return wait_loop(&argv[2]);
    }
    if (workload_run(argc, argv)) {
        return 0;
    }
    for (size_t i = 0; argc > 4 && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(argv[1], names[i]) == 0) {
            bench.measure = (enum measure)i;
            bench.rounds = number_or_die(argv[2], "rounds");
            commands_split(&bench, &argv[4]);
            bench_run(&bench);
            return 0;
        }
    }
    (void)fprintf(stderr, "timer MEASURE ROUNDS -- COMMAND... // COMMAND...\n");
    return 125;
}
