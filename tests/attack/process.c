/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on other processes: on PID 1 and on a bystander of the same user, by signals, by
 * tracing, by their memory and by their files in /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

/* Without Lazaret PID 1 is this same program, so this address is mapped there too. */
static const char known_text[] = "attack";

/* The path of a file of the bystander's; false if there is no bystander. */
static bool bystander_path(char *path, size_t size, const char *file)
{
    pid_t pid = attack_bystander_pid();
    (void)snprintf(path, size, "/proc/%d/%s", pid, file);
    return pid != 0;
}

static int read_one(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int result = attack_result(read(fd, &byte, 1));
    close(fd);
    return result;
}

int attack_ptrace_init(struct attack_note *note)
{
    (void)note;
    return attack_result(ptrace(PTRACE_SEIZE, 1, NULL, NULL));
}

int attack_ptrace_traceme(struct attack_note *note)
{
    (void)note;
    return attack_result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

int attack_ptrace_bystander(struct attack_note *note)
{
    pid_t pid = attack_bystander_pid();
    if (pid == 0) {
        return attack_say(note, "no-bystander");
    }
    return attack_result(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static int transfer(long number)
{
    char buffer[sizeof(known_text)];
    memcpy(buffer, known_text, sizeof(buffer));
    struct iovec local = {.iov_base = buffer, .iov_len = sizeof(buffer)};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)known_text, .iov_len = sizeof(buffer)};
    /* EFAULT: allowed to, but the page is read-only or not there. */
    return attack_reached(syscall(number, 1, &local, 1, &remote, 1, 0), EFAULT);
}

int attack_vm_readv_init(struct attack_note *note)
{
    (void)note;
    return transfer(SYS_process_vm_readv);
}

int attack_vm_writev_init(struct attack_note *note)
{
    (void)note;
    return transfer(SYS_process_vm_writev);
}

int attack_init_memory(struct attack_note *note)
{
    (void)note;
    return attack_open("/proc/1/mem", O_RDWR);
}

int attack_init_environ(struct attack_note *note)
{
    (void)note;
    return read_one("/proc/1/environ");
}

int attack_init_root(struct attack_note *note)
{
    (void)note;
    return read_one("/proc/1/root/etc/passwd");
}

int attack_init_exe_write(struct attack_note *note)
{
    (void)note;
    /* ETXTBSY: allowed to, had the program not been running. */
    int result = attack_open("/proc/1/exe", O_WRONLY);
    return result == ETXTBSY ? 0 : result;
}

int attack_init_oom_score(struct attack_note *note)
{
    (void)note;
    return attack_open("/proc/1/oom_score_adj", O_WRONLY);
}

int attack_own_oom_score(struct attack_note *note)
{
    (void)note;
    return attack_open("/proc/self/oom_score_adj", O_WRONLY);
}

int attack_bystander_environ(struct attack_note *note)
{
    char path[64];
    if (!bystander_path(path, sizeof(path), "environ")) {
        return attack_say(note, "no-bystander");
    }
    return read_one(path);
}

int attack_pidfd_getfd_init(struct attack_note *note)
{
    (void)note;
    long pidfd = syscall(SYS_pidfd_open, 1, 0);
    if (pidfd < 0) {
        return errno;
    }
    return attack_result_fd(syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

int attack_pidfd_signal_init(struct attack_note *note)
{
    /* A directory of /proc serves as well as a descriptor from pidfd_open. */
    int fd = open("/proc/1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return attack_say(note, "open:%s", attack_errno_name(errno));
    }
    return attack_result(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

int attack_kcmp_init(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_kcmp, getpid(), 1, 0, 0, 0));
}

int attack_process_madvise(struct attack_note *note)
{
    (void)note;
    struct iovec nothing = {.iov_base = NULL, .iov_len = 0};
    return attack_reached(syscall(SYS_process_madvise, -1, &nothing, 1, MADV_COLD, 0), EBADF);
}

int attack_process_mrelease(struct attack_note *note)
{
    (void)note;
    return attack_reached(syscall(SYS_process_mrelease, -1, 0), EBADF);
}

int attack_move_pages_init(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_move_pages, 1, 0, NULL, NULL, NULL, 0));
}

int attack_kill_init(struct attack_note *note)
{
    (void)note;
    return attack_result(kill(1, 0));
}

int attack_tgkill_init(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_tgkill, 1, 1, 0));
}

int attack_kill_bystander(struct attack_note *note)
{
    pid_t pid = attack_bystander_pid();
    return pid == 0 ? attack_say(note, "no-bystander") : attack_result(kill(pid, 0));
}

int attack_stop_by_kill(struct attack_note *note)
{
    return kill(1, SIGTERM) != 0 ? errno : attack_stop_sent(note);
}

/* The sender of a queued signal fills in the sender's id itself: 0 looks like somebody outside. */
int attack_stop_by_forged_sender(struct attack_note *note)
{
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
    info.si_pid = 0;
    return syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &info) != 0 ? errno : attack_stop_sent(note);
}

/* A signal for input on a pipe is sent by the kernel, so its sender's id is 0 as well. */
int attack_stop_by_sigio(struct attack_note *note)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    if (fcntl(ends[0], F_SETOWN, 1) != 0 || fcntl(ends[0], F_SETSIG, SIGTERM) != 0 ||
            fcntl(ends[0], F_SETFL, O_ASYNC) != 0 || write(ends[1], "x", 1) != 1) {
        return errno;
    }
    return attack_stop_sent(note);
}

int attack_rlimit_of_init(struct attack_note *note)
{
    (void)note;
    /* What it is already: harmless, and the same permission as for taking its descriptors or CPU
     * time away. */
    struct rlimit old;
    if (prlimit(1, RLIMIT_NOFILE, NULL, &old) != 0) {
        return errno;
    }
    return attack_result(prlimit(1, RLIMIT_NOFILE, &old, NULL));
}

int attack_priority_of_init(struct attack_note *note)
{
    (void)note;
    errno = 0;
    int priority = getpriority(PRIO_PROCESS, 1);
    return errno != 0 ? errno : attack_result(setpriority(PRIO_PROCESS, 1, priority));
}

int attack_affinity_of_init(struct attack_note *note)
{
    (void)note;
    cpu_set_t cpus;
    if (sched_getaffinity(1, sizeof(cpus), &cpus) != 0) {
        return errno;
    }
    return attack_result(sched_setaffinity(1, sizeof(cpus), &cpus));
}

int attack_realtime(struct attack_note *note)
{
    (void)note;
    struct sched_param param = {.sched_priority = 0};
    return attack_result(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
}

static int connect_bystander(const struct sockaddr_un *address, size_t length)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    return attack_result(connect(fd, (const struct sockaddr *)address, (socklen_t)length));
}

int attack_abstract_socket(struct attack_note *note)
{
    if (attack_bystander_pid() == 0) {
        return attack_say(note, "no-bystander");
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, ATTACK_BYSTANDER_ABSTRACT, sizeof(ATTACK_BYSTANDER_ABSTRACT) - 1);
    return connect_bystander(
            &address, offsetof(struct sockaddr_un, sun_path) + sizeof(ATTACK_BYSTANDER_ABSTRACT));
}

int attack_named_socket(struct attack_note *note)
{
    if (attack_bystander_pid() == 0) {
        return attack_say(note, "no-bystander");
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ATTACK_BYSTANDER_SOCKET};
    return connect_bystander(&address, sizeof(address));
}

/* The limit counts every process of the user on the machine, so none may be left for the next
 * attempt. */
int attack_fork_many(struct attack_note *note)
{
    (void)note;
    pid_t children[600];
    int result = 0;
    size_t n = 0;
    while (n < sizeof(children) / sizeof(children[0]) && result == 0) {
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        if (child < 0) {
            result = errno;
        } else {
            children[n++] = child;
        }
    }
    while (n > 0) {
        (void)kill(children[--n], SIGKILL); /* ours, not waited for: it exists */
        (void)waitpid(children[n], NULL, 0);
    }
    return result;
}
