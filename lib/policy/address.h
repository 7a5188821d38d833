/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of hosts and HOST:PORT, as text. Looks nothing up.
 */
#ifndef LAZ_POLICY_ADDRESS_H
#define LAZ_POLICY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parts of the text that was split; borrowed from it. */
struct laz_address {
    const char *host; /* without brackets, not terminated */
    size_t host_length;
    uint16_t port;
};

/* false unless it is a host, a colon and a port; ret is then left alone. IPv6 is "[::1]:6514". */
bool laz_address_split(const char *text, size_t length, struct laz_address *ret);

/* An address and a port, or "unix:" and an absolute path: that is then the host, and the port 0. No
 * names: who listens, or is nearby, is not looked up. */
bool laz_socket_split(const char *text, size_t length, struct laz_address *ret);

/* A name of letters, digits, -, _ and dots, or an address of either family. */
bool laz_host_is_valid(const char *text, size_t length);

/* The address in network order, of IPv4 as ::ffff:a.b.c.d. false: it is a name. */
bool laz_host_bytes(const char *text, size_t length, uint8_t ret[16]);

/* Does it stay on this host: 127.0.0.0/8, ::1 or "localhost"? By text. */
bool laz_host_is_loopback(const char *text, size_t length);

#endif
