/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that the probe leaves behind: in its group, in a group or session of their own,
 * double forked, stopped; polite, deaf or multiplying when TERM comes; and orphans by the ten
 * thousand. Every number is bounded: the machine is shared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define BOMB_CHILDREN 200

static void stray_multiply(void)
{
    for (int i = 0; i < BOMB_CHILDREN; i++) {
        if (fork() == 0) {
            sleep_ns(60LL * 1000000000);
            _exit(0);
        }
        sleep_ns(2000000);
    }
}

/* "deaf" logs and stays; "bomb" forks from TERM on; a number is how long a polite one takes (ms).
 */
static void stray_run(const struct probe *probe, const char *kind, const char *manner, int ready)
{
    struct signal_seen seen;
    char name[64];
    (void)snprintf(name, sizeof name, "stray-%s", kind);
    struct probe self = {.log = probe->log, .name = name};
    mask_set(SIG_SETMASK, UINT64_MAX);
    line_write(probe->log, "{\"ev\":\"stray\",\"name\":\"%s\",\"pid\":%d,\"t\":%lld}\n", name,
            getpid(), (long long)now_ns());
    (void)close(ready);
    if (strcmp(kind, "stopped") == 0) {
        (void)kill(getpid(), SIGSTOP);
    }
    for (;;) {
        (void)signal_wait(UINT64_MAX, -1, &seen);
        probe_log_signal(&self, &seen);
        if (seen.number != SIGTERM || strcmp(manner, "deaf") == 0) {
            continue;
        }
        if (strcmp(manner, "bomb") == 0) {
            stray_multiply();
            continue;
        }
        sleep_ns(number_or_die(manner, "manner") * 1000000);
        line_write(self.log, "{\"ev\":\"left\",\"name\":\"%s\",\"t\":%lld}\n", name,
                (long long)now_ns());
        _exit(3);
    }
}

/* The stray becomes the child of one that dies of TERM ("heir"), or does not care ("below"). */
static void stray_descend(const char *kind, int ready)
{
    bool is_heir = strcmp(kind, "heir") == 0;
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    if (!is_heir && strcmp(kind, "below") != 0) {
        return;
    }
    (void)setsid();
    (void)sigaction(SIGTERM, is_heir ? &by_default : &ignored, NULL);
    if (fork() == 0) {
        (void)sigaction(SIGTERM, &by_default, NULL);
        return;
    }
    (void)close(ready);
    mask_set(SIG_SETMASK, 0);
    for (;;) {
        sleep_ns(60LL * 1000000000);
    }
}

void probe_start_stray(const struct probe *probe, const char *how)
{
    char kind[32] = {0};
    size_t length = strcspn(how, ":");
    memcpy(kind, how, length < sizeof kind ? length : sizeof kind - 1);
    const char *manner = how[length] == ':' ? how + length + 1 : "0";
    int ready[2]; /* ends when the stray has said that it is there: no signal comes too early */
    if (pipe2(ready, O_CLOEXEC) != 0) {
        die("pipe2");
    }
    pid_t child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child > 0) {
        if (strcmp(kind, "double") == 0) {
            (void)waitpid(child, NULL, 0);
        }
        char none = 0;
        (void)close(ready[1]);
        while (read(ready[0], &none, 1) < 0 && errno == EINTR) {
        }
        (void)close(ready[0]);
        return;
    }
    (void)close(ready[0]);
    if (strcmp(kind, "double") == 0 && fork() != 0) {
        _exit(0);
    }
    if (strcmp(kind, "newgroup") == 0) {
        (void)setpgid(0, 0);
    } else if (strcmp(kind, "session") == 0 || strcmp(kind, "double") == 0) {
        (void)setsid();
    }
    stray_descend(kind, ready[1]);
    stray_run(probe, kind, manner, ready[1]);
}

void probe_orphans_stream(int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0) {
            die("fork");
        }
        if (child == 0) {
            _exit(fork() < 0 ? 1 : 0);
        }
        (void)waitpid(child, NULL, 0);
    }
}

/* The zombies of a parent that never waits become init's all at once when that parent ends. */
void probe_orphans_batch(const struct probe *probe, int64_t count, bool wait)
{
    pid_t parent = fork();
    if (parent < 0) {
        die("fork");
    }
    if (parent > 0) {
        if (wait) {
            (void)waitpid(parent, NULL, 0);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(5);
        }
        *probe->last_zombie = child;
        if (child < 0) {
            line_write(probe->log, "{\"ev\":\"failed\",\"what\":\"fork\",\"count\":%lld}\n",
                    (long long)i);
            _exit(125);
        }
        siginfo_t info;
        /* Dead before the hand-over, all of them: the storm is of zombies, not of running
         * processes. */
        (void)waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    }
    line_write(probe->log, "{\"ev\":\"handover\",\"t\":%lld}\n", (long long)now_ns());
    _exit(0);
}
