/* SPDX-License-Identifier: Apache-2.0
 *
 * A channel between two roles: messages whole and in order, descriptors beside them; and what a
 * peer that breaks the rules leaves behind, which is nothing.
 */
#include "ipc/chan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define FDS_MAX 64

static int pair[2];
static char memory[LAZ_MESSAGE_MAX];
static uint8_t received[LAZ_MESSAGE_MAX];
static struct laz_buf buf;
static struct laz_message message;
static struct laz_err err;

static void set_up(void)
{
    err = (struct laz_err){0};
    cr_assert_eq(laz_chan_pair(pair, &err), 0, "%s", err.message);
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
}

TestSuite(chan, .init = set_up);

static int count_fds(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

static void begin(enum laz_message_type type, uint8_t field)
{
    laz_message_begin(&buf, type);
    laz_message_u8(&buf, field);
    cr_assert(laz_message_end(&buf));
}

static enum laz_chan_got receive(enum laz_role from, enum laz_role to, size_t size)
{
    err = (struct laz_err){0};
    return laz_chan_receive(pair[1], (struct laz_route){from, to}, received, size, &message, &err);
}

/* As somebody else would who has the socket: any bytes, any descriptors. */
static ssize_t send_raw(const void *bytes, size_t length, size_t n_fds)
{
    static union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = laz_unconst(bytes), .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
        for (size_t i = 0; i < n_fds; i++) {
            (void)memcpy(CMSG_DATA(rights) + i * sizeof(int), &pair[0], sizeof(int));
        }
    }
    return sendmsg(pair[0], &header, MSG_NOSIGNAL);
}

Test(chan, messages_arrive_whole_in_order_and_then_there_are_none)
{
    for (uint8_t i = 0; i < 20; i++) {
        begin(LAZ_MESSAGE_FACTS, i);
        cr_assert_eq(laz_chan_send(pair[0], &buf, NULL, 0, &err), 0, "%s", err.message);
    }
    for (uint8_t i = 0; i < 20; i++) {
        struct laz_fields fields;
        cr_assert_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_MESSAGE);
        laz_fields_begin(&fields, &message);
        cr_expect_eq(laz_fields_u8(&fields), i);
        cr_expect(laz_fields_done(&fields));
    }
    cr_expect_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_NOTHING);
    (void)close(pair[0]);
    cr_expect_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_CLOSED);
}

/* The kernel carries descriptors without a byte, and such a packet looks like the end. */
Test(chan, descriptors_without_a_byte_are_the_end_and_do_not_stay)
{
    cr_assert_eq(send_raw("", 0, 2), 0);
    int before = count_fds();
    cr_expect_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_CLOSED);
    cr_expect_eq(count_fds(), before);
}

Test(chan, descriptors_arrive_in_order_and_are_not_inherited)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    begin(LAZ_MESSAGE_STREAM, LAZ_STREAM_STDOUT);
    cr_assert_eq(laz_chan_send(pair[0], &buf, ends, 2, &err), 0, "%s", err.message);
    cr_assert_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_MESSAGE);
    cr_assert_eq(message.n_fds, 2);
    char byte = 0;
    cr_expect_eq(write(message.fds[1], "x", 1), 1);
    cr_expect_eq(read(message.fds[0], &byte, 1), 1);
    cr_expect_eq(byte, 'x');
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(fcntl(message.fds[i], F_GETFD), FD_CLOEXEC);
    }
}

/* Whoever sent them has broken no rule, and is not blamed for it. */
Test(chan, descriptors_for_which_none_is_left_are_our_own_limit_and_do_not_stay)
{
    struct rlimit limit;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    begin(LAZ_MESSAGE_STREAM, LAZ_STREAM_STDOUT);
    cr_assert_eq(laz_chan_send(pair[0], &buf, ends, 2, &err), 0, "%s", err.message);
    int next = dup(ends[0]);
    cr_assert_geq(next, 0);
    (void)close(next);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)next + 1; /* room for one of the two */
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    enum laz_chan_got got = receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received));
    cr_expect_eq(fcntl(next, F_GETFD), -1, "the one that came is closed");
    limit.rlim_cur = before;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(got, LAZ_CHAN_VIOLATION);
    cr_expect(err.kind == LAZ_E_SYSTEM && err.sys_errno == EMFILE);
    cr_expect_str_eq(err.message,
            "no descriptor is left for what init sends: the limit of open files is too low");
}

Test(chan, both_ends_are_not_inherited_and_do_not_block)
{
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(fcntl(pair[i], F_GETFD), FD_CLOEXEC);
        cr_expect_neq(fcntl(pair[i], F_GETFL) & O_NONBLOCK, 0);
    }
}

Test(chan, any_other_number_of_descriptors_is_a_violation_that_leaves_none)
{
    begin(LAZ_MESSAGE_STREAM, LAZ_STREAM_STDOUT);
    for (size_t n = 0; n <= FDS_MAX; n++) {
        int before = count_fds();
        cr_assert_geq(send_raw(buf.data, buf.len, n), 0, "%zu descriptors: %s", n, strerror(errno));
        enum laz_chan_got got = receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received));
        cr_expect_eq(got, n == 2 ? LAZ_CHAN_MESSAGE : LAZ_CHAN_VIOLATION, "%zu descriptors", n);
        cr_expect(n == 2 || err.kind == LAZ_E_INTERNAL, "%zu descriptors", n);
        for (size_t i = 0; got == LAZ_CHAN_MESSAGE && i < message.n_fds; i++) {
            (void)close(message.fds[i]);
        }
        cr_expect_eq(count_fds(), before, "%zu descriptors: some are left", n);
    }
}

Test(chan, who_may_not_say_it_leaves_no_descriptor_either)
{
    int before = count_fds();
    begin(LAZ_MESSAGE_STREAM, LAZ_STREAM_STDOUT);
    for (size_t n = 0; n <= 3; n++) {
        cr_assert_geq(send_raw(buf.data, buf.len, n), 0);
        cr_expect_eq(receive(LAZ_ROLE_SHIP, LAZ_ROLE_INIT, sizeof(received)), LAZ_CHAN_VIOLATION);
        cr_expect_not_null(strstr(err.message, "ship may not send message"), "%s", err.message);
    }
    cr_expect_eq(count_fds(), before);
}

Test(chan, what_does_not_fit_is_a_violation_that_leaves_no_descriptor)
{
    int before = count_fds();
    laz_message_begin(&buf, LAZ_MESSAGE_CONFIG);
    for (size_t i = 0; i < 100; i++) {
        laz_message_u8(&buf, 1);
    }
    cr_assert(laz_message_end(&buf));
    for (size_t size = LAZ_MESSAGE_HEADER; size < buf.len + 2; size++) {
        cr_assert_geq(send_raw(buf.data, buf.len, size % 2), 0);
        enum laz_chan_got wanted =
                size >= buf.len && size % 2 == 0 ? LAZ_CHAN_MESSAGE : LAZ_CHAN_VIOLATION;
        cr_expect_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, size), wanted, "room for %zu", size);
    }
    cr_expect_eq(count_fds(), before);
}

Test(chan, any_bytes_are_a_violation)
{
    uint32_t chance = 1;
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t bytes[64];
        size_t length = 1 + i % sizeof(bytes);
        for (size_t k = 0; k < length; k++) {
            chance = chance * 1664525U + 1013904223U;
            bytes[k] = (uint8_t)(chance >> 24);
        }
        bytes[length > 2 ? 2 : 0] |= 0x80; /* which is zero in every message */
        cr_assert_geq(send_raw(bytes, length, 0), 0);
        cr_expect_eq(receive(LAZ_ROLE_INIT, LAZ_ROLE_SHIP, sizeof(received)), LAZ_CHAN_VIOLATION);
    }
}

Test(chan, a_peer_that_does_not_read_makes_nobody_wait)
{
    unsigned sent = 0;
    begin(LAZ_MESSAGE_FACTS, 1);
    while (laz_chan_send(pair[0], &buf, NULL, 0, &err) == 0) {
        cr_assert_lt(++sent, 1000000U, "it takes all for ever");
    }
    cr_expect_eq(err.kind, LAZ_E_SYSTEM);
    cr_expect(err.sys_errno == EAGAIN || err.sys_errno == ENOBUFS, "%s", err.message);
    cr_expect_gt(sent, 10U);
}

Test(chan, a_peer_that_has_gone_is_an_error_and_no_signal)
{
    (void)close(pair[1]);
    begin(LAZ_MESSAGE_FACTS, 1);
    cr_expect_eq(laz_chan_send(pair[0], &buf, NULL, 0, &err), -1);
    cr_expect_eq(err.sys_errno, EPIPE);
}
