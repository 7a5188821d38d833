/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence: runs an init under test inside a PID and mount namespace of its own, as PID 1 of a
 * second one ("--mode pid1") or as an ordinary process beside two bystanders ("--mode nested"). A
 * signal that reaches a bystander is reported, and the test that sees it fails. Must never run an
 * init in the namespaces it was started in, and never outlive its driver: the end of the control
 * socket ends everything inside.
 *
 * fence --control FD --mode pid1|nested [--net] [--uts] [CONDITION[=VALUE]]... -- COMMAND...
 * Messages, one JSON object a packet: started (with a pidfd, and the terminal's master), exec'd,
 * ended, bystander, done. Commands: "finish", "send SIGNAL", "queue SIGNAL VALUE", and "go", which
 * a child that was started with --hold awaits before its exec: the moment to attach a tracer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conditions.h"
#include "wire.h"

#define BYSTANDERS 2

struct plan {
    struct conditions conditions;
    char **command;
    uint64_t extra_namespaces;
    int control;
    bool pid1;
};

struct warden {
    const struct plan *plan;
    pid_t bystanders[BYSTANDERS];
    pid_t init;
    int init_pidfd, init_exec, bystander_log, children, terminal, hold;
    bool ended;
};

struct bystander_record {
    char name[12];
    struct signal_seen seen;
};

static const char *const bystander_names[BYSTANDERS] = {"neighbour", "stranger"};

/* The fence must not keep open what the test watches for its end. */
static void standard_descriptors_release(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) {
        die("/dev/null");
    }
    (void)close(null);
}

/* The neighbour shares the process group of init's parent, the stranger nothing but the namespace.
 */
static void bystander_run(int index, int log)
{
    struct bystander_record record = {0};
    memcpy(record.name, bystander_names[index], strlen(bystander_names[index]));
    mask_set(SIG_SETMASK, UINT64_MAX);
    if (index == 1) {
        (void)setsid();
    }
    /* The first record, without a signal, says that this one listens. */
    for (;;) {
        ssize_t written = write(log, &record, sizeof record);
        (void)written;
        (void)signal_wait(UINT64_MAX, -1, &record.seen);
    }
}

static void bystanders_start(struct warden *w)
{
    int log[2];
    if (pipe2(log, O_CLOEXEC) != 0) {
        die("pipe2");
    }
    for (int i = 0; i < BYSTANDERS; i++) {
        w->bystanders[i] = fork();
        if (w->bystanders[i] < 0) {
            die("fork");
        }
        if (w->bystanders[i] == 0) {
            (void)close(w->plan->control);
            (void)close(log[0]);
            standard_descriptors_release();
            bystander_run(i, log[1]);
        }
    }
    (void)close(log[1]);
    w->bystander_log = log[0];
    for (int i = 0; i < BYSTANDERS; i++) {
        struct bystander_record ready;
        if (read(w->bystander_log, &ready, sizeof ready) != (ssize_t)sizeof ready) {
            die("bystander");
        }
    }
}

static void message_send_fds(int control, const char *text, const int *fds, size_t count)
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } room;
    memset(&room, 0, sizeof room);
    struct iovec piece = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = room.bytes,
            .msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    if (sendmsg(control, &message, MSG_NOSIGNAL) < 0) {
        die("sendmsg");
    }
}

static void init_exec_in_child(struct warden *w, const char *terminal_name, int exec_pipe, int hold)
{
    int terminal = -1;
    char go = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (w->plan->pid1 && setsid() < 0) {
        die("setsid"); /* container runtimes make their init a session leader */
    }
    if (terminal_name != NULL) {
        terminal = open(terminal_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal < 0) {
            die(terminal_name);
        }
    }
    conditions_apply_in_child(&w->plan->conditions, terminal);
    /* Kept out of the init's sight: a death signal is a condition of its own in the tests. */
    (void)prctl(PR_SET_PDEATHSIG, 0);
    if (w->plan->conditions.hold && (write(hold, "h", 1) != 1 || read(hold, &go, 1) != 1)) {
        die("hold");
    }
    (void)execvp(w->plan->command[0], w->plan->command);
    line_write(exec_pipe, "%d", errno);
    _exit(125);
}

static void init_start(struct warden *w)
{
    char name[64] = {0};
    char text[160];
    int exec_pipe[2];
    int hold[2];
    bool has_terminal = w->plan->conditions.terminal != TERMINAL_NONE;
    if (has_terminal) {
        w->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (w->terminal < 0 || unlockpt(w->terminal) != 0 ||
                ptsname_r(w->terminal, name, sizeof name) != 0) {
            die("terminal");
        }
    }
    if (pipe2(exec_pipe, O_CLOEXEC) != 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hold) != 0) {
        die("pipe2");
    }
    /* High numbers, so that a limit of three descriptors is not used up by this pipe. */
    int high = fcntl(exec_pipe[1], F_DUPFD_CLOEXEC, 700);
    (void)close(exec_pipe[1]);
    uint64_t namespaces = CLONE_NEWNS | w->plan->extra_namespaces;
    w->init = fork_with(namespaces | (w->plan->pid1 ? CLONE_NEWPID : 0), &w->init_pidfd);
    if (w->init == 0) {
        init_exec_in_child(w, has_terminal ? name : NULL, high, hold[0]);
    }
    (void)close(high);
    (void)close(hold[0]);
    w->hold = hold[1];
    char held = 0;
    /* A tracer that is attached from now on sees nothing of the fence's but the end of this read.
     */
    if (w->plan->conditions.hold && read(w->hold, &held, 1) != 1) {
        die("hold");
    }
    w->init_exec = exec_pipe[0];
    (void)snprintf(text, sizeof text, "{\"ev\":\"started\",\"pid\":%d,\"t\":%lld}", w->init,
            (long long)now_ns());
    int fds[2] = {w->init_pidfd, w->terminal};
    message_send_fds(w->plan->control, text, fds, has_terminal ? 2 : 1);
    if (has_terminal) {
        (void)close(w->terminal);
    }
}

static void init_ended(struct warden *w, int status, const struct rusage *usage)
{
    w->ended = true;
    line_write(w->plan->control,
            "{\"ev\":\"ended\",\"code\":%d,\"signal\":%d,\"core\":%d,\"cpu_us\":%lld,\"t\":%lld}",
            WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, WCOREDUMP(status) ? 1 : 0,
            (long long)usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec +
                    (long long)usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec,
            (long long)now_ns());
}

/* As PID 1 of the fence it inherits whatever an init left behind; only init's end is news. */
static void children_reap(struct warden *w)
{
    struct signalfd_siginfo ignored;
    struct rusage usage;
    int status = 0;
    pid_t pid = 0;
    ssize_t got = read(w->children, &ignored, sizeof ignored);
    (void)got;
    while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage)) > 0) {
        bool is_bystander = false;
        for (int i = 0; i < BYSTANDERS; i++) {
            if (pid == w->bystanders[i]) {
                is_bystander = true;
                line_write(w->plan->control,
                        "{\"ev\":\"bystander\",\"name\":\"%s\",\"sig\":%d,\"from\":0,\"code\":0}",
                        bystander_names[i], WIFSTOPPED(status) ? WSTOPSIG(status) : SIGKILL);
            }
        }
        if (!is_bystander && pid == w->init && !WIFSTOPPED(status)) {
            init_ended(w, status, &usage);
        }
    }
}

static void exec_seen(struct warden *w)
{
    char text[16] = {0};
    ssize_t got = read(w->init_exec, text, sizeof text - 1);
    (void)close(w->init_exec);
    w->init_exec = -1;
    line_write(w->plan->control, "{\"ev\":\"execd\",\"errno\":%s,\"t\":%lld}", got > 0 ? text : "0",
            (long long)now_ns());
}

static void bystander_read(struct warden *w)
{
    struct bystander_record record;
    while (read(w->bystander_log, &record, sizeof record) == (ssize_t)sizeof record) {
        line_write(w->plan->control,
                "{\"ev\":\"bystander\",\"name\":\"%s\",\"sig\":%d,\"from\":%d,\"code\":%d}",
                record.name, record.seen.number, record.seen.sender, record.seen.code);
    }
}

/* A signal from here is one from init's parent. */
static void command_send(struct warden *w, char *text, bool queue)
{
    char *value = strchr(text, ' ');
    if (value != NULL) {
        *value++ = '\0';
    }
    int number = (int)number_or_die(text, "signal");
    if (queue) {
        union sigval payload = {.sival_ptr = (void *)(uintptr_t)number_or_die(value, "value")};
        (void)sigqueue(w->init, number, payload);
        return;
    }
    if (!w->ended) {
        (void)kill(w->init, number);
    }
}

/* false: finish. */
static bool command_read(struct warden *w)
{
    char text[256] = {0};
    ssize_t got = recv(w->plan->control, text, sizeof text - 1, 0);
    if (got <= 0 || strcmp(text, "finish") == 0) {
        return false;
    }
    if (strncmp(text, "send ", 5) == 0) {
        command_send(w, text + 5, false);
    } else if (strncmp(text, "queue ", 6) == 0) {
        command_send(w, text + 6, true);
    } else if (strcmp(text, "go") == 0) {
        ssize_t written = write(w->hold, "g", 1);
        (void)written;
    }
    return true;
}

static void warden_run(const struct plan *plan)
{
    struct warden w = {.plan = plan, .init_exec = -1, .terminal = -1};
    sigset_t children;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &children, NULL);
    (void)setsid(); /* a session inside, so that process groups have names here */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("proc", "/proc", "proc", 0, NULL) != 0) {
        die("mount");
    }
    w.children = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    bystanders_start(&w);
    (void)fcntl(w.bystander_log, F_SETFL, O_NONBLOCK);
    init_start(&w);
    standard_descriptors_release();
    for (bool going = true; going;) {
        struct pollfd ready[4] = {{.fd = plan->control, .events = POLLIN},
                {.fd = w.children, .events = POLLIN}, {.fd = w.bystander_log, .events = POLLIN},
                {.fd = w.init_exec, .events = POLLIN}};
        if (poll(ready, 4, -1) < 0 && errno != EINTR) {
            die("poll");
        }
        if (ready[3].revents != 0) {
            exec_seen(&w);
        }
        if (ready[1].revents != 0) {
            children_reap(&w);
        }
        if (ready[2].revents != 0) {
            bystander_read(&w);
        }
        going = ready[0].revents == 0 || command_read(&w);
    }
    children_reap(&w);
    bystander_read(&w);
    line_write(plan->control, "{\"ev\":\"done\"}");
    _exit(0);
}

static void plan_parse(struct plan *plan, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *name = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : 0);
        char *value = strchr(name, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (value != NULL && strcmp(name, "control") == 0) {
            plan->control = (int)number_or_die(value, "control");
        } else if (value != NULL && strcmp(name, "mode") == 0) {
            plan->pid1 = strcmp(value, "pid1") == 0;
        } else if (strcmp(name, "net") == 0) {
            plan->extra_namespaces |= CLONE_NEWNET;
        } else if (strcmp(name, "uts") == 0) {
            plan->extra_namespaces |= CLONE_NEWUTS;
        } else if (!condition_parse(&plan->conditions, name, value)) {
            (void)fprintf(stderr, "fence: no such option: %s\n", name);
            _exit(125);
        }
    }
    plan->command = i + 1 < argc ? &argv[i + 1] : NULL;
    plan->conditions.new_proc = plan->pid1;
    if (plan->control < 0 || plan->command == NULL) {
        (void)fprintf(stderr, "fence: --control=FD and a command are needed\n");
        _exit(125);
    }
}

int main(int argc, char **argv)
{
    struct plan plan = {.control = -1, .conditions = {.uid = -1}};
    int status = 0;
    plan_parse(&plan, argc, argv);
    (void)fcntl(plan.control, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t warden = fork_with(CLONE_NEWPID | CLONE_NEWNS, NULL);
    if (warden == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        warden_run(&plan);
    }
    (void)close(plan.control);
    standard_descriptors_release();
    while (waitpid(warden, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
