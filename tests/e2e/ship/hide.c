/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands between lazaret-init and lazaret-helper, passes on what each says to the other, and says
 * HIDE to the helper in init's name. Lies beside a copy of lazaret-init; the real helper lies there
 * as "real". The file "do" beside it has: "HOW BEGIN READY HIDE HIDDEN ITEM...", how it does so,
 * the numbers of those messages, and of which items it sends what is in the files masks-0, masks-1,
 * ...; "hidden" gets a line for each answer. Never hides from init that the helper has ended.
 *
 * HOW: orders, before BEGIN; later, when a file "go" is there; both; unsealed and seals, likewise
 * before BEGIN, with no seals or not all; never.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHAN      3
#define FDS_MAX   4
#define LOOK_MS   10
#define BYTES_MAX 70000
#define ITEMS_MAX 256

static char folder[4096];
static char how[32];
static unsigned begin_type, ready_type, hide_type, hidden_type;
static unsigned items[ITEMS_MAX];
static unsigned n_items;

static int open_beside(const char *name, int flags)
{
    char path[sizeof folder + 16];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static _Noreturn void die(const char *what)
{
    int fd = open_beside("broken", O_WRONLY | O_CREAT | O_APPEND);
    dprintf(fd, "%s: %s\n", what, strerror(errno));
    _exit(93);
}

struct packet {
    uint8_t bytes[BYTES_MAX];
    ssize_t length;
    int fds[FDS_MAX];
    size_t n_fds;
};

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

static void send_packet(int to, const struct packet *packet)
{
    union control control;
    struct iovec part = {(void *)(uintptr_t)packet->bytes, (size_t)packet->length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (packet->n_fds > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * packet->n_fds);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * packet->n_fds);
        memcpy(CMSG_DATA(rights), packet->fds, sizeof(int) * packet->n_fds);
    }
    while (sendmsg(to, &header, MSG_NOSIGNAL) < 0 && (errno == EAGAIN || errno == EINTR)) {
        struct pollfd room = {.fd = to, .events = POLLOUT};
        (void)poll(&room, 1, LOOK_MS);
    }
    for (size_t i = 0; i < packet->n_fds; i++) {
        (void)close(packet->fds[i]);
    }
}

/* False: there is nothing, or nobody. */
static bool receive_packet(int from, struct packet *packet)
{
    union control control;
    struct iovec part = {packet->bytes, sizeof packet->bytes};
    struct msghdr header = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes};
    packet->n_fds = 0;
    packet->length = recvmsg(from, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = packet->length > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (rights != NULL) {
        packet->n_fds = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(packet->fds, CMSG_DATA(rights), sizeof(int) * packet->n_fds);
    }
    return packet->length > 0;
}

static bool is_of_type(const struct packet *packet, unsigned type)
{
    return packet->length >= 8 && (unsigned)(packet->bytes[0] | packet->bytes[1] << 8) == type;
}

static int make_masks(unsigned number)
{
    static char bytes[9 << 20];
    char name[32];
    int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    (void)snprintf(name, sizeof name, "masks-%u", number);
    int from = open_beside(name, O_RDONLY);
    int fd = memfd_create("masks", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0 || fd < 0 || write(fd, bytes, (size_t)n) != n) {
        die("masks");
    }
    seals = strcmp(how, "unsealed") == 0 ? 0 : strcmp(how, "seals") == 0 ? F_SEAL_WRITE : seals;
    if (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) {
        die("seals");
    }
    (void)close(from);
    return fd;
}

static void say_hide(int helper)
{
    static struct packet packet;
    for (unsigned i = 0; i < n_items; i++) {
        packet = (struct packet){.length = 12, .n_fds = 1};
        packet.bytes[0] = (uint8_t)hide_type;
        packet.bytes[1] = (uint8_t)(hide_type >> 8);
        packet.bytes[4] = 4; /* bytes: u32 item */
        packet.bytes[8] = (uint8_t)items[i];
        packet.fds[0] = make_masks(i);
        send_packet(helper, &packet);
    }
}

static void note_hidden(void)
{
    int fd = open_beside("hidden", O_WRONLY | O_CREAT | O_APPEND);
    if (fd < 0 || write(fd, "hidden\n", 7) != 7) {
        die("hidden");
    }
    (void)close(fd);
}

static bool has_to_go(void)
{
    int fd = open_beside("go", O_RDONLY);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static void carry(int helper)
{
    static struct packet packet;
    bool says_first = strcmp(how, "later") != 0 && strcmp(how, "never") != 0;
    bool says_later = strcmp(how, "later") == 0 || strcmp(how, "both") == 0;
    bool is_ready = false;
    for (;;) {
        struct pollfd both[] = {{.fd = CHAN, .events = POLLIN}, {.fd = helper, .events = POLLIN}};
        (void)poll(both, 2, LOOK_MS);
        while (receive_packet(CHAN, &packet)) {
            if (says_first && is_of_type(&packet, begin_type)) {
                say_hide(helper);
            }
            send_packet(helper, &packet);
        }
        if (packet.length == 0) {
            return;
        }
        while (receive_packet(helper, &packet)) {
            is_ready = is_ready || is_of_type(&packet, ready_type);
            if (is_of_type(&packet, hidden_type)) {
                note_hidden();
            } else {
                send_packet(CHAN, &packet);
            }
        }
        if (packet.length == 0) {
            return;
        }
        if (is_ready && says_later && has_to_go()) {
            says_later = false;
            say_hide(helper);
        }
    }
}

int main(int argc, char **argv)
{
    int ends[2];
    int status = 0;
    char real[sizeof folder + 8];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *slash = n > 0 ? strrchr(folder, '/') : NULL;
    (void)argc;
    if (slash == NULL) {
        return 90;
    }
    *slash = '\0';
    FILE *file = fdopen(open_beside("do", O_RDONLY), "r");
    if (file == NULL ||
            fscanf(file, "%31s %u %u %u %u", how, &begin_type, &ready_type, &hide_type,
                    &hidden_type) != 5) {
        return 91;
    }
    while (n_items < ITEMS_MAX && fscanf(file, "%u", &items[n_items]) == 1) {
        n_items++;
    }
    (void)fclose(file);
    (void)snprintf(real, sizeof real, "%s/real", folder);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        return 92;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], CHAN);
        (void)execv(real, argv);
        _exit(94);
    }
    (void)close(ends[1]);
    carry(ends[0]);
    (void)close(ends[0]);
    (void)close(CHAN);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
