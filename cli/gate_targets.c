/* SPDX-License-Identifier: Apache-2.0
 *
 * The targets' names: each once, and each with a port.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gate.h"
#include "core/format.h"
#include "core/num.h"

#define PORT_MAX 65535

int laz_gate_targets_new(struct laz_gate_targets *ret, struct laz_err *err)
{
    *ret = (struct laz_gate_targets){.names = calloc(LAZ_GATE_TARGETS_MAX, sizeof(*ret->names))};
    return ret->names == NULL ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the targets") : 0;
}

void laz_gate_targets_done(struct laz_gate_targets *targets)
{
    free(targets->names);
    *targets = (struct laz_gate_targets){0};
}

static bool has(const struct laz_gate_targets *targets, const char *name)
{
    for (size_t i = 0; i < targets->n; i++) {
        if (strcmp(targets->list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int laz_gate_targets_add(struct laz_gate_targets *targets, const char *name, struct laz_err *err)
{
    if (has(targets, name)) {
        return 0;
    }
    if (targets->n == LAZ_GATE_TARGETS_MAX) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "more than %d targets", LAZ_GATE_TARGETS_MAX);
    }
    char *copy = targets->names[targets->n];
    (void)laz_format(copy, LAZ_GATE_NAME_MAX, "%s", name);
    targets->list[targets->n++] = copy;
    return 0;
}

/* In the host: letters, digits, and what is in names and addresses. */
static bool is_host(const char *text, size_t length, bool is_bracketed)
{
    char copy[LAZ_GATE_NAME_MAX];
    unsigned char address[sizeof(struct in6_addr)];
    if (length == 0 || length >= sizeof(copy)) {
        return false;
    }
    (void)memcpy(copy, text, length);
    copy[length] = '\0';
    if (is_bracketed) {
        return inet_pton(AF_INET6, copy, address) == 1;
    }
    return strspn(copy, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
            length;
}

int laz_gate_place_parse(const char *text, struct laz_gate_place *ret, struct laz_err *err)
{
    const char *colon = strrchr(text, ':');
    const char *end = colon;
    const char *host = text;
    bool is_bracketed = text[0] == '[';
    uint64_t port = 0;
    if (is_bracketed && colon != NULL && colon > text + 1 && colon[-1] == ']') {
        host = text + 1;
        end = colon - 1;
    }
    if (colon == NULL || !laz_parse_u64(colon + 1, strlen(colon + 1), PORT_MAX, &port) ||
            port == 0 || !is_host(host, (size_t)(end - host), is_bracketed)) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "\"%.64s\" is not HOST:PORT; an IPv6 address stands in brackets", text);
    }
    (void)memcpy(ret->host, host, (size_t)(end - host));
    ret->host[end - host] = '\0';
    ret->port = (uint16_t)port;
    return 0;
}

int laz_gate_targets_parse(const char *text, struct laz_gate_targets *ret, struct laz_err *err)
{
    for (const char *at = text; at != NULL;) {
        const char *comma = strchr(at, ',');
        size_t length = comma == NULL ? strlen(at) : (size_t)(comma - at);
        char name[LAZ_GATE_NAME_MAX];
        struct laz_gate_place place;
        if (length >= sizeof(name)) {
            return laz_err_set(err, LAZ_E_USAGE, 0, "--targets: \"%.64s...\" is too long", at);
        }
        (void)memcpy(name, at, length);
        name[length] = '\0';
        if (laz_gate_place_parse(name, &place, err) < 0) {
            return laz_err_context(err, "--targets");
        }
        if (has(ret, name)) {
            return laz_err_set(err, LAZ_E_USAGE, 0, "--targets: %.64s is there twice", name);
        }
        if (laz_gate_targets_add(ret, name, err) < 0) {
            return laz_err_context(err, "--targets");
        }
        at = comma == NULL ? NULL : comma + 1;
    }
    return 0;
}
