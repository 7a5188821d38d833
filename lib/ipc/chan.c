/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending and receiving messages. libc only: linked into PID 1.
 */
#include "ipc/chan.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for more descriptors than any message has, so that a violation is seen and not cut. */
#define FDS_ROOM 8

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FDS_ROOM)];
};

int laz_chan_pair(int ret[2], struct laz_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "socketpair");
    }
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;
}

int laz_chan_send(
        int chan, const struct laz_buf *message, const int *fds, size_t n_fds, struct laz_err *err)
{
    union control control = {0};
    struct iovec part = {.iov_base = message->data, .iov_len = message->len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds); /* libcs disagree */
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
        (void)memcpy(CMSG_DATA(rights), fds, sizeof(int) * n_fds);
    }
    ssize_t n = 0;
    do {
        n = sendmsg(chan, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "sendmsg");
    }
    return 0;
}

/* The descriptors of a received message, which the kernel puts into one piece. */
static size_t take_fds(struct msghdr *header, int fds[FDS_ROOM])
{
    const struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    if (rights == NULL || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t n = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    n = n < FDS_ROOM ? n : FDS_ROOM;
    (void)memcpy(fds, CMSG_DATA(rights), n * sizeof(int));
    return n;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)close(fds[i]);
    }
}

enum laz_chan_got laz_chan_receive(int chan, struct laz_route route, uint8_t *memory, size_t size,
        struct laz_message *ret, struct laz_err *err)
{
    union control control = {0};
    struct iovec part = {.iov_base = memory, .iov_len = size};
    struct msghdr header = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof(control.bytes)};
    ssize_t n = 0;
    do {
        n = recvmsg(chan, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        return LAZ_CHAN_NOTHING;
    }
    int fds[FDS_ROOM];
    size_t n_fds = n < 0 ? 0 : take_fds(&header, fds);
    if (n <= 0) { /* a packet without a byte may still bring some */
        close_all(fds, n_fds);
        return LAZ_CHAN_CLOSED;
    }
    bool is_cut = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if ((header.msg_flags & MSG_CTRUNC) != 0 && n_fds < FDS_ROOM) { /* ours, and not the sender's */
        (void)laz_err_set(err, LAZ_E_SYSTEM, EMFILE,
                "no descriptor is left for what %s sends: the limit of open files is too low",
                laz_role_name(route.from));
    } else if (is_cut) {
        (void)laz_err_set(err, LAZ_E_INTERNAL, 0, "%s sent a message that is too long",
                laz_role_name(route.from));
    }
    if (is_cut || laz_message_parse(memory, (size_t)n, n_fds, route, ret, err) < 0) {
        close_all(fds, n_fds);
        return LAZ_CHAN_VIOLATION;
    }
    (void)memcpy(ret->fds, fds, sizeof(int) * n_fds);
    return LAZ_CHAN_MESSAGE;
}
