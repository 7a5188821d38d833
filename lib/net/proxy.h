/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY protocol's header, version 2: who has come, told to whom a connection is handed on to.
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, 2.2. Bytes alone; opens nothing.
 */
#ifndef LAZ_NET_PROXY_H
#define LAZ_NET_PROXY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LAZ_PROXY_HEADER_MAX 52 /* bytes: with two IPv6 addresses */

/* How many bytes it has. Addresses that are neither IPv4 nor IPv6, or not of one family, are
 * "unknown": the receiver takes the connection's own. */
size_t laz_proxy_header(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
        uint8_t ret[LAZ_PROXY_HEADER_MAX]);

#endif
