/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of /proc/net/tcp, tcp6, udp or udp6, and whether somebody listens there.
 */
#ifndef LAZ_SENSE_SOCKET_H
#define LAZ_SENSE_SOCKET_H

#include "core/err.h"
#include "policy/sense.h"

#define LAZ_SOCKET_TEXT_MAX 64 /* "[ffff:...:ffff]:65535/tcp" */

struct laz_socket {
    enum laz_sense_protocol protocol;
    bool is_v6;
    uint8_t address[16]; /* in network order; of IPv4 the first four */
    uint16_t port;
    uint16_t remote_port;
    uint8_t remote[16];
    uint32_t state; /* as the kernel numbers them: 10 is TCP's LISTEN, 7 what UDP has unconnected */
    uint32_t uid;   /* of whoever made it */
    uint64_t inode;
};

/* Of which file the line is: ret->protocol and ret->is_v6 are the caller's. false if it is not of
 * that form; the first line of each file is not. */
bool laz_socket_parse(const char *line, size_t length, struct laz_socket *ret);

/* Does it wait for somebody? Of UDP, ports that the kernel gives to those who ask for none are a
 * client's as often as a server's, and count as the former. */
bool laz_socket_listens(const struct laz_socket *socket, uint16_t first_given, uint16_t last_given);

bool laz_socket_is_expected(const struct laz_socket *socket, const struct laz_sense_config *config);

/* Is it reached from this host alone: 127.0.0.0/8, of IPv6 as well, or ::1? */
bool laz_socket_is_local(const struct laz_socket *socket);

/* A connection with somebody beyond this host at a port that is for TLS alone, where nobody said
 * that clear text is right. */
bool laz_socket_is_plain(const struct laz_socket *socket, const struct laz_sense_config *config);

/* Who is at the other end, as the policy writes it. */
void laz_socket_peer(const struct laz_socket *socket, struct laz_sense_peer *ret);
void laz_socket_format_peer(const struct laz_socket *socket, char *ret, size_t size);

/* "127.0.0.1:8443/tcp", "[::1]:53/udp" */
void laz_socket_format(const struct laz_socket *socket, char *ret, size_t size);

#endif
