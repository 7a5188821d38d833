/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of the suite about sense: does what it is told, one line after another, from a file
 * that grows, and says in another how many lines are done. Must do nothing that it was not told to.
 *
 * act ORDERS DONE; act sleep|headless|split=UID|grow
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 64
#define LINE_BYTES  1024

static int sockets[SOCKETS_MAX];
static unsigned n_sockets;

static _Noreturn void die(const char *what)
{
    dprintf(STDERR_FILENO, "act: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static void nap(long ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&time, NULL);
}

static void open_port(int family, int type, const char *port)
{
    struct sockaddr_in6 six = {
            .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)strtoul(port, NULL, 10))};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
    int fd = socket(family, type, 0);
    const int one = 1;
    const struct sockaddr *address = family == AF_INET ? (void *)&four : (void *)&six;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (fd < 0 || n_sockets == SOCKETS_MAX ||
            bind(fd, address, family == AF_INET ? sizeof(four) : sizeof(six)) < 0 ||
            (type == SOCK_STREAM && listen(fd, 1) < 0)) {
        die("port");
    }
    sockets[n_sockets++] = fd;
}

/* "ADDRESS PORT": says on standard error what connect(2) made of it. */
static void open_connection(char *where)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    char *port = strchr(where, ' ');
    bool is_six = strchr(where, ':') != NULL;
    if (port == NULL || n_sockets == SOCKETS_MAX) {
        die("connection");
    }
    *port++ = '\0';
    four.sin_port = six.sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (fd < 0 ||
            inet_pton(is_six ? AF_INET6 : AF_INET, where,
                    is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) != 1) {
        die("connection");
    }
    int result =
            connect(fd, is_six ? (void *)&six : (void *)&four, is_six ? sizeof(six) : sizeof(four));
    dprintf(STDERR_FILENO, "connect %s %s: %s\n", where, port,
            result < 0 ? strerror(errno) : "done");
    sockets[n_sockets++] = fd;
}

static void close_ports(void)
{
    while (n_sockets > 0) {
        (void)close(sockets[--n_sockets]);
    }
}

/* ---- Processes that are more than their first thread, or become more than they were ---- */

static void *wait_for_ever(void *context)
{
    for (;;) {
        (void)pause();
    }
    return context;
}

static void start_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) {
        die("thread");
    }
}

/* The first thread ends, and another lives. */
static _Noreturn void lose_head(void)
{
    start_thread();
    (void)syscall(SYS_exit, 0L);
    die("exit");
}

/* From here on it is somebody else's child. */
static void leave_parent(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) {
        _exit(pid < 0 ? 99 : 0);
    }
    while (getppid() == parent) {
        nap(1);
    }
}

/* The first thread is what the workload is; another stays root. */
static _Noreturn void split(const char *uid)
{
    const long id = strtol(uid, NULL, 10);
    struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const struct sock_fprog program = {.len = 1, .filter = all};
    leave_parent();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        die("filter");
    }
    start_thread();
    if (syscall(SYS_setgroups, 0L, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
            syscall(SYS_setresuid, id, id, id) < 0) {
        die("user");
    }
    (void)wait_for_ever(NULL);
    die("split");
}

/* After a second it can hand on what it can do. */
static _Noreturn void grow(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    leave_parent();
    nap(900);
    if (syscall(SYS_capget, &header, sets) < 0) {
        die("capget");
    }
    sets[0].inheritable |= 1U << CAP_NET_BIND_SERVICE;
    if (syscall(SYS_capset, &header, sets) < 0 ||
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0UL, 0UL) < 0) {
        die("ambient");
    }
    (void)wait_for_ever(NULL);
    die("grow");
}

static void copy_self(int to)
{
    struct stat status;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0 || fstat(self, &status) < 0 ||
            sendfile(to, self, NULL, (size_t)status.st_size) != status.st_size) {
        die("copy");
    }
    (void)close(self);
}

/* Nobody sees into it, and it is never the same for long. */
static void hide_again_and_again(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
        while (fork() == 0) {
            nap(400);
        }
        _exit(0);
    }
}

/* Below so many folders that no path leads there. */
static _Noreturn void run_deep(const char *path)
{
    char name[251];
    char *const argv[] = {"act", "sleep", NULL};
    (void)memset(name, 'd', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    if (mkdir(path, 0777) < 0 || chdir(path) < 0) {
        die("folder");
    }
    for (unsigned i = 0; i < 20; i++) {
        if (mkdir(name, 0777) < 0 || chdir(name) < 0) {
            die("folder");
        }
    }
    int fd = open("program", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    copy_self(fd);
    (void)close(fd);
    (void)execv("./program", argv);
    die("exec");
}

static _Noreturn void run_child(const char *verb, const char *path)
{
    char *const argv[] = {"act", strcmp(verb, "headless") == 0 ? "headless" : "sleep", NULL};
    if (strcmp(verb, "deep") == 0) {
        run_deep(path);
    }
    if (strcmp(verb, "memfd") == 0) {
        int fd = memfd_create(path, MFD_CLOEXEC);
        copy_self(fd);
        (void)fexecve(fd, argv, environ);
    } else if (path != NULL) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        copy_self(fd);
        (void)close(fd);
        (void)execv(path, argv);
    } else {
        (void)execv("/proc/self/exe", argv);
    }
    die("exec");
}

static void start(const char *verb, const char *path)
{
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        run_child(verb, path);
    }
    if (strcmp(verb, "deleted") == 0) {
        nap(100);
        (void)unlink(path);
    }
}

/* A write that no system call makes. */
static void write_mapped(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        die("map");
    }
    map[0] = (char)(map[0] ^ 1);
}

static void obey(char *line)
{
    char *argument = strchr(line, ' ');
    if (argument != NULL) {
        *argument++ = '\0';
    }
    if (strcmp(line, "tcp") == 0) {
        open_port(AF_INET, SOCK_STREAM, argument);
    } else if (strcmp(line, "tcp6") == 0) {
        open_port(AF_INET6, SOCK_STREAM, argument);
    } else if (strcmp(line, "udp") == 0) {
        open_port(AF_INET, SOCK_DGRAM, argument);
    } else if (strcmp(line, "connect") == 0) {
        open_connection(argument);
    } else if (strcmp(line, "close") == 0) {
        close_ports();
    } else if (strcmp(line, "map") == 0) {
        write_mapped(argument);
    } else if (strcmp(line, "hide") == 0) {
        (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
    } else if (strcmp(line, "rehide") == 0) {
        hide_again_and_again();
    } else if (strcmp(line, "userns") == 0) {
        if (unshare(CLONE_NEWUSER) < 0) {
            die("unshare");
        }
    } else if (strcmp(line, "exit") == 0) {
        (void)kill(0, SIGKILL);
    } else {
        start(line, argument);
    }
}

static _Noreturn void become(const char *what)
{
    if (strcmp(what, "headless") == 0) {
        lose_head();
    }
    if (strncmp(what, "split=", strlen("split=")) == 0) {
        split(what + strlen("split="));
    }
    if (strcmp(what, "grow") == 0) {
        grow();
    }
    (void)wait_for_ever(NULL);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        become(argv[1]);
    }
    char line[LINE_BYTES];
    FILE *orders = argc == 3 ? fopen(argv[1], "re") : NULL;
    int done = argc == 3 ? open(argv[2], O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (orders == NULL || done < 0) {
        die("files");
    }
    for (;;) {
        if (fgets(line, sizeof(line), orders) == NULL) {
            clearerr(orders);
            nap(10);
            (void)waitpid(-1, NULL, WNOHANG);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        obey(line);
        if (write(done, "x", 1) != 1) {
            die("write");
        }
    }
}
