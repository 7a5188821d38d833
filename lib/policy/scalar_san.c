/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that a certificate is to have, as RFC 5280 (4.2.1.6) takes them. Pure.
 */
#include <arpa/inet.h>
#include <string.h>

#include "policy/fetch.h"
#include "policy/scalar_kinds.h"

#define LABEL_MAX 63
#define DNS_MAX   253

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool is_dns_name(const char *text, size_t length)
{
    const char *at = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    if (length > DNS_MAX || strchr(at, '.') == NULL) {
        return false;
    }
    for (;;) {
        size_t n = strspn(at, LOWER DIGITS "-");
        if (n == 0 || n > LABEL_MAX || at[0] == '-' || at[n - 1] == '-') {
            return false;
        }
        if (at[n] == '\0') {
            return true;
        }
        if (at[n] != '.') {
            return false;
        }
        at += n + 1;
    }
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static bool is_uri(const char *text, size_t length)
{
    size_t n = strspn(text, LOWER DIGITS "+.-");
    if (n == 0 || strchr(LOWER, text[0]) == NULL || text[n] != ':' || text[n + 1] == '\0') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return length <= LAZ_FETCH_SAN_MAX;
}

int laz_scalar_check_san(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    if (type == LAZ_TYPE_SAN_DNS) {
        return is_dns_name(scalar->text, scalar->length)
                ? 0
                : laz_scalar_refuse(err, scalar,
                          "must be a DNS name of at least two parts, in small letters; the first "
                          "may be *");
    }
    if (type == LAZ_TYPE_SAN_IP) {
        return is_address(scalar->text)
                ? 0
                : laz_scalar_refuse(err, scalar, "must be an IPv4 or IPv6 address");
    }
    return is_uri(scalar->text, scalar->length)
            ? 0
            : laz_scalar_refuse(err, scalar,
                      "must be a URI of at most 255 printable characters, such as "
                      "\"spiffe://corp/app\"");
}
