/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for the role `sense`, under a copy of lazaret-init: the file "do" beside it says how
 * it behaves. Any other role is the real helper's, which lies there as "real". Watches nothing.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHAN 3

/* lib/ipc/msg.def, in its order */
enum {
    BEGIN = 7,
    READY,
    EVENTS = 13
};

/* The next message: its type, and the descriptor that came with it. -1: init has gone. */
static int receive(int *ret_fd)
{
    static uint8_t bytes[16384];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr header = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes};
    struct pollfd world = {.fd = CHAN, .events = POLLIN};
    (void)poll(&world, 1, -1);
    ssize_t n = recvmsg(CHAN, &header, 0);
    if (n < 2) {
        return -1;
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_fd, CMSG_DATA(rights), sizeof *ret_fd);
    }
    return bytes[0] | bytes[1] << 8;
}

/* As lib/core/record.h has them. */
static void say(int events, const char *ev, const char *obj)
{
    static char line[8192];
    int n = snprintf(line, sizeof line,
            "{\"lz\":1,\"ev\":\"%s\",\"sev\":6,\"seq\":0,\"task\":\"\",\"ctr\":\"\",\"pid\":7,"
            "\"exe\":\"\","
            "\"obj\":\"%s\",\"act\":\"seen\",\"ts\":\"2026-11-22T12:00:00.000000Z\",\"d\":{}}\n",
            ev, obj);
    (void)!write(events, line, (size_t)n);
}

/* A record of its own with something behind its `d`. */
static void twist(int events, const char *more)
{
    char line[512];
    int n = snprintf(line, sizeof line,
            "{\"lz\":1,\"ev\":\"net.listen\",\"sev\":6,\"seq\":0,\"task\":\"\",\"ctr\":\"\","
            "\"pid\":7,"
            "\"exe\":\"\",\"obj\":\"twisted\",\"act\":\"seen\",\"ts\":\"2026-11-22T12:00:00."
            "000000Z\","
            "\"d\":{}%s}\n",
            more);
    (void)!write(events, line, (size_t)n);
}

/* JSON, of a name that it may use, and yet no records of lib/core/record.h's form. */
static void bend(int events)
{
#define HEAD(sev) "{\"lz\":1,\"ev\":\"fim.change\"," sev "\"task\":\"\",\"ctr\":\"\",\"pid\":7,"
#define TAIL(obj, ts)                                                                              \
    "\"exe\":\"\",\"obj\":\"" obj "\",\"act\":\"bent\",\"ts\":\"" ts "\",\"d\":{}}\n"
#define TIME "2026-11-22T12:00:00.000000Z"
    static const char *const lines[] = {
            "{\"lz\":1,\"ev\":\"fim.change\",\"d\":{}}\n",
            "{\"lz\":1,\"ev\":\"fim.change\",\"seq\":0,\"sev\":6,\"d\":{}}\n",
            HEAD("\"sev\":11,\"seq\":0,") TAIL("x", TIME),
            HEAD("\"sev\":6,") TAIL("x", TIME),
            HEAD("\"sev\":6,\"seq\":0,\"more\":0,") TAIL("x", TIME),
            HEAD("\"sev\":6,\"seq\":0,") TAIL("x", "2026-11-22 12:00:00.000000Z"),
            HEAD("\"sev\":6,\"seq\":0,") TAIL("a\\nb", TIME),
            HEAD("\"sev\":6,\"seq\":0,") "\"d\":{}}\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        (void)!write(events, lines[i], strlen(lines[i]));
    }
}

static const char *long_name(void)
{
    static char name[5000];
    memset(name, 'n', sizeof name - 1);
    return name;
}

static _Noreturn void watch(const char *how)
{
    static const uint8_t ready[8] = {READY};
    int events = -1;
    int fd = -1;
    for (int type = 0; type != BEGIN; type = receive(&fd)) {
        if (type < 0) {
            _exit(0);
        }
        events = type == EVENTS ? fd : events;
    }
    if (strcmp(how, "exit") == 0) {
        _exit(5);
    }
    if (strcmp(how, "mute") != 0) {
        (void)send(CHAN, ready, sizeof ready, MSG_NOSIGNAL);
    }
    say(events, "net.listen", "tcp/1");
    if (strcmp(how, "forge") == 0) {
        say(events, "init.stop", "workload-exit");
        say(events, "chain.final", "x");
        say(events, "log", "stdout");
        say(events, "net.listening", "x");
        (void)!write(events, "no record\n", 10);
        twist(events,
                ",\"ev\":\"init.stop\",\"d\":{}"); /* whoever reads keeps the last of a name */
        twist(events, ",\"chain\":\"00\",\"h\":{}");
        twist(events, ",\"d\":{}");
        say(events, "net.listen", "\033[2J");
        say(events, "net.listen", "\177");
        say(events, "net.listen", "\xff");
        say(events, "net.listen", long_name());
        bend(events);
        say(events, "fim.change", "/behind");
    }
    if (strcmp(how, "shout") == 0) { /* as fast as it is read, and faster */
        for (;;) {
            say(events, "net.listen", "tcp/2");
        }
    }
    while (receive(&fd) >= 0) {
    }
    say(events, "net.listen", "farewell");
    if (strcmp(how, "cut") == 0) {
        (void)!write(events, "{\"lz\":1", 7);
    }
    if (strcmp(how, "stay") == 0) {
        for (;;) {
            (void)pause();
        }
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    char path[4096] = "";
    char how[64] = "";
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
    char *slash = n > 0 ? strrchr(path, '/') : NULL;
    if (slash == NULL || argc != 2) {
        return 90;
    }
    if (strcmp(argv[1], "sense") != 0) {
        memcpy(slash, "/real", sizeof "/real");
        (void)execv(path, argv);
        return 92;
    }
    memcpy(slash, "/do", sizeof "/do");
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%63s", how) != 1) {
        return 91;
    }
    (void)fclose(file);
    if (strcmp(how, "real") == 0) {
        memcpy(slash, "/real", sizeof "/real");
        (void)execv(path, argv);
        return 92;
    }
    watch(how);
}
