/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe application; see probe.h. Its arguments are a program of their own, run from left to
 * right: log=PATH name=TEXT say=TEXT state sleep=MS spin=MS exit=CODE die=SIGNAL stop pause
 *   block=SIGNALS ignore=SIGNALS default=SIGNALS handle=SIGNALS   dispositions
 *   until=SIGNALS          log every signal until one of these comes
 *   on=SIGNAL:CODE         from then on, "until" ends the process with CODE at SIGNAL
 *   for=MS                 log every signal for so long
 *   stray=KIND:MANNER orphans=COUNT zombies=COUNT storm=COUNT (zombies, not waited for) vfork=MS
 * setuid=UID kill=PID,SIGNAL queue=PID,SIGNAL,VALUE,COUNT   PID may be "parent" or "self" pry=PID
 * close=FD line (read one from stdin) exec=PATH ask=CALL,COUNT (system calls, without arguments)
 */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a signal handler needs; handlers have no arguments of their own. */
static struct probe handler_probe;

void probe_log_signal(const struct probe *probe, const struct signal_seen *seen)
{
    int64_t when = now_ns();
    bool storm = probe->last_zombie != NULL && *probe->last_zombie != 0;
    /* Init reaps in order of birth: as long as the last zombie is there, the storm is not over. */
    int storm_left = storm && kill(*probe->last_zombie, 0) == 0;
    line_write(probe->log,
            "{\"ev\":\"signal\",\"name\":\"%s\",\"sig\":%d,\"code\":%d,\"from\":%d,\"uid\":%u,"
            "\"value\":%lld,\"pid\":%d,\"storm_left\":%d,\"t\":%lld}\n",
            probe->name, seen->number, seen->code, seen->sender, seen->sender_uid,
            (long long)seen->value, getpid(), storm_left, (long long)when);
}

static void handler(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)context;
    struct signal_seen seen = {.number = number,
            .code = info->si_code,
            .sender = info->si_pid,
            .sender_uid = info->si_uid,
            .value = (int64_t)(intptr_t)info->si_value.sival_ptr};
    probe_log_signal(&handler_probe, &seen);
    errno = saved;
}

static void handlers_set(const struct probe *probe, uint64_t signals)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    (void)sigfillset(&action.sa_mask);
    handler_probe = *probe;
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        if ((signals & signal_bit(number)) != 0 && sigaction(number, &action, NULL) != 0) {
            die("sigaction");
        }
    }
}

static void dispositions_set(uint64_t signals, bool ignore)
{
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        if ((signals & signal_bit(number)) != 0) {
            disposition_set(number, ignore);
        }
    }
}

/* Split "a,b,c" into pieces, in place. */
static int split(char *text, char **pieces, int most)
{
    int count = 0;
    while (text != NULL && count < most) {
        pieces[count++] = text;
        text = strchr(text, ',');
        if (text != NULL) {
            *text++ = '\0';
        }
    }
    return count;
}

static pid_t pid_named(const char *text)
{
    if (strcmp(text, "parent") == 0) {
        return getppid();
    }
    return strcmp(text, "self") == 0 ? getpid() : (pid_t)number_or_die(text, "pid");
}

static void signals_send(const struct probe *probe, const char *how, bool queue)
{
    char copy[128] = {0};
    char *pieces[4] = {0};
    memcpy(copy, how, strnlen(how, sizeof copy - 1));
    int count = split(copy, pieces, 4);
    if (count != (queue ? 4 : 2)) {
        die("kill=PID,SIGNAL or queue=PID,SIGNAL,VALUE,COUNT");
    }
    pid_t pid = pid_named(pieces[0]);
    int number = (int)number_or_die(pieces[1], "signal");
    int answer = 0;
    if (!queue) {
        answer = kill(pid, number) == 0 ? 0 : errno;
    }
    int64_t times = queue ? number_or_die(pieces[3], "count") : 0;
    for (int64_t i = 0; i < times; i++) {
        union sigval payload = {
                .sival_ptr = (void *)(uintptr_t)(number_or_die(pieces[2], "value") + i)};
        answer = sigqueue(pid, number, payload) == 0 ? answer : errno;
    }
    line_write(probe->log, "{\"ev\":\"sent\",\"sig\":%d,\"errno\":%d,\"t\":%lld}\n", number, answer,
            (long long)now_ns());
}

static void die_by(const struct probe *probe, int number)
{
    struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    disposition_set(number, false);
    mask_set(SIG_SETMASK, 0);
    line_write(probe->log, "{\"ev\":\"dying\",\"sig\":%d}\n", number);
    (void)kill(getpid(), number);
    _exit(99);
}

/* exits[n] is the code that signal n ends the process with, -1 for none. */
static void signals_log(
        const struct probe *probe, uint64_t until, int64_t timeout_ns, const int *exits)
{
    struct signal_seen seen;
    int64_t end = now_ns() + timeout_ns;
    uint64_t before = mask_get();
    mask_set(SIG_SETMASK, UINT64_MAX);
    line_write(probe->log, "{\"ev\":\"listening\",\"pid\":%d,\"t\":%lld}\n", getpid(),
            (long long)now_ns());
    for (;;) {
        int64_t left = timeout_ns < 0 ? -1 : end - now_ns();
        if ((timeout_ns >= 0 && left <= 0) || !signal_wait(UINT64_MAX, left, &seen)) {
            break;
        }
        probe_log_signal(probe, &seen);
        if (exits[seen.number] >= 0) {
            _exit(exits[seen.number]);
        }
        if ((until & signal_bit(seen.number)) != 0) {
            break;
        }
    }
    mask_set(SIG_SETMASK, before);
}

/* The answers to a call that is asked again and again, and the longest time that one took. */
static void call_ask(const struct probe *probe, const char *how)
{
    char copy[64] = {0};
    char *pieces[2] = {0};
    memcpy(copy, how, strnlen(how, sizeof copy - 1));
    if (split(copy, pieces, 2) != 2) {
        die("ask=CALL,COUNT");
    }
    long call = (long)number_or_die(pieces[0], "call");
    int64_t count = number_or_die(pieces[1], "count");
    int64_t longest = 0;
    int64_t refused = 0;
    int answer = 0;
    int64_t began = now_ns();
    for (int64_t i = 0; i < count; i++) {
        int64_t before = now_ns();
        if (syscall(call, 0L, 0L, 0L, 0L, 0L, 0L) < 0) {
            answer = errno;
            refused++;
        }
        int64_t took = now_ns() - before;
        longest = took > longest ? took : longest;
    }
    line_write(probe->log,
            "{\"ev\":\"asked\",\"refused\":%lld,\"errno\":%d,\"longest_ns\":%lld,\"took_ns\":%lld}"
            "\n",
            (long long)refused, answer, (long long)longest, (long long)(now_ns() - began));
}

static void line_read(const struct probe *probe)
{
    char text[128] = {0};
    ssize_t got = read(STDIN_FILENO, text, sizeof text - 1);
    int answer = got < 0 ? errno : 0;
    text[strcspn(text, "\r\n\"\\")] = '\0';
    line_write(probe->log, "{\"ev\":\"line\",\"text\":\"%s\",\"got\":%zd,\"errno\":%d}\n", text,
            got, answer);
}

static void exit_code_parse(const char *how, int *exits)
{
    char copy[32] = {0};
    memcpy(copy, how, strnlen(how, sizeof copy - 1));
    char *code = strchr(copy, ':');
    if (code != NULL) {
        *code++ = '\0';
    }
    int64_t number = number_or_die(copy, "signal");
    if (number < 1 || number > LAST_SIGNAL) {
        (void)number_or_die(NULL, "signal");
    }
    exits[number] = (int)number_or_die(code, "exit code");
}

/* Words that say how signals are treated. */
static bool word_about_signals(
        const struct probe *probe, const char *word, const char *value, int *exits)
{
    if (strcmp(word, "block") == 0) {
        mask_set(SIG_BLOCK, signals_or_die(value));
    } else if (strcmp(word, "ignore") == 0) {
        dispositions_set(signals_or_die(value), true);
    } else if (strcmp(word, "default") == 0) {
        dispositions_set(signals_or_die(value), false);
    } else if (strcmp(word, "handle") == 0) {
        handlers_set(probe, signals_or_die(value));
    } else if (strcmp(word, "on") == 0) {
        exit_code_parse(value, exits);
    } else if (strcmp(word, "until") == 0) {
        signals_log(probe, signals_or_die(value), -1, exits);
    } else if (strcmp(word, "for") == 0) {
        signals_log(probe, 0, number_or_die(value, "milliseconds") * 1000000, exits);
    } else if (strcmp(word, "kill") == 0) {
        signals_send(probe, value, false);
    } else if (strcmp(word, "queue") == 0) {
        signals_send(probe, value, true);
    } else {
        return false;
    }
    return true;
}

/* Words that start or end something. */
static bool word_about_processes(const struct probe *probe, const char *word, const char *value)
{
    if (strcmp(word, "stray") == 0) {
        probe_start_stray(probe, value);
    } else if (strcmp(word, "orphans") == 0) {
        probe_orphans_stream(number_or_die(value, "count"));
    } else if (strcmp(word, "zombies") == 0) {
        probe_orphans_batch(probe, number_or_die(value, "count"), true);
    } else if (strcmp(word, "storm") == 0) {
        probe_orphans_batch(probe, number_or_die(value, "count"), false);
    } else if (strcmp(word, "setuid") == 0) {
        /* May be refused: under an init that confines, the workload has another uid already. */
        uid_t uid = (uid_t)number_or_die(value, "uid");
        (void)syscall(SYS_setresuid, uid, uid, uid);
    } else if (strcmp(word, "exit") == 0) {
        _exit((int)number_or_die(value, "exit code"));
    } else if (strcmp(word, "die") == 0) {
        die_by(probe, (int)number_or_die(value, "signal"));
    } else if (strcmp(word, "vfork") == 0) {
        if (vfork() == 0) {
            struct timespec time = {.tv_sec = number_or_die(value, "milliseconds") / 1000};
            (void)nanosleep(&time, NULL);
            _exit(0);
        }
    } else if (strcmp(word, "stop") == 0) {
        (void)kill(getpid(), SIGSTOP);
    } else if (strcmp(word, "pause") == 0) {
        for (;;) {
            (void)pause();
        }
    } else if (strcmp(word, "exec") == 0) {
        (void)execl(value, value, NULL);
        line_write(probe->log, "{\"ev\":\"exec\",\"errno\":%d}\n", errno);
    } else {
        return false;
    }
    return true;
}

static bool word_about_time_and_files(struct probe *probe, const char *word, const char *value)
{
    if (strcmp(word, "log") == 0) {
        /* High, where the report of open descriptors is not disturbed by it. */
        int fd = open(value, O_WRONLY | O_APPEND | O_CLOEXEC);
        probe->log = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
        if (probe->log < 0) {
            die(value);
        }
        (void)close(fd);
    } else if (strcmp(word, "name") == 0) {
        probe->name = value;
    } else if (strcmp(word, "say") == 0) {
        line_write(probe->log, "{\"ev\":\"say\",\"text\":\"%s\",\"pid\":%d,\"t\":%lld}\n", value,
                getpid(), (long long)now_ns());
    } else if (strcmp(word, "state") == 0) {
        probe_log_state(probe);
    } else if (strcmp(word, "sleep") == 0) {
        sleep_ns(number_or_die(value, "milliseconds") * 1000000);
    } else if (strcmp(word, "spin") == 0) {
        int64_t end = now_ns() + number_or_die(value, "milliseconds") * 1000000;
        while (now_ns() < end) {
        }
    } else if (strcmp(word, "pry") == 0) {
        probe_pry(probe, (pid_t)number_or_die(value, "pid"));
    } else if (strcmp(word, "close") == 0) {
        (void)close((int)number_or_die(value, "descriptor"));
    } else if (strcmp(word, "line") == 0) {
        line_read(probe);
    } else if (strcmp(word, "ask") == 0) {
        call_ask(probe, value);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct probe probe = {.log = STDOUT_FILENO, .name = "app"};
    int exits[LAST_SIGNAL + 1];
    probe.last_zombie =
            mmap(NULL, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (probe.last_zombie == MAP_FAILED) {
        die("mmap");
    }
    for (int i = 0; i <= LAST_SIGNAL; i++) {
        exits[i] = -1;
    }
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (!word_about_signals(&probe, argv[i], value, exits) &&
                !word_about_processes(&probe, argv[i], value) &&
                !word_about_time_and_files(&probe, argv[i], value)) {
            line_write(STDERR_FILENO, "probe: no such word: %s\n", argv[i]);
            return 125;
        }
    }
    return 0;
}
