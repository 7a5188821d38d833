/* SPDX-License-Identifier: Apache-2.0
 *
 * The static C server of the runtimes suite: HTTP on 8080, a thread for each connection. Each path
 * does one kind of thing that services do, and answers "ok" or 500 with the line that went wrong.
 * Ends itself with exit code 0 on SIGTERM. Must not start programs: it runs under an exec budget
 * of 1.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT = 8080,
    HEAD_LIMIT = 8192,
    BODY_LIMIT = 1 << 20,
    CREW = 8
};

/* Leave a piece of work with the line that did not hold. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return __LINE__;                                                                       \
        }                                                                                          \
    } while (0)

static atomic_uint folders;

static void folder_name(char *name, size_t size)
{
    (void)snprintf(name, size, "/tmp/static-%d-%u", (int)getpid(), atomic_fetch_add(&folders, 1));
}

static int count_entries(const char *name)
{
    DIR *folder = opendir(name);
    int count = 0;
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count - 2; /* . and .. */
}

static int work_files(void)
{
    char folder[64], fresh[80], old[80];
    folder_name(folder, sizeof folder);
    (void)snprintf(fresh, sizeof fresh, "%s/new", folder);
    (void)snprintf(old, sizeof old, "%s/old", folder);
    MUST(mkdir(folder, 0700) == 0);
    int fd = open(fresh, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    MUST(fd >= 0 && flock(fd, LOCK_EX) == 0 && posix_fallocate(fd, 0, 7000) == 0);
    for (int i = 0; i < 1000; i++) {
        MUST(write(fd, "record\n", 7) == 7);
    }
    MUST(fsync(fd) == 0 && ftruncate(fd, 700) == 0 && fchmod(fd, 0400) == 0);
    char *view = mmap(NULL, 700, PROT_READ, MAP_SHARED, fd, 0);
    MUST(view != MAP_FAILED && memcmp(view, "record\n", 7) == 0 && munmap(view, 700) == 0);
    MUST(close(fd) == 0 && rename(fresh, old) == 0 && symlink("old", fresh) == 0);
    struct stat status;
    MUST(stat(fresh, &status) == 0 && status.st_size == 700 && access(fresh, R_OK) == 0);
    MUST(chmod(old, 0600) == 0 && utimensat(AT_FDCWD, old, NULL, 0) == 0);
    MUST(count_entries(folder) == 2 && unlink(old) == 0 && unlink(fresh) == 0 &&
            rmdir(folder) == 0);
    return 0;
}

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int present, sum;
};

static void *crew_member(void *argument)
{
    struct shared *shared = argument;
    pthread_mutex_lock(&shared->lock);
    shared->sum += ++shared->present;
    pthread_cond_broadcast(&shared->changed);
    while (shared->present < CREW) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    pthread_mutex_unlock(&shared->lock);
    return NULL;
}

static int work_threads(void)
{
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t crew[CREW];
    for (int i = 0; i < CREW; i++) {
        MUST(pthread_create(&crew[i], NULL, crew_member, &shared) == 0);
    }
    for (int i = 0; i < CREW; i++) {
        MUST(pthread_join(crew[i], NULL) == 0);
    }
    MUST(shared.sum == CREW * (CREW + 1) / 2);
    return 0;
}

static int work_names(void)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM}, *found = NULL;
    MUST(getaddrinfo("localhost", "8080", &hints, &found) == 0 && found != NULL);
    freeaddrinfo(found);
    MUST(getaddrinfo("no-such-host.invalid", NULL, &hints, &found) != 0);
    return 0;
}

static int work_timers(void)
{
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    MUST(nanosleep(&pause, NULL) == 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct itimerspec once = {.it_value = pause};
    struct epoll_event event = {.events = EPOLLIN};
    MUST(timer >= 0 && epoll >= 0 && timerfd_settime(timer, 0, &once, NULL) == 0);
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0 &&
            epoll_wait(epoll, &event, 1, 5000) == 1);
    uint64_t ticks = 0;
    MUST(read(timer, &ticks, sizeof ticks) == sizeof ticks && ticks == 1);
    close(epoll);
    close(timer);
    return 0;
}

static int exchange_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    folder_name(address.sun_path, sizeof address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
            listen(listener, 1) == 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    int server = accept(listener, NULL, NULL);
    char seen[8];
    MUST(server >= 0 && send(client, "unix", 4, MSG_NOSIGNAL) == 4 &&
            recv(server, seen, 4, 0) == 4);
    close(server);
    close(client);
    close(listener);
    MUST(unlink(address.sun_path) == 0);
    return 0;
}

static int work_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)connect(client, (struct sockaddr *)&address, sizeof address);
    struct pollfd ready = {.fd = client, .events = POLLOUT};
    MUST(poll(&ready, 1, 5000) == 1);
    int failure = -1;
    socklen_t size = sizeof failure;
    MUST(getsockopt(client, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0);
    close(client);

    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr = address.sin_addr};
    int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        two = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size = sizeof bound;
    MUST(bind(one, (struct sockaddr *)&bound, size) == 0 &&
            getsockname(one, (struct sockaddr *)&bound, &size) == 0);
    char seen[16];
    MUST(sendto(two, "datagram", 8, 0, (struct sockaddr *)&bound, size) == 8 &&
            recv(one, seen, sizeof seen, 0) == 8);
    close(one);
    close(two);
    return exchange_unix();
}

/* A child process that runs no other program, and a pipe to it. */
static int work_runtime(void)
{
    int pair[2];
    MUST(pipe(pair) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        _exit(write(pair[1], "child", 5) == 5 ? 7 : 1);
    }
    int status = 0;
    char seen[8];
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    MUST(read(pair[0], seen, sizeof seen) == 5);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int answer(int fd, int code, const char *body, size_t size)
{
    char head[128];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\n\r\n", code, size);
    if (send(fd, head, (size_t)n, MSG_NOSIGNAL | MSG_MORE) != n) {
        return -1;
    }
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(fd, body + sent, size - sent, MSG_NOSIGNAL);
        if (more <= 0) {
            return -1;
        }
        sent += (size_t)more;
    }
    return 0;
}

static int answer_get(int fd, const char *path)
{
    static const struct {
        const char *path;
        int (*run)(void);
    } works[] = {
            {"/files ", work_files},
            {"/threads ", work_threads},
            {"/names ", work_names},
            {"/timers ", work_timers},
            {"/sockets ", work_sockets},
            {"/runtime ", work_runtime},
    };
    if (strncmp(path, "/hello ", 7) == 0) {
        return answer(fd, 200, "hello\n", 6);
    }
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (strncmp(path, works[i].path, strlen(works[i].path)) == 0) {
            int line = works[i].run();
            char why[32];
            int length = snprintf(why, sizeof why, "line %d", line);
            return line == 0 ? answer(fd, 200, "ok", 2) : answer(fd, 500, why, (size_t)length);
        }
    }
    return answer(fd, 404, "", 0);
}

/* Send back a body, the first bytes of which came with the head. */
static int answer_post(int fd, const char *head, const char *start, size_t present)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");
    size_t size = field == NULL ? 0 : strtoul(field + 17, NULL, 10);
    char *body = size > BODY_LIMIT || present > size ? NULL : malloc(size + 1);
    if (body == NULL) {
        return -1;
    }
    memcpy(body, start, present);
    while (present < size) {
        ssize_t more = recv(fd, body + present, size - present, 0);
        if (more <= 0) {
            free(body);
            return -1;
        }
        present += (size_t)more;
    }
    int result = answer(fd, 200, body, size);
    free(body);
    return result;
}

/* The requests of one connection, one after the other, until the client leaves. */
static void *converse(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char head[HEAD_LIMIT + 1];
    for (size_t length = 0; length < HEAD_LIMIT;) {
        ssize_t more = recv(fd, head + length, HEAD_LIMIT - length, 0);
        if (more <= 0) {
            break;
        }
        length += (size_t)more;
        head[length] = '\0';
        const char *end = strstr(head, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        const char *body = end + 4;
        bool post = strncmp(head, "POST ", 5) == 0;
        size_t present = length - (size_t)(body - head);
        if ((post ? answer_post(fd, head, body, present) : answer_get(fd, head + 4)) != 0) {
            break;
        }
        length = 0;
    }
    close(fd);
    return NULL;
}

static void *serve(void *argument)
{
    int listener = (int)(intptr_t)argument;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (fd < 0 || pthread_create(&thread, NULL, converse, (void *)(intptr_t)fd) != 0) {
            perror("connection");
            _exit(1);
        }
        pthread_detach(thread);
    }
}

int main(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
            setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
            bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
            listen(listener, 64) != 0) {
        perror("listen");
        return 1;
    }
    pthread_t server;
    if (pthread_create(&server, NULL, serve, (void *)(intptr_t)listener) != 0) {
        perror("thread");
        return 1;
    }
    puts("serving");
    fflush(stdout);
    int signal_number = 0;
    return sigwait(&stop, &signal_number);
}
