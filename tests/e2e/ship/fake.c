/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lazaret-helper that does not keep to the catalogue of messages. Lies beside a copy of
 * lazaret-init; the file "do" beside it says how it misbehaves, and how often before it makes way
 * for the real one, which lies there as "real": "BEHAVIOUR TIMES", or "ROLE:BEHAVIOUR TIMES" where
 * it stands in for that role alone. Never touches what it was given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#define HEAD    8 /* bytes of a message before its fields */

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

/* Waits for a STATUS of this phase, which is its first byte. */
static void wait_for(unsigned status, unsigned phase)
{
    uint8_t bytes[20000];
    struct pollfd fds = {.fd = CHAN, .events = POLLIN};
    ssize_t n = 1;
    while (n != 0) {
        (void)poll(&fds, 1, -1);
        n = recv(CHAN, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > HEAD && (bytes[0] | bytes[1] << 8) == (int)status && bytes[HEAD] == phase) {
            return;
        }
    }
    _exit(8);
}

/* "say-WORD": says it at once. "at-STATUS-PHASE-MS-WORD": so long after it has heard of the phase.
 */
static void lie(const char *how)
{
    static const char forged[] = "forged";
    unsigned word = 0;
    unsigned status = 0;
    unsigned phase = 0;
    unsigned ms = 0;
    if (sscanf(how, "at-%u-%u-%u-%u", &status, &phase, &ms, &word) == 4) {
        wait_for(status, phase);
        (void)nanosleep(
                &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
        (void)tell((uint16_t)word, forged, sizeof forged, 0);
    } else if (sscanf(how, "say-%u", &word) == 1) {
        (void)tell((uint16_t)word, forged, sizeof forged, 0);
    }
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
    } else {
        lie(how);
    }
    stay();
}

/* The behaviour, or NULL: that is another role's. */
static const char *meant_for(const char *how, const char *role)
{
    const char *colon = strchr(how, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - how);
    if (colon == NULL) {
        return how;
    }
    return strlen(role) == length && strncmp(how, role, length) == 0 ? colon + 1 : NULL;
}

int main(int argc, char **argv)
{
    char path[4096] = "";
    char how[64] = "";
    unsigned times = 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
    char *slash = n > 0 ? strrchr(path, '/') : NULL;
    if (slash == NULL) {
        return 90;
    }
    memcpy(slash, "/do", sizeof "/do");
    FILE *file = fopen(path, "r+");
    if (file == NULL || fscanf(file, "%63s %u", how, &times) != 2) {
        return 91;
    }
    rewind(file);
    const char *behaviour = meant_for(how, argc > 1 ? argv[1] : "");
    if (times > 0 && behaviour != NULL) {
        (void)fprintf(file, "%s %u\n\n", how, times - 1);
        (void)fclose(file);
        misbehave(behaviour);
    }
    (void)fclose(file);
    memcpy(slash, "/real", sizeof "/real");
    (void)execv(path, argv);
    return 92;
}
