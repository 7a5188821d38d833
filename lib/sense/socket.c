/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc/net/{tcp,tcp6,udp,udp6}. proc_net(5); tcp4_seq_show, udp4_seq_show of the kernel.
 */
#include "sense/socket.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sense/proc_text.h"

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
    uint8_t remote[16] = {0};
    uint64_t slot = 0;
    uint64_t state = 0;
    uint64_t uid = 0;
    laz_proc_text_skip_blanks(&text);
    if (!laz_proc_text_number(&text, LAZ_DIGITS_10, UINT64_MAX, &slot) ||
            !laz_proc_text_char(&text, ':') ||
            !take_end(&text, socket.is_v6, socket.address, &socket.port) ||
            !take_end(&text, socket.is_v6, remote, &socket.remote_port)) {
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

void laz_socket_format(const struct laz_socket *socket, char *ret, size_t size)
{
    char address[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(socket->is_v6 ? AF_INET6 : AF_INET, socket->address, address, sizeof(address));
    (void)snprintf(ret, size, "%s%s%s:%u/%s", socket->is_v6 ? "[" : "", address,
            socket->is_v6 ? "]" : "", socket->port,
            socket->protocol == LAZ_SENSE_UDP ? "udp" : "tcp");
}
