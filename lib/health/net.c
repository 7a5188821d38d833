/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc/net/{tcp,tcp6,udp,udp6,snmp}. proc_net(5); tcp4_seq_show, snmp_seq_show_tcp_udp of
 * the kernel.
 */
#include "health/net.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/num.h"
#include "sense/socket.h"

#define ESTABLISHED 1
#define ARRIVING    3 /* SYN_RECV: whoever comes just now */
#define HALF_CLOSED 8 /* CLOSE_WAIT: it has sent all, and waits for the answer */
#define LISTENS     10

/* Users of Lazaret's helpers, of which resolvers have sockets of UDP. */
#define HELPER_UID_FIRST 65311
#define HELPER_UID_LAST  65315

void laz_health_count_begin(struct laz_health_count *count, bool keeps)
{
    if (!keeps) {
        (void)memset(count->listens, 0, sizeof(count->listens));
    }
    count->established = 0;
    count->has_udp = count->is_broken = count->has_header = false;
    count->length = 0;
}

void laz_health_count_file(struct laz_health_count *count, enum laz_health_table table)
{
    count->is_broken = count->is_broken || count->length != 0;
    count->table = table;
    count->has_header = false;
    count->length = 0;
}

/* Is it where health.listen is? "0.0.0.0" and "::" are everywhere. */
static bool is_at_host(const struct laz_socket *socket, const char *host)
{
    static const uint8_t zeros[16] = {0};
    uint8_t wanted[16] = {0};
    bool is_v6 = inet_pton(AF_INET6, host, wanted) == 1;
    size_t size = is_v6 ? 16 : 4;
    if (!is_v6 && inet_pton(AF_INET, host, wanted) != 1) {
        return true;
    }
    return memcmp(wanted, zeros, size) == 0 ||
            (is_v6 == socket->is_v6 && memcmp(wanted, socket->address, size) == 0);
}

/* A tunnel that goes out has its port on this host alone: at another address it is somebody
 * else's. */
static bool is_own(const struct laz_health_config *config, const struct laz_socket *socket)
{
    for (uint32_t i = 0; i < config->n_own_ports; i++) {
        if (config->own_ports[i] != socket->port) {
            continue;
        }
        if (config->own_ports[i] == config->port ? is_at_host(socket, config->host)
                                                 : laz_socket_is_local(socket)) {
            return true;
        }
    }
    return false;
}

/* Open to others, and no client's: those connect, or ask for no port. */
static bool is_udp_server(const struct laz_health_count *count, const struct laz_socket *socket)
{
    bool is_ours = socket->uid >= HELPER_UID_FIRST && socket->uid <= HELPER_UID_LAST;
    return !is_ours && !laz_socket_is_local(socket) &&
            laz_socket_listens(socket, count->first_given, count->last_given);
}

static void take_line(struct laz_health_count *count, const struct laz_health_config *config)
{
    bool is_udp = count->table == LAZ_HEALTH_TABLE_UDP || count->table == LAZ_HEALTH_TABLE_UDP6;
    struct laz_socket socket = {.protocol = is_udp ? LAZ_SENSE_UDP : LAZ_SENSE_TCP,
            .is_v6 =
                    count->table == LAZ_HEALTH_TABLE_TCP6 || count->table == LAZ_HEALTH_TABLE_UDP6};
    if (!count->has_header) {
        count->has_header = true;
        return;
    }
    if (!laz_socket_parse(count->line, count->length, &socket)) {
        count->is_broken = true;
        return;
    }
    if (is_udp) {
        count->has_udp = count->has_udp || is_udp_server(count, &socket);
        return;
    }
    uint8_t bit = (uint8_t)(1U << (socket.port & 7U));
    bool is_open =
            socket.state == ESTABLISHED || socket.state == ARRIVING || socket.state == HALF_CLOSED;
    if ((socket.state != LISTENS && !is_open) || is_own(config, &socket)) {
        return;
    }
    if (!is_open) {
        count->listens[socket.port >> 3U] |= bit;
    } else if ((count->listens[socket.port >> 3U] & bit) != 0) {
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

bool laz_health_count_end(const struct laz_health_count *count, struct laz_health_sample *ret)
{
    if (count->is_broken || count->length != 0 || !count->has_header) {
        return false;
    }
    ret->established = count->established;
    ret->has_udp = count->has_udp;
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
