/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lazaret-helper whose role fetch brings what it is told to. Lies beside a copy of lazaret-init,
 * with three things beside it: "real", which is every other role; "values", a folder in which the
 * file N is the value of item N (of one that is not there, what was inherited, or it is absent);
 * and "do", "BEHAVIOUR TIMES": how it misbehaves, and how often before it brings everything.
 * "seen" counts its starts, a byte each. Says nothing that the catalogue does not have.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHAN      3
#define ITEMS_MAX 32
#define SEALS     (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define BIG       (2 * 65536 + 2)

/* lib/ipc/msg.def, in its order */
enum {
    BEGIN = 7,
    READY = 8,
    FAILED = 9,
    INHERITED = 16,
    WANT = 18,
    ITEM = 19,
    VALUE = 20,
    MASKS = 21,
    DONE = 22
};

/* Kinds of errors, in their order. */
#define LAZ_ERROR(id, name, exit_code, cause, remedy) KIND_##id,
enum {
    KIND_NONE,
#include "../../../lib/core/err.def"
};
#undef LAZ_ERROR

static int inherited[ITEMS_MAX];
static uint32_t wanted;
static char folder[4096];

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(90);
}

static void say(uint16_t type, const void *fields, uint32_t length, int fd)
{
    static uint8_t bytes[4096];
    const uint8_t head[8] = {(uint8_t)type, (uint8_t)(type >> 8), 0, 0, (uint8_t)length,
            (uint8_t)(length >> 8), 0, 0};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    memcpy(bytes, head, sizeof head);
    if (length > 0) {
        memcpy(bytes + sizeof head, fields, length);
    }
    struct iovec part = {bytes, sizeof head + length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    if (sendmsg(CHAN, &header, MSG_NOSIGNAL) < 0) {
        _exit(0);
    }
}

/* Until BEGIN. */
static void hear(void)
{
    (void)fcntl(CHAN, F_SETFL, 0);
    for (;;) {
        static uint8_t bytes[20000];
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr header = {.msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(CHAN, &header, MSG_CMSG_CLOEXEC);
        if (n < 8) {
            _exit(0);
        }
        if (bytes[0] == INHERITED) {
            memcpy(&inherited[bytes[8] % ITEMS_MAX], CMSG_DATA(CMSG_FIRSTHDR(&header)),
                    sizeof(int));
        }
        if (bytes[0] == WANT) {
            memcpy(&wanted, bytes + 8, sizeof wanted);
        }
        if (bytes[0] == BEGIN) {
            return;
        }
    }
}

static const char *beside(const char *name)
{
    static char path[8192];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int memory_of(const void *bytes, size_t length, unsigned seals)
{
    int fd = memfd_create("lazaret-value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length ||
            fcntl(fd, F_ADD_SEALS, seals) < 0) {
        die("memfd");
    }
    return fd;
}

static int value_of(int item, unsigned seals)
{
    static char bytes[BIG];
    char name[32];
    (void)snprintf(name, sizeof name, "values/%d", item);
    int fd = open(beside(name), O_RDONLY | O_CLOEXEC);
    fd = fd < 0 ? inherited[item] : fd;
    if (fd < 0) {
        return -1;
    }
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    int value = memory_of(bytes, n > 0 ? (size_t)n : 0, seals);
    memset(bytes, 0, sizeof bytes);
    return value;
}

static void say_item(uint32_t number, uint8_t outcome, const char *version)
{
    uint8_t fields[256] = {(uint8_t)number, (uint8_t)(number >> 8), 0, 0, outcome};
    const char *fingerprint = outcome == 0 ? "0011223344556677" : "";
    const char *const strings[] = {
            version, fingerprint, outcome == 0 ? "" : "not-found: no such file"};
    size_t at = 21; /* behind when to renew it, and when it expires */
    for (size_t i = 0; i < 3; i++) {
        memcpy(fields + at, strings[i], strlen(strings[i]) + 1);
        at += strlen(strings[i]) + 1;
    }
    say(ITEM, fields, (uint32_t)at, -1);
}

static void bring(uint32_t item, unsigned seals)
{
    const uint8_t number[4] = {(uint8_t)item};
    int fd = value_of((int)item, seals);
    say_item(item, fd < 0, fd < 0 ? "" : "v1");
    if (fd >= 0) {
        say(VALUE, number, sizeof number, fd);
        (void)close(fd);
    }
}

static void bring_masks(uint32_t item)
{
    static uint8_t bytes[70000];
    const uint8_t number[4] = {(uint8_t)item};
    int value = value_of((int)item, 0);
    ssize_t n = value < 0 ? -1 : pread(value, bytes + 4, 66000, 0);
    if (n < 0) {
        return;
    }
    const uint8_t length[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 0};
    memcpy(bytes, length, sizeof length);
    int fd = memory_of(bytes, n < 6 ? 0 : sizeof length + (size_t)n, SEALS);
    say(MASKS, number, sizeof number, fd);
    (void)close(fd);
    (void)close(value);
}

static void fail(const char *text)
{
    uint8_t fields[512] = {KIND_SECRET};
    memcpy(fields + 4, text, strlen(text) + 1);
    say(FAILED, fields, (uint32_t)(5 + strlen(text)), -1);
    _exit(1);
}

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static _Noreturn void stay(void)
{
    for (;;) {
        pause_ms(1000);
    }
}

/* True: and go on as if nothing had been. */
static int misbehave(const char *how)
{
    if (strcmp(how, "dies") == 0) {
        _exit(5);
    }
    say(READY, NULL, 0, -1);
    if (strcmp(how, "failed") == 0) {
        fail("secrets.items[one]: denied: AccessDeniedException (request 4711)");
    } else if (strcmp(how, "crash") == 0) {
        bring(0, SEALS);
        _exit(5);
    } else if (strcmp(how, "silent") == 0) {
        stay();
    } else if (strcmp(how, "slow") == 0) {
        pause_ms(700);
        return 1;
    } else if (strcmp(how, "unsealed") == 0) {
        bring(0, F_SEAL_WRITE | F_SEAL_SEAL);
    } else if (strcmp(how, "large") == 0) {
        static char big[BIG];
        const uint8_t number[4] = {0};
        say(VALUE, number, sizeof number, memory_of(big, sizeof big, SEALS));
    } else if (strcmp(how, "folder") == 0) {
        const uint8_t number[4] = {0};
        say(VALUE, number, sizeof number, open("/", O_RDONLY | O_CLOEXEC));
    } else if (strcmp(how, "number") == 0) {
        say_item(77, 1, "");
    } else if (strcmp(how, "early") == 0) {
        say(DONE, NULL, 0, -1);
    } else if (strcmp(how, "leaves") == 0) {
        _exit(0);
    }
    stay();
}

static int count_items(void)
{
    FILE *file = fopen(beside("count"), "r");
    int n = 0;
    if (file == NULL || fscanf(file, "%d", &n) != 1) {
        die("count");
    }
    (void)fclose(file);
    return n;
}

static void bring_all(int is_ready, int has_masks)
{
    int n = count_items();
    if (!is_ready) {
        say(READY, NULL, 0, -1);
    }
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        if ((wanted >> i & 1U) != 0) {
            bring(i, SEALS);
        }
        if ((wanted >> i & 1U) != 0 && has_masks) {
            bring_masks(i);
        }
    }
    say(DONE, NULL, 0, -1);
}

int main(int argc, char **argv)
{
    char how[64] = "";
    int times = 0;
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *slash = n > 0 ? strrchr(folder, '/') : NULL;
    if (slash == NULL) {
        return 91;
    }
    *slash = '\0';
    if (argc != 2 || strcmp(argv[1], "fetch") != 0) {
        (void)execv(beside("real"), argv);
        return 92;
    }
    (void)prctl(PR_SET_NAME, "lazaret-fetch", 0UL, 0UL, 0UL);
    (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
    int seen = open(beside("seen"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (seen < 0 || write(seen, "x", 1) != 1) {
        die("seen");
    }
    memset(inherited, -1, sizeof inherited);
    hear();
    FILE *file = fopen(beside("do"), "r+");
    if (file == NULL || fscanf(file, "%63s %d", how, &times) != 2) {
        die("do");
    }
    int is_ready = 0;
    if (times > 0) {
        rewind(file);
        (void)fprintf(file, "%s %d\n\n", how, times - 1);
        (void)fclose(file);
        is_ready = misbehave(how);
    }
    bring_all(is_ready, strcmp(how, "unmasked") != 0);
    if (strcmp(how, "stays") == 0) {
        stay();
    }
    return 0;
}
