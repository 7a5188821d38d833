/* SPDX-License-Identifier: Apache-2.0
 *
 * Children of PID 1: reaping without losing a status, and signals to everybody but us. libc only.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "init/pid1/pid1.h"

#define CHILDREN_MAX 4096 /* bytes of pids at once; the rest at the next turn */

uint64_t laz_pid1_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Our children's pids, as /proc lists them. */
struct children {
    bool known;
    const char *at;
    const char *end;
    char text[CHILDREN_MAX];
};

static void read_children(const struct laz_pid1 *pid1, struct children *ret)
{
    ssize_t n =
            pid1->children_fd < 0 ? -1 : pread(pid1->children_fd, ret->text, sizeof(ret->text), 0);
    ret->known = n >= 0;
    ret->at = ret->text;
    ret->end = ret->text + (n > 0 ? n : 0);
}

static bool next_child(struct children *children, pid_t *ret)
{
    size_t left = (size_t)(children->end - children->at);
    const char *space = memchr(children->at, ' ', left);
    uint64_t pid = 0;
    if (space == NULL ||
            !laz_parse_u64(children->at, (size_t)(space - children->at), INT32_MAX, &pid)) {
        return false; /* a number cut by the end of the buffer: next turn */
    }
    children->at = space + 1;
    *ret = (pid_t)pid;
    return true;
}

/* Whom we signal one by one: whoever is our child, but the workload, whose group has had it. */
static bool is_stray(const struct laz_pid1 *pid1, pid_t pid)
{
    return pid != pid1->workload.pid && !laz_helpers_own(&pid1->helpers, pid);
}

static void signal_group(const struct laz_pid1 *pid1, int signal_number)
{
    if (pid1->workload.pid > 0 && pid1->main_exited && !pid1->main_reaped) {
        /* the leader is not reaped yet: the id is ours */
        (void)kill(-pid1->workload.pid, signal_number);
    }
}

/* A process that forks while this runs is found at the next turn, because its child is reparented
 * to us when it dies. */
static void kill_children(const struct laz_pid1 *pid1)
{
    struct children children;
    read_children(pid1, &children);
    for (pid_t pid = 0; next_child(&children, &pid);) {
        if (is_stray(pid1, pid)) {
            (void)kill(pid, SIGKILL);
        }
    }
}

static bool was_asked(const struct laz_pid1 *pid1, pid_t pid)
{
    for (unsigned i = 0; i < pid1->n_asked; i++) {
        if (pid1->asked[i] == pid) {
            return true;
        }
    }
    return false;
}

static void forget_asked(struct laz_pid1 *pid1, pid_t pid)
{
    for (unsigned i = 0; i < pid1->n_asked; i++) {
        if (pid1->asked[i] == pid) {
            pid1->asked[i] = pid1->asked[--pid1->n_asked];
        }
    }
}

/* To leave, each once. Who finds no room, who is adopted later, and everybody while some child may
 * be a helper that has just been started: at a later turn. */
static void ask_children(struct laz_pid1 *pid1)
{
    struct children children;
    read_children(pid1, &children);
    for (pid_t pid = 0; pid1->n_asked < LAZ_ASKED_MAX && next_child(&children, &pid);) {
        if (is_stray(pid1, pid) && !was_asked(pid1, pid)) {
            pid1->asked[pid1->n_asked++] = pid;
            (void)kill(pid, SIGTERM);
            (void)kill(pid, SIGCONT);
        }
    }
}

/* After the workload's end: is nobody left but our own helpers? */
static bool only_helpers(const struct laz_pid1 *pid1)
{
    bool drains =
            pid1->state.phase == LAZ_PHASE_DRAINING || pid1->state.phase == LAZ_PHASE_DRAIN_KILLED;
    if (!drains || !laz_helpers_exist(&pid1->helpers) || laz_helpers_are_starting(&pid1->helpers)) {
        return false;
    }
    struct children children;
    read_children(pid1, &children);
    bool only = children.known;
    for (pid_t pid = 0; only && next_child(&children, &pid);) {
        only = laz_helpers_own(&pid1->helpers, pid);
    }
    return only;
}

/* Where we are PID 1: is there a child, dead or alive? Nobody else can be left then, but for what a
 * runtime has injected, and that ends with us. */
static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* kill(-1) walks through all processes of the host, so look first whether it is for anybody. */
static bool is_anybody_left(struct laz_pid1 *pid1)
{
    if (pid1->main_exited) {
        laz_pid1_reap_main(pid1);
    }
    return has_children() && !only_helpers(pid1);
}

/* As PID 1, everybody in the namespace at once: our helpers have all signals blocked. Elsewhere
 * kill(-1) would reach strangers. */
void laz_pid1_ask_others(struct laz_pid1 *pid1)
{
    if (!pid1->is_pid1) {
        signal_group(pid1, SIGTERM);
        signal_group(pid1, SIGCONT);
        ask_children(pid1);
    } else if (is_anybody_left(pid1)) {
        (void)kill(-1, SIGTERM);
        (void)kill(-1, SIGCONT);
    }
}

void laz_pid1_kill_others(struct laz_pid1 *pid1)
{
    if (!pid1->is_pid1 || laz_helpers_exist(&pid1->helpers)) { /* our helpers are to live on */
        signal_group(pid1, SIGKILL);
        kill_children(pid1);
    } else if (is_anybody_left(pid1)) {
        (void)kill(-1, SIGKILL);
    }
}

/* The counter of a cgroup's memory.events; 0 if there is none. */
static int64_t parse_oom_kills(const char *text)
{
    static const char key[] = "oom_kill ";
    for (const char *at = text; at != NULL && *at != '\0';) {
        if (strncmp(at, key, sizeof(key) - 1) == 0) {
            const char *digits = at + sizeof(key) - 1;
            uint64_t value = 0;
            return laz_parse_u64(digits, laz_count_digits(digits), INT64_MAX, &value)
                    ? (int64_t)value
                    : 0;
        }
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return 0;
}

/* -1: not known. */
static int64_t read_oom_kills(const struct laz_pid1 *pid1)
{
    char text[LAZ_MEMORY_EVENTS_MAX];
    ssize_t n = pid1->oom_fd < 0 ? -1 : pread(pid1->oom_fd, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return -1;
    }
    text[n] = '\0';
    return parse_oom_kills(text);
}

void laz_pid1_note_oom_kills(struct laz_pid1 *pid1)
{
    pid1->oom_kills_before = read_oom_kills(pid1);
}

void laz_pid1_reap_main(struct laz_pid1 *pid1)
{
    if (pid1->main_reaped) {
        return;
    }
    const struct laz_state *state = &pid1->state;
    int status = pid1->main_status;
    struct laz_exit_note note = {.status = status, .forced = state->forced};
    note.as_asked = state->stop_requested && WIFSIGNALED(status) &&
            WTERMSIG(status) == pid1->image.signal_map[state->stop.number];
    while (wait4(pid1->workload.pid, NULL, 0, &note.usage) < 0 && errno == EINTR) {
    }
    pid1->main_reaped = true;
    note.ran_ms = (laz_pid1_now_ns() - pid1->started_ns) / 1000000;
    int64_t oom_kills = read_oom_kills(pid1);
    bool known = oom_kills >= 0 && pid1->oom_kills_before >= 0;
    note.oom_kills = known ? oom_kills - pid1->oom_kills_before : -1;
    laz_trail_exit(&pid1->trail, &note);
    pid1->totals.reaped++;
}

/* The workload has ended, or, before its exec, the child that was to become it. */
static void main_ended(struct laz_pid1 *pid1, int status, uint64_t now_ns)
{
    pid1->main_exited = true;
    pid1->main_status = status;
    struct laz_event event = {.type = LAZ_EVENT_MAIN_EXITED, .status = status};
    if (!pid1->gate_open || pid1->workload.page->failed != 0) {
        event.type = LAZ_EVENT_START_FAILED;
        event.code = laz_workload_failure(&pid1->workload, status, &pid1->refusal);
        (void)wait4(pid1->workload.pid, NULL, 0, NULL);
    }
    laz_pid1_event(pid1, &event, now_ns);
}

static void setup_ended(struct laz_pid1 *pid1, int status, uint64_t now_ns)
{
    if (laz_pid1_take_setup(pid1, status, &pid1->refusal) < 0) {
        laz_pid1_refuse(pid1, now_ns);
    } else {
        laz_pid1_start(pid1, now_ns);
    }
}

static void child_ended(struct laz_pid1 *pid1, pid_t pid, int status, uint64_t now_ns)
{
    struct laz_helper_end end = {0};
    forget_asked(pid1, pid);
    if (pid == pid1->setup_pid) {
        setup_ended(pid1, status, now_ns);
    } else if (laz_helpers_ended(&pid1->helpers, pid, status, now_ns, &end)) {
        if (end.why != NULL) {
            pid1->n_restarts++;
            laz_trail_helper(&pid1->trail, &end);
        }
    } else if (pid1->image.watches && laz_watch_ended(&pid1->helpers.watch, pid, status)) {
        return; /* a check: nothing of the workload's */
    } else {
        pid1->totals.reaped++;
    }
}

static int status_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? (info->si_status & 0xff) << 8
                                       : info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* One child. 1 handled, 0 none has ended, -1 there is none at all. The workload is only looked at
 * (WNOWAIT), so that its pid and group stay its own until LAZ_DO_REAP_MAIN. */
static int reap_one(struct laz_pid1 *pid1, uint64_t now_ns)
{
    int status = 0;
    siginfo_t info = {0};
    int result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    if (result < 0 && errno != ECHILD) { /* its signal has been read: nothing would wake us again */
        pid1->degraded |= LAZ_DEGRADED_BIT(WAITID);
        pid_t pid = wait4(-1, &status, WNOHANG, NULL);
        if (pid > 0 && pid == pid1->workload.pid) {
            main_ended(pid1, status, now_ns);
        } else if (pid > 0) {
            child_ended(pid1, pid, status, now_ns);
        }
        return pid > 0 ? 1 : pid < 0 && errno == ECHILD ? -1 : 0;
    }
    if (result < 0) {
        return -1;
    }
    if (info.si_pid == 0) {
        return 0;
    }
    if (info.si_pid == pid1->workload.pid && !pid1->main_exited) {
        main_ended(pid1, status_of(&info), now_ns);
        return 1;
    }
    if (pid1->image.watches) {
        laz_watch_ends(&pid1->helpers.watch, info.si_pid);
    }
    pid_t pid = wait4(info.si_pid, &status, WNOHANG, NULL);
    if (pid > 0) {
        child_ended(pid1, pid, status, now_ns);
    }
    return 1;
}

bool laz_pid1_reap(struct laz_pid1 *pid1, uint64_t now_ns)
{
    /* those that were reparented to us since the last turn */
    if (pid1->state.phase == LAZ_PHASE_DRAINING && !pid1->is_pid1) {
        ask_children(pid1);
    } else if (pid1->state.phase == LAZ_PHASE_DRAIN_KILLED &&
            (!pid1->is_pid1 || laz_helpers_exist(&pid1->helpers))) {
        kill_children(pid1);
    }
    for (unsigned i = 0; i < LAZ_REAP_TURN_MAX && !pid1->done; i++) {
        int handled = reap_one(pid1, now_ns);
        handled = handled == 0 && only_helpers(pid1) ? -1 : handled;
        if (handled < 0) {
            const struct laz_event empty = {.type = LAZ_EVENT_EMPTY};
            laz_pid1_event(pid1, &empty, now_ns);
        }
        if (handled <= 0) {
            return false;
        }
    }
    return !pid1->done;
}
