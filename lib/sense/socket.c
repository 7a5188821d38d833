/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc/net/{tcp,tcp6,udp,udp6}. proc_net(5); tcp4_seq_show, udp4_seq_show of the kernel.
 */
#include "sense/socket.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sense/proc_text.h"

#define TCP_CONNECTED   1
#define TCP_WE_CLOSED   5 /* FIN_WAIT2: what was sent has arrived */
#define TCP_WE_CLOSE    4
#define TCP_THEY_CLOSED 8
#define TCP_LISTENS     10
#define UDP_UNCONNECTED 7
#define WORD_DIGITS     8
#define FIELDS_BETWEEN  3 /* queues, timer, retransmissions */

/* The kernel prints each word of the address as a number of its own byte order. */
static bool take_address(struct laz_proc_text *text, bool is_v6, uint8_t *ret)
{
    size_t words = is_v6 ? 4 : 1;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = 0;
        struct laz_proc_text digits = {.at = text->at, .end = text->at + WORD_DIGITS};
        if ((size_t)(text->end - text->at) < WORD_DIGITS ||
                !laz_proc_text_number(&digits, LAZ_DIGITS_CAPITAL, UINT32_MAX, &word) ||
                digits.at != digits.end) {
            return false;
        }
        uint32_t bytes = (uint32_t)word;
        (void)memcpy(ret + 4 * i, &bytes, sizeof(bytes));
        text->at += WORD_DIGITS;
    }
    return true;
}

static bool take_end(
        struct laz_proc_text *text, bool is_v6, uint8_t address[16], uint16_t *ret_port)
{
    uint64_t port = 0;
    laz_proc_text_skip_blanks(text);
    if (!take_address(text, is_v6, address) || !laz_proc_text_char(text, ':') ||
            !laz_proc_text_number(text, LAZ_DIGITS_CAPITAL, UINT16_MAX, &port)) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

bool laz_socket_parse(const char *line, size_t length, struct laz_socket *ret)
{
    struct laz_proc_text text = {.at = line, .end = line + length};
    struct laz_socket socket = {.protocol = ret->protocol, .is_v6 = ret->is_v6};
    uint64_t slot = 0;
    uint64_t state = 0;
    uint64_t uid = 0;
    laz_proc_text_skip_blanks(&text);
    if (!laz_proc_text_number(&text, LAZ_DIGITS_10, UINT64_MAX, &slot) ||
            !laz_proc_text_char(&text, ':') ||
            !take_end(&text, socket.is_v6, socket.address, &socket.port) ||
            !take_end(&text, socket.is_v6, socket.remote, &socket.remote_port)) {
        return false;
    }
    laz_proc_text_skip_blanks(&text);
    if (!laz_proc_text_number(&text, LAZ_DIGITS_CAPITAL, UINT32_MAX, &state)) {
        return false;
    }
    for (unsigned i = 0; i < FIELDS_BETWEEN; i++) {
        if (!laz_proc_text_skip_field(&text)) {
            return false;
        }
    }
    laz_proc_text_skip_blanks(&text);
    if (!laz_proc_text_number(&text, LAZ_DIGITS_10, UINT32_MAX, &uid) ||
            !laz_proc_text_skip_field(&text)) {
        return false;
    }
    laz_proc_text_skip_blanks(&text);
    if (!laz_proc_text_number(&text, LAZ_DIGITS_10, UINT64_MAX, &socket.inode)) {
        return false;
    }
    socket.state = (uint32_t)state;
    socket.uid = (uint32_t)uid;
    *ret = socket;
    return true;
}

bool laz_socket_listens(const struct laz_socket *socket, uint16_t first_given, uint16_t last_given)
{
    if (socket->protocol == LAZ_SENSE_TCP) {
        return socket->state == TCP_LISTENS;
    }
    bool is_given = socket->port >= first_given && socket->port <= last_given;
    return socket->state == UDP_UNCONNECTED && socket->port != 0 && socket->remote_port == 0 &&
            !is_given;
}

bool laz_socket_is_expected(const struct laz_socket *socket, const struct laz_sense_config *config)
{
    for (uint32_t i = 0; i < config->n_ports; i++) {
        if (config->ports[i].port == socket->port &&
                config->ports[i].protocol == socket->protocol) {
            return true;
        }
    }
    return false;
}

/* IPv4 as IPv6 maps it: one form for both. */
static void widen(bool is_v6, const uint8_t address[16], uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (is_v6) {
        (void)memcpy(ret, address, 16);
    } else {
        (void)memcpy(ret, mapped, sizeof(mapped));
        (void)memcpy(ret + sizeof(mapped), address, 4);
    }
}

static bool is_loopback(bool is_v6, const uint8_t address[16])
{
    struct in6_addr wide;
    widen(is_v6, address, wide.s6_addr);
    return IN6_IS_ADDR_LOOPBACK(&wide) ||
            (IN6_IS_ADDR_V4MAPPED(&wide) && wide.s6_addr[12] == IN_LOOPBACKNET);
}

bool laz_socket_is_local(const struct laz_socket *socket)
{
    return is_loopback(socket->is_v6, socket->address);
}

void laz_socket_peer(const struct laz_socket *socket, struct laz_sense_peer *ret)
{
    *ret = (struct laz_sense_peer){.port = socket->remote_port};
    widen(socket->is_v6, socket->remote, ret->address);
}

static bool is_connected(const struct laz_socket *socket)
{
    return socket->protocol == LAZ_SENSE_TCP &&
            (socket->state == TCP_CONNECTED || socket->state == TCP_WE_CLOSE ||
                    socket->state == TCP_WE_CLOSED || socket->state == TCP_THEY_CLOSED);
}

bool laz_socket_is_plain(const struct laz_socket *socket, const struct laz_sense_config *config)
{
    struct laz_sense_peer peer;
    bool is_wrong = false;
    if (!is_connected(socket) || socket->inode == 0 || socket->uid == LAZ_SENSE_TUNNEL ||
            is_loopback(socket->is_v6, socket->remote)) {
        return false;
    }
    for (uint32_t i = 0; i < config->n_tls_only; i++) {
        is_wrong = is_wrong || config->tls_only[i] == socket->remote_port;
    }
    laz_socket_peer(socket, &peer);
    for (uint32_t i = 0; i < config->n_peers; i++) {
        const struct laz_sense_peer *good = &config->peers[i];
        is_wrong = is_wrong &&
                (good->port != peer.port ||
                        memcmp(good->address, peer.address, sizeof(peer.address)) != 0);
    }
    return is_wrong;
}

static void format(bool is_v6, const uint8_t address[16], uint16_t port, const char *protocol,
        char *ret, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
    (void)snprintf(
            ret, size, "%s%s%s:%u/%s", is_v6 ? "[" : "", text, is_v6 ? "]" : "", port, protocol);
}

void laz_socket_format(const struct laz_socket *socket, char *ret, size_t size)
{
    format(socket->is_v6, socket->address, socket->port,
            socket->protocol == LAZ_SENSE_UDP ? "udp" : "tcp", ret, size);
}

/* What a socket of both families says of an IPv4 peer is IPv4: one peer has one name. */
void laz_socket_format_peer(const struct laz_socket *socket, char *ret, size_t size)
{
    struct in6_addr wide;
    widen(socket->is_v6, socket->remote, wide.s6_addr);
    bool is_four = IN6_IS_ADDR_V4MAPPED(&wide);
    format(!is_four, is_four ? wide.s6_addr + 12 : wide.s6_addr, socket->remote_port,
            socket->protocol == LAZ_SENSE_UDP ? "udp" : "tcp", ret, size);
}
