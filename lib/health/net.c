/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc/net/{tcp,tcp6,snmp}. proc_net(5); tcp4_seq_show, snmp_seq_show_tcp_udp of the kernel.
 */
#include "health/net.h"

#include <string.h>

#include "core/num.h"
#include "sense/socket.h"

#define ESTABLISHED 1
#define ARRIVING    3 /* SYN_RECV: whoever comes just now */
#define LISTENS     10

void laz_health_count_begin(struct laz_health_count *count)
{
    (void)memset(count, 0, sizeof(*count));
}

void laz_health_count_file(struct laz_health_count *count, bool is_v6)
{
    count->is_broken = count->is_broken || count->length != 0;
    count->is_v6 = is_v6;
    count->has_header = false;
    count->length = 0;
}

static bool is_own(const struct laz_health_config *config, uint16_t port)
{
    for (uint32_t i = 0; i < config->n_own_ports; i++) {
        if (config->own_ports[i] == port) {
            return true;
        }
    }
    return false;
}

static void take_line(struct laz_health_count *count, const struct laz_health_config *config)
{
    struct laz_socket socket = {.protocol = LAZ_SENSE_TCP, .is_v6 = count->is_v6};
    if (!count->has_header) {
        count->has_header = true;
        return;
    }
    if (!laz_socket_parse(count->line, count->length, &socket)) {
        count->is_broken = true;
        return;
    }
    uint8_t bit = (uint8_t)(1U << (socket.port & 7U));
    if (socket.state == LISTENS && !is_own(config, socket.port)) {
        count->listens[socket.port >> 3U] |= bit;
    } else if ((socket.state == ESTABLISHED || socket.state == ARRIVING) &&
            (count->listens[socket.port >> 3U] & bit) != 0) {
        count->established++;
    }
}

void laz_health_count_take(struct laz_health_count *count, const struct laz_health_config *config,
        const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            take_line(count, config);
            count->length = 0;
        } else if (count->length < sizeof(count->line)) {
            count->line[count->length++] = bytes[i];
        } else {
            count->is_broken = true;
        }
    }
}

bool laz_health_count_end(const struct laz_health_count *count, uint64_t *ret)
{
    if (count->is_broken || count->length != 0 || !count->has_header) {
        return false;
    }
    *ret = count->established;
    return true;
}

/* The next word of a line; its length is 0 at the end. */
static size_t next_word(const char **at, const char *end)
{
    while (*at < end && **at == ' ') {
        (*at)++;
    }
    size_t n = 0;
    while (*at + n < end && (*at)[n] != ' ') {
        n++;
    }
    return n;
}

/* Names and numbers are two lines that begin alike, word for word. */
static bool find_value(const char *names, const char *names_end, const char *values,
        const char *values_end, uint64_t *ret)
{
    static const char wanted[] = "PassiveOpens";
    for (;;) {
        size_t n = next_word(&names, names_end);
        size_t m = next_word(&values, values_end);
        if (n == 0 || m == 0) {
            return false;
        }
        if (n == sizeof(wanted) - 1 && memcmp(names, wanted, n) == 0) {
            return laz_parse_u64(values, m, UINT64_MAX, ret);
        }
        names += n;
        values += m;
    }
}

bool laz_health_passive_opens(const char *text, size_t length, uint64_t *ret)
{
    static const char head[] = "Tcp: ";
    const char *end = text + length;
    const char *names = NULL;
    const char *names_end = NULL;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL) {
            return false;
        }
        if ((size_t)(newline - text) > sizeof(head) - 1 &&
                memcmp(text, head, sizeof(head) - 1) == 0) {
            const char *first = text + sizeof(head) - 1;
            if (names != NULL) {
                return find_value(names, names_end, first, newline, ret);
            }
            names = first;
            names_end = newline;
        }
        text = newline + 1;
    }
    return false;
}
