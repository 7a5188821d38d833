/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lazaret-helper that does not keep to the catalogue of messages. Lies beside a copy of
 * lazaret-init; the file "do" beside it says how it misbehaves, and how often before it makes way
 * for the real one, which lies there as "real": "BEHAVIOUR TIMES". Never touches what it was given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHAN    3
#define FDS_MAX 200

/* lib/ipc/msg.def, in its order */
enum {
    START,
    READY = 8,
    FAILED,
    ACKED,
    FLUSHED = 12
};

static int forward(const void *bytes, size_t length, size_t n_fds, int flags)
{
    static union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control;
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds > 0) {
        memset(&control, 0, sizeof control);
        header.msg_control = control.bytes;
        header.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
        for (size_t i = 0; i < n_fds; i++) {
            int fd = 0;
            memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    return sendmsg(CHAN, &header, flags | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int tell(uint16_t type, const void *fields, uint32_t length, size_t n_fds)
{
    static uint8_t bytes[70000];
    const uint8_t head[8] = {(uint8_t)type, (uint8_t)(type >> 8), 0, 0, (uint8_t)length,
            (uint8_t)(length >> 8), (uint8_t)(length >> 16), 0};
    memcpy(bytes, head, sizeof head);
    if (length > 0) {
        memcpy(bytes + sizeof head, fields, length);
    }
    return forward(bytes, sizeof head + length, n_fds, 0);
}

static _Noreturn void stay(void)
{
    for (;;) {
        (void)pause();
    }
}

static void fail(uint32_t kind, const char *text, uint32_t length)
{
    static uint8_t fields[1000];
    const uint8_t number[4] = {(uint8_t)kind, (uint8_t)(kind >> 8), 0, 0};
    memcpy(fields, number, sizeof number);
    memcpy(fields + sizeof number, text, length);
    (void)tell(FAILED, fields, length + 4, 0);
}

/* The channel is a socket that does not block: wait until it takes more. */
static _Noreturn void flood(uint16_t type)
{
    static const uint8_t few[4] = {0};
    int flags = fcntl(CHAN, F_GETFL);
    (void)fcntl(CHAN, F_SETFL, flags & ~O_NONBLOCK);
    while (tell(type, few, type == FLUSHED ? 4 : 0, 0) == 0 || errno == EINTR) {
    }
    _exit(7);
}

static void misbehave(const char *how)
{
    static const uint8_t garbage[40] = {0xde, 0xad, 0xbe, 0xef};
    static const uint8_t long_text[6000] = {1};
    const uint8_t none[4] = {0};
    if (strncmp(how, "ready-", 6) == 0) {
        (void)tell(READY, NULL, 0, 0);
        how += 6;
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    if (strcmp(how, "garbage") == 0) {
        (void)forward(garbage, sizeof garbage, 0, 0);
    } else if (strcmp(how, "empty") == 0) {
        (void)forward(garbage, 0, 0, 0);
    } else if (strcmp(how, "short") == 0) {
        (void)forward(garbage, 3, 0, 0);
    } else if (strcmp(how, "long") == 0) {
        (void)tell(FAILED, long_text, sizeof long_text, 0);
    } else if (strcmp(how, "forbidden") == 0) {
        (void)tell(START, none, 1, 1);
    } else if (strcmp(how, "unknown") == 0) {
        (void)tell(999, NULL, 0, 0);
    } else if (strcmp(how, "descriptor") == 0) {
        (void)tell(READY, NULL, 0, 1);
    } else if (strcmp(how, "descriptors") == 0) {
        (void)tell(READY, NULL, 0, FDS_MAX);
    } else if (strcmp(how, "failed") == 0) {
        fail(65535, "\033[31mno such kind", 17);
        fail(1, "no end", 6);
        _exit(1);
    } else if (strcmp(how, "close") == 0) {
        (void)close(CHAN);
    } else if (strcmp(how, "exit") == 0) {
        _exit(5);
    } else if (strcmp(how, "stop") == 0) {
        (void)raise(SIGSTOP);
    } else if (strcmp(how, "flood") == 0) {
        flood(ACKED);
    } else if (strcmp(how, "flushed") == 0) {
        flood(FLUSHED);
    }
    stay();
}

int main(int argc, char **argv)
{
    char path[4096] = "";
    char how[64] = "";
    unsigned times = 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
    char *slash = n > 0 ? strrchr(path, '/') : NULL;
    (void)argc;
    if (slash == NULL) {
        return 90;
    }
    memcpy(slash, "/do", sizeof "/do");
    FILE *file = fopen(path, "r+");
    if (file == NULL || fscanf(file, "%63s %u", how, &times) != 2) {
        return 91;
    }
    rewind(file);
    if (times > 0) {
        (void)fprintf(file, "%s %u\n\n", how, times - 1);
        (void)fclose(file);
        misbehave(how);
    }
    (void)fclose(file);
    memcpy(slash, "/real", sizeof "/real");
    (void)execv(path, argv);
    return 92;
}
