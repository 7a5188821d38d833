/* SPDX-License-Identifier: Apache-2.0
 *
 * The workload of the injection tests: says in one line of JSON how it is confined, by system calls
 * wherever there is one, and then does what its words say. Must never change its own state before
 * it has reported.
 *
 * confined FORBIDDEN-FILE WORD...
 *   term     wait for SIGTERM, then end with 42
 *   work     children, orphans and refused calls, and a session that leaves at TERM; then go on
 *   exit     end with 42
 *   pry PID  say in a second line what can be read of that process, then go on
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../probe/wire.h"

#define PATIENCE_NS INT64_C(20000000000)
#define GET_MDWE    66
#define FDS_MAX     256
#define PORT        47123

static int answer_of(long result)
{
    return result < 0 ? -errno : (int)result;
}

static void add_ids(struct text *text)
{
    uid_t ids[3] = {0};
    gid_t groups[64] = {0};
    (void)syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]);
    text_add(text, "\"uids\":[%u,%u,%u]", ids[0], ids[1], ids[2]);
    (void)syscall(SYS_getresgid, &ids[0], &ids[1], &ids[2]);
    text_add(text, ",\"gids\":[%u,%u,%u],\"groups\":[", ids[0], ids[1], ids[2]);
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        text_add(text, "%s%u", i == 0 ? "" : ",", groups[i]);
    }
    text_add(text, "],\"leads_group\":%d", getpgid(0) == getpid());
}

static void add_capabilities(struct text *text)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    uint64_t bounding = 0;
    uint64_t ambient = 0;
    int got = answer_of(syscall(SYS_capget, &header, data));
    for (unsigned long cap = 0; cap < 64; cap++) {
        bounding |= prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 ? UINT64_C(1) << cap : 0;
        ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1 ? UINT64_C(1) << cap
                                                                                : 0;
    }
    text_add(text, ",\"capget\":%d,\"cap_eff\":\"%08x%08x\",\"cap_prm\":\"%08x%08x\"", got,
            data[1].effective, data[0].effective, data[1].permitted, data[0].permitted);
    text_add(text, ",\"cap_inh\":\"%08x%08x\",\"cap_bnd\":\"%016llx\",\"cap_amb\":\"%016llx\"",
            data[1].inheritable, data[0].inheritable, (unsigned long long)bounding,
            (unsigned long long)ambient);
}

/* One value of /proc/self/status, which no system call tells. */
static void add_from_proc(struct text *text, const char *name, const char *path, const char *key)
{
    char bytes[4096] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes - 1);
    (void)close(fd);
    const char *at = n > 0 ? strstr(bytes, key) : NULL;
    at = at == NULL ? "unreadable" : at + strlen(key);
    text_add(text, ",\"%s\":\"%.*s\"", name, (int)strcspn(at, "\n"), at);
}

static void add_attributes(struct text *text, uint64_t blocked)
{
    int death_signal = -1;
    uint64_t ignored = 0;
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    text_add(text, ",\"nnp\":%d,\"seccomp\":%d", answer_of(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)),
            answer_of(prctl(PR_GET_SECCOMP, 0, 0, 0, 0)));
    add_from_proc(text, "filters", "/proc/self/status", "Seccomp_filters:\t");
    add_from_proc(text, "core_filter", "/proc/self/coredump_filter", "");
    text_add(text, ",\"dumpable\":%d,\"securebits\":%d,\"mdwe\":%d",
            answer_of(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)),
            answer_of(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0)),
            answer_of(prctl(GET_MDWE, 0UL, 0UL, 0UL, 0UL)));
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        ignored |= disposition_is_ignored(number) ? UINT64_C(1) << (number - 1) : 0;
    }
    mode_t mask = umask(0);
    (void)umask(mask);
    text_add(text,
            ",\"death_signal\":%d,\"blocked\":\"%llx\",\"ignored\":\"%llx\",\"umask\":\"%04o\"",
            death_signal, (unsigned long long)blocked, (unsigned long long)ignored, mask);
}

static void add_limits(struct text *text)
{
    text_add(text, ",\"limits\":[");
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit = {0};
        (void)getrlimit(resource, &limit);
        text_add(text, "%s[%lld,%lld]", resource == 0 ? "" : ",", (long long)limit.rlim_cur,
                (long long)limit.rlim_max);
    }
    text_add(text, "],\"fds\":[");
    const char *comma = "";
    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            text_add(text, "%s%d", comma, fd);
            comma = ",";
        }
    }
    text_add(text, "]");
}

/* What Landlock and the filter should refuse and the kernel alone would not. */
static void add_refusals(struct text *text, const char *forbidden)
{
    int root = answer_of(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int file = answer_of(open(forbidden, O_RDONLY | O_CLOEXEC));
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = sock < 0 ? answer_of(sock) : 0;
    if (sock >= 0) {
        const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        port = answer_of(bind(sock, (const struct sockaddr *)&address, sizeof address));
        (void)close(sock);
    }
    text_add(text, ",\"root\":%d,\"file\":%d,\"port\":%d", root < 0 ? root : 0, file < 0 ? file : 0,
            port);
    (void)close(root);
    (void)close(file);
    text_add(text, ",\"unshare\":%d", answer_of(unshare(0)));
}

static void report(const char *forbidden, uint64_t blocked)
{
    static struct text text;
    char cwd[256] = {0};
    text_add(&text, "{");
    add_ids(&text);
    add_capabilities(&text);
    add_attributes(&text, blocked);
    add_limits(&text);
    add_refusals(&text, forbidden);
    int variables = 0;
    while (environ[variables] != NULL) {
        variables++;
    }
    text_add(&text, ",\"cwd\":\"%s\",\"variables\":%d}\n",
            getcwd(cwd, sizeof cwd) != NULL ? cwd : "?", variables);
    ssize_t written = write(STDOUT_FILENO, text.bytes, text.used);
    (void)written;
}

/* Outlives this process, until init asks it to leave. */
static void stray(void)
{
    struct signal_seen seen;
    if (fork() == 0) {
        (void)setsid();
        (void)signal_wait(UINT64_C(1) << (SIGTERM - 1), PATIENCE_NS, &seen);
        sleep_ns(5000000);
        _exit(9);
    }
}

/* A child that is waited for, two that are not and become init's, and calls that are refused. */
static void work(void)
{
    stray();
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i > 0 && fork() > 0) {
                _exit(0);
            }
            sleep_ns(i * INT64_C(3000000));
            _exit(9);
        }
        if (child > 0) {
            (void)waitpid(child, NULL, 0);
        }
        (void)unshare(0);
        sleep_ns(2000000);
    }
    /* Longer than the last of them: after this process's own end nothing else may wake init. */
    sleep_ns(12000000);
}

/* 0, or the errno, of every way into another process. */
static void pry(pid_t pid)
{
    static const char *const files[] = {
            "mem", "environ", "maps", "auxv", "root", "cwd", "exe", "fd", "stack", "syscall"};
    static struct text text;
    char byte = 0;
    struct iovec local = {.iov_base = &byte, .iov_len = 1};
    struct iovec remote = {.iov_base = &text, .iov_len = 1};
    text_add(&text, "{\"ptrace\":%d", -answer_of(ptrace(PTRACE_SEIZE, pid, NULL, NULL)));
    int got = answer_of(process_vm_readv(pid, &local, 1, &remote, 1, 0));
    /* EFAULT: the look was allowed, only the address was a guess. */
    text_add(&text, ",\"process_vm_readv\":%d", got >= 0 || got == -EFAULT ? 0 : -got);
    int pidfd = answer_of(syscall(SYS_pidfd_open, pid, 0));
    int taken = pidfd < 0 ? pidfd : answer_of(syscall(SYS_pidfd_getfd, pidfd, 2, 0));
    text_add(&text, ",\"pidfd_getfd\":%d", taken < 0 ? -taken : 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[64];
        int length = snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
        int fd = length > 0 ? answer_of(open(path, O_RDONLY | O_CLOEXEC)) : -EINVAL;
        text_add(&text, ",\"%s\":%d", files[i], fd < 0 ? -fd : 0);
        (void)close(fd);
    }
    text_add(&text, "}\n");
    ssize_t written = write(STDOUT_FILENO, text.bytes, text.used);
    (void)written;
}

int main(int argc, char **argv)
{
    struct signal_seen seen;
    if (argc < 3) {
        return 125;
    }
    /* The report brings the signal: blocked first, then reported. */
    const uint64_t blocked = mask_get();
    mask_set(SIG_SETMASK, UINT64_C(1) << (SIGTERM - 1));
    report(argv[1], blocked);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "work") == 0) {
            work();
        } else if (strcmp(argv[i], "pry") == 0 && i + 1 < argc) {
            i++;
            pry((pid_t)number_or_die(argv[i], "pid"));
        } else if (strcmp(argv[i], "term") == 0) {
            return signal_wait(UINT64_C(1) << (SIGTERM - 1), PATIENCE_NS, &seen) ? 42 : 43;
        } else if (strcmp(argv[i], "exit") == 0) {
            return 42;
        }
    }
    return 125;
}
