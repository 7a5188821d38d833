/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts over the network, all of them within the container's own loopback: a refused connection
 * is a connection that was attempted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

static int make_socket(unsigned long family, unsigned long type, unsigned long protocol)
{
    return attack_result_fd(syscall(SYS_socket, family, type, protocol));
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static int tcp_connect(int protocol, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return errno;
    }
    return attack_reached(
            connect(fd, (const struct sockaddr *)&address, sizeof(address)), ECONNREFUSED);
}

static int tcp_bind(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    return attack_result(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
}

/* ---- Families, types and protocols ---- */

int attack_af_packet(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

int attack_sock_packet(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_INET, 10 /* SOCK_PACKET, which the kernel turns into AF_PACKET */, 0);
}

int attack_af_alg(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

int attack_af_alg_wide(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_ALG | ATTACK_UPPER_HALF, SOCK_SEQPACKET, 0);
}

int attack_af_vsock(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_VSOCK, SOCK_STREAM, 0);
}

int attack_af_vsock_wide(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_VSOCK | ATTACK_UPPER_HALF, SOCK_STREAM, 0);
}

int attack_af_bluetooth(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_BLUETOOTH, SOCK_RAW, 0);
}

int attack_af_key(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_KEY, SOCK_RAW, 2);
}

int attack_af_xdp(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_XDP, SOCK_RAW, 0);
}

int attack_af_smc(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_SMC, SOCK_STREAM, 0);
}

int attack_netlink_generic(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

int attack_netlink_audit(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
}

int attack_netlink_uevent(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
}

int attack_netlink_wide(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC | ATTACK_UPPER_HALF);
}

int attack_sock_raw(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

int attack_sock_raw_flags(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
}

/* ---- TCP past Landlock ---- */

int attack_connect_unlisted(struct attack_note *note)
{
    (void)note;
    return tcp_connect(0, ATTACK_PORT_CONNECT + 1);
}

int attack_connect_mapped(struct attack_note *note)
{
    (void)note;
    struct sockaddr_in6 address = {
            .sin6_family = AF_INET6, .sin6_port = htons(ATTACK_PORT_CONNECT + 1)};
    if (inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr) != 1) {
        return EINVAL;
    }
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    return attack_reached(
            connect(fd, (const struct sockaddr *)&address, sizeof(address)), ECONNREFUSED);
}

int attack_connect_mptcp(struct attack_note *note)
{
    (void)note;
    return tcp_connect(IPPROTO_MPTCP, ATTACK_PORT_CONNECT + 1);
}

int attack_connect_mptcp_flags(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP | ATTACK_UPPER_HALF);
}

static int fast_open(long number, unsigned long flags)
{
    struct sockaddr_in address = loopback(ATTACK_PORT_CONNECT + 1);
    struct iovec data = {.iov_base = &address, .iov_len = 1};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &address,
                                      .msg_namelen = sizeof(address),
                                      .msg_iov = &data,
                                      .msg_iovlen = 1}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    long rc;
    if (number == SYS_sendto) {
        rc = syscall(number, fd, data.iov_base, data.iov_len, flags, &address, sizeof(address));
    } else if (number == SYS_sendmsg) {
        rc = syscall(number, fd, &message.msg_hdr, flags);
    } else {
        rc = syscall(number, fd, &message, 1, flags);
    }
    return attack_reached(rc, ECONNREFUSED);
}

int attack_fast_open_sendto(struct attack_note *note)
{
    (void)note;
    return fast_open(SYS_sendto, MSG_FASTOPEN | MSG_NOSIGNAL);
}

int attack_fast_open_sendto_wide(struct attack_note *note)
{
    (void)note;
    return fast_open(SYS_sendto, MSG_FASTOPEN | MSG_NOSIGNAL | ATTACK_UPPER_HALF);
}

int attack_fast_open_sendmsg(struct attack_note *note)
{
    (void)note;
    return fast_open(SYS_sendmsg, MSG_FASTOPEN | MSG_NOSIGNAL);
}

int attack_fast_open_sendmmsg(struct attack_note *note)
{
    (void)note;
    return fast_open(SYS_sendmmsg, MSG_FASTOPEN | MSG_NOSIGNAL);
}

int attack_fast_open_connect(struct attack_note *note)
{
    (void)note;
    struct sockaddr_in address = loopback(ATTACK_PORT_CONNECT + 1);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) != 0) {
        return errno;
    }
    return attack_reached(
            connect(fd, (const struct sockaddr *)&address, sizeof(address)), ECONNREFUSED);
}

int attack_bind_unlisted(struct attack_note *note)
{
    (void)note;
    return tcp_bind(ATTACK_PORT_BIND + 1);
}

int attack_bind_any_port(struct attack_note *note)
{
    (void)note;
    return tcp_bind(0);
}

int attack_listen_unbound(struct attack_note *note)
{
    (void)note;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : attack_result(listen(fd, 1));
}

int attack_udp(struct attack_note *note)
{
    (void)note;
    struct sockaddr_in address = loopback(53);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    return attack_result(sendto(fd, "x", 1, 0, (const struct sockaddr *)&address, sizeof(address)));
}

/* ---- Terminals: without one, ENOTTY shows that the call went through ---- */

static int terminal(unsigned long command, const void *argument)
{
    return attack_reached(syscall(SYS_ioctl, STDIN_FILENO, command, argument), ENOTTY);
}

int attack_tiocsti(struct attack_note *note)
{
    (void)note;
    return terminal(TIOCSTI, " ");
}

int attack_tiocsti_wide(struct attack_note *note)
{
    (void)note;
    return terminal(TIOCSTI | ATTACK_UPPER_HALF, " ");
}

int attack_tioclinux(struct attack_note *note)
{
    (void)note;
    char subcode = 6; /* reads the state of the shift keys */
    int result = terminal(TIOCLINUX, &subcode);
    return result == EINVAL ? 0 : result; /* allowed to, but this terminal is no virtual console */
}

int attack_tiocsetd(struct attack_note *note)
{
    (void)note;
    int discipline = 0; /* the one that it has */
    return terminal(TIOCSETD, &discipline);
}

/* ---- Controls ---- */

int attack_control_bind(struct attack_note *note)
{
    (void)note;
    return tcp_bind(ATTACK_PORT_BIND);
}

int attack_control_connect(struct attack_note *note)
{
    (void)note;
    return tcp_connect(0, ATTACK_PORT_CONNECT);
}

int attack_control_netlink_route(struct attack_note *note)
{
    (void)note;
    return make_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int attack_control_unix_pair(struct attack_note *note)
{
    (void)note;
    int ends[2];
    return attack_result(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
}
