/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of hosts and HOST:PORT, as text. Looks nothing up.
 */
#include "policy/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "core/num.h"
#include "policy/ship.h"
#include "policy/tunnel.h"

#define LABEL_MAX 63 /* characters between two dots, RFC 1035 */

/* A terminated copy, for functions that need one. false: too long for a host. */
static bool copy(const char *text, size_t length, char ret[LAZ_SHIP_HOST_MAX + 1])
{
    if (length == 0 || length > LAZ_SHIP_HOST_MAX) {
        return false;
    }
    (void)memcpy(ret, text, length);
    ret[length] = '\0';
    return true;
}

static bool is_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_";
    const char *label = host;
    for (;;) {
        size_t length = strspn(label, allowed);
        bool is_last = label[length] == '\0';
        if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-' ||
                (!is_last && label[length] != '.')) {
            return false;
        }
        if (is_last) {
            /* A name that ends in a number would be an address, and is none. */
            return strspn(label, "0123456789") != length;
        }
        label += length + 1;
    }
}

static bool is_address(const char *host, struct in_addr *ret_four, struct in6_addr *ret_six)
{
    return inet_pton(AF_INET, host, ret_four) == 1 || inet_pton(AF_INET6, host, ret_six) == 1;
}

bool laz_host_is_valid(const char *text, size_t length)
{
    char host[LAZ_SHIP_HOST_MAX + 1];
    struct in_addr four;
    struct in6_addr six;
    return copy(text, length, host) && (is_address(host, &four, &six) || is_name(host));
}

bool laz_host_bytes(const char *text, size_t length, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char host[LAZ_SHIP_HOST_MAX + 1];
    struct in_addr four;
    struct in6_addr six;
    if (!copy(text, length, host)) {
        return false;
    }
    if (inet_pton(AF_INET, host, &four) == 1) {
        (void)memcpy(ret, mapped, sizeof(mapped));
        (void)memcpy(ret + sizeof(mapped), &four, sizeof(four));
        return true;
    }
    if (inet_pton(AF_INET6, host, &six) == 1) {
        (void)memcpy(ret, &six, sizeof(six));
        return true;
    }
    return false;
}

bool laz_host_is_loopback(const char *text, size_t length)
{
    char host[LAZ_SHIP_HOST_MAX + 1];
    struct in_addr four = {0};
    struct in6_addr six = {0};
    if (!copy(text, length, host)) {
        return false;
    }
    if (!is_address(host, &four, &six)) {
        return strcasecmp(host, "localhost") == 0;
    }
    return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET || IN6_IS_ADDR_LOOPBACK(&six);
}

bool laz_address_split(const char *text, size_t length, struct laz_address *ret)
{
    const char *colon = memrchr(text, ':', length);
    uint64_t port = 0;
    if (colon == NULL ||
            !laz_parse_u64(colon + 1, length - (size_t)(colon - text) - 1, UINT16_MAX, &port) ||
            port == 0) {
        return false;
    }
    struct laz_address address = {
            .host = text, .host_length = (size_t)(colon - text), .port = (uint16_t)port};
    bool is_bracketed = address.host_length > 2 && text[0] == '[' && colon[-1] == ']';
    if (is_bracketed) {
        address.host++;
        address.host_length -= 2;
    }
    /* Only what stands in brackets may, and must, have colons. */
    bool has_colon = memchr(address.host, ':', address.host_length) != NULL;
    if (has_colon != is_bracketed || !laz_host_is_valid(address.host, address.host_length)) {
        return false;
    }
    *ret = address;
    return true;
}

bool laz_socket_split(const char *text, size_t length, struct laz_address *ret)
{
    static const char prefix[] = "unix:";
    const size_t n = sizeof(prefix) - 1;
    char host[LAZ_SHIP_HOST_MAX + 1];
    struct in_addr four;
    struct in6_addr six;
    struct laz_address address;
    if (length > n && memcmp(text, prefix, n) == 0) {
        const char *path = text + n;
        size_t path_length = length - n;
        bool is_plain = path[0] == '/' && path[path_length - 1] != '/' &&
                path_length <= LAZ_TUNNEL_SOCKET_MAX && memmem(path, path_length, "//", 2) == NULL;
        if (is_plain) {
            *ret = (struct laz_address){.host = path, .host_length = path_length};
        }
        return is_plain;
    }
    if (!laz_address_split(text, length, &address) ||
            !copy(address.host, address.host_length, host) || !is_address(host, &four, &six)) {
        return false;
    }
    *ret = address;
    return true;
}
