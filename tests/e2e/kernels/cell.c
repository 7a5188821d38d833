/* SPDX-License-Identifier: Apache-2.0
 *
 * cell: a container made of nothing but system calls, for guests in which no engine runs. The
 * command is PID 1 of new PID, mount, network, IPC and UTS namespaces, with ROOT as its root file
 * system; the exit code is the command's, or 200 + the signal that killed it. Must never run on a
 * machine that somebody uses: it mounts below ROOT and does not clean up.
 *
 * cell [--user UID] [--caps docker] [--beside UID PROGRAM ARGUMENT] [--signal NUMBER FILE] ROOT
 * COMMAND...
 *
 * --user: start as this user, without capabilities. --caps docker: Docker's default capabilities in
 * place of all. --beside: when the command runs, start a process in the same container, as this
 * user.
 * --signal: when FILE (of the outer file system) exists, signal the command, from outside the
 * namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANNOT       125
#define KILLED       200
#define LAST_CAP     40
#define POLL_MS      5
#define NAMESPACES   (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define LEAKED_FIRST 3
#define LEAKED_LAST  4

/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
 * MKNOD AUDIT_WRITE SETFCAP */
#define DOCKER_CAPS 0xa80425fbULL

struct plan {
    uint64_t caps;
    long user;        /* -1: stay root */
    long beside_user; /* -1: nobody beside */
    char *beside[3];
    int signal;
    const char *signal_when;
    const char *root;
    char **command;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "cell: %s: %s\n", what, strerror(errno));
    _exit(CANNOT);
}

static void must(long result, const char *what)
{
    if (result < 0) {
        fail(what);
    }
}

static long number(const char *text)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        errno = EINVAL;
        fail(text);
    }
    return value;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL); /* a short sleep only makes a loop turn once more */
}

static void mount_at(const char *kind, const char *path, unsigned long flags, const char *data)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        fail(path);
    }
    must(mount(kind, path, kind, flags, data), path);
}

static void make_device(const char *path, unsigned int major, unsigned int minor)
{
    must(mknod(path, S_IFCHR | 0666, makedev(major, minor)), path);
    must(chmod(path, 0666), path);
}

/* What an OCI engine mounts, below the root that is to be. */
static void mount_all(const char *root)
{
    const unsigned long plain = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(chdir(root), root);
    mount_at("proc", "proc", plain, NULL);
    mount_at("sysfs", "sys", plain, NULL);
    mount_at("cgroup2", "sys/fs/cgroup", plain, NULL);
    mount_at("tmpfs", "dev", MS_NOSUID, "mode=755");
    make_device("dev/null", 1, 3);
    make_device("dev/zero", 1, 5);
    make_device("dev/full", 1, 7);
    make_device("dev/random", 1, 8);
    make_device("dev/urandom", 1, 9);
    make_device("dev/tty", 5, 0);
    mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    must(symlink("pts/ptmx", "dev/ptmx"), "dev/ptmx");
    mount_at("tmpfs", "dev/shm", plain, "mode=1777");
    mount_at("mqueue", "dev/mqueue", plain, NULL);
}

/* ROOT becomes the root of the mount namespace, not a chroot: the kernel makes a difference. */
static void enter_root(const char *root)
{
    mount_all(root);
    must(chdir(root), root);
    must(mount(".", "/", NULL, MS_MOVE, NULL), "move the root");
    must(chroot("."), "chroot");
    must(chdir("/"), "/");
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(fd, "socket");
    must(ioctl(fd, SIOCGIFFLAGS, &request), "loopback");
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    must(ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
    close(fd);
}

/* Permitted, effective and bounding; all capabilities are inheritable only where all are kept, so
 * that whoever changes the user of a root with everything can keep something. */
static void limit_capabilities(uint64_t caps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (unsigned long cap = 0; cap <= LAST_CAP; cap++) {
        if ((caps >> cap & 1) == 0) {
            must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
        }
    }
    for (unsigned int half = 0; half < 2; half++) {
        uint32_t word = (uint32_t)(caps >> (32 * half));
        data[half] = (struct __user_cap_data_struct){.effective = word,
                .permitted = word,
                .inheritable = caps == DOCKER_CAPS ? 0 : word};
    }
    must(syscall(SYS_capset, &header, data), "capset");
}

static void become(long user)
{
    must(setgroups(0, NULL), "setgroups");
    must(setresgid((gid_t)user, (gid_t)user, (gid_t)user), "setresgid");
    must(setresuid((uid_t)user, (uid_t)user, (uid_t)user), "setresuid");
}

/* The write end of `running` closes with the exec. */
static _Noreturn void run_command(const struct plan *plan)
{
    must(setsid(), "setsid");
    enter_root(plan->root);
    must(sethostname("cell", 4), "hostname");
    raise_loopback();
    for (int fd = LEAKED_FIRST; fd <= LEAKED_LAST; fd++) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        must(null, "/dev/null");
        must(dup2(null, fd), "dup2");
        if (null != fd) {
            close(null);
        }
    }
    limit_capabilities(plan->caps);
    if (plan->user >= 0) {
        become(plan->user);
    }
    execv(plan->command[0], plan->command);
    fail(plan->command[0]);
}

static void enter_namespaces_of(pid_t init)
{
    int pidfd = (int)syscall(SYS_pidfd_open, init, 0);
    must(pidfd, "pidfd_open");
    must(setns(pidfd, NAMESPACES), "setns");
    close(pidfd);
}

static pid_t start_beside(const struct plan *plan, pid_t init)
{
    pid_t helper = fork();
    must(helper, "fork");
    if (helper != 0) {
        return helper;
    }
    enter_namespaces_of(init);
    pid_t process = fork(); /* a PID namespace holds only those that are forked into it */
    must(process, "fork");
    if (process == 0) {
        limit_capabilities(plan->caps);
        become(plan->beside_user);
        execv(plan->beside[0], plan->beside);
        fail(plan->beside[0]);
    }
    _exit(0);
}

static int wait_for(const struct plan *plan, pid_t init)
{
    bool is_sent = plan->signal_when == NULL;
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(init, &status, WNOHANG);
        must(ended, "waitpid");
        if (ended == init) {
            break;
        }
        if (!is_sent && access(plan->signal_when, F_OK) == 0) {
            must(kill(init, plan->signal), "kill");
            is_sent = true;
        }
        pause_ms(POLL_MS);
    }
    if (!is_sent) {
        fprintf(stderr, "cell: the command ended before %s\n", plan->signal_when);
        return CANNOT;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

static int run(const struct plan *plan)
{
    int running[2];
    char none;
    must(pipe2(running, O_CLOEXEC), "pipe");
    /* Not in the place of the descriptors that are to leak. */
    int end = fcntl(running[1], F_DUPFD_CLOEXEC, LEAKED_LAST + 1);
    must(end, "pipe");
    close(running[1]);
    /* Not unshare: this process's later children are to stay outside. */
    pid_t init = (pid_t)syscall(SYS_clone, NAMESPACES | SIGCHLD, 0, 0, 0, 0);
    must(init, "clone");
    if (init == 0) {
        run_command(plan);
    }
    close(end);
    must(read(running[0], &none, 1), "the command's start");
    if (plan->beside_user >= 0) {
        int status = 0;
        must(waitpid(start_beside(plan, init), &status, 0), "waitpid");
    }
    return wait_for(plan, init);
}

static int usage(void)
{
    fputs("usage: cell [--user UID] [--caps docker] [--beside UID PROGRAM ARGUMENT] "
          "[--signal NUMBER FILE] ROOT COMMAND...\n",
            stderr);
    return CANNOT;
}

int main(int argc, char **argv)
{
    struct plan plan = {.caps = (1ULL << (LAST_CAP + 1)) - 1, .user = -1, .beside_user = -1};
    int at = 1;
    while (at < argc && strncmp(argv[at], "--", 2) == 0) {
        if (at + 1 < argc && strcmp(argv[at], "--user") == 0) {
            plan.user = number(argv[at + 1]);
            at += 2;
        } else if (at + 1 < argc && strcmp(argv[at], "--caps") == 0 &&
                strcmp(argv[at + 1], "docker") == 0) {
            plan.caps = DOCKER_CAPS;
            at += 2;
        } else if (at + 3 < argc && strcmp(argv[at], "--beside") == 0) {
            plan.beside_user = number(argv[at + 1]);
            plan.beside[0] = argv[at + 2];
            plan.beside[1] = argv[at + 3];
            at += 4;
        } else if (at + 2 < argc && strcmp(argv[at], "--signal") == 0) {
            plan.signal = (int)number(argv[at + 1]);
            plan.signal_when = argv[at + 2];
            at += 3;
        } else {
            return usage();
        }
    }
    if (at + 1 >= argc) {
        return usage();
    }
    plan.root = argv[at];
    plan.command = argv + at + 1;
    return run(&plan);
}
