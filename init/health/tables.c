/* SPDX-License-Identifier: Apache-2.0
 *
 * /proc/net of this network namespace: opened while files may still be opened, read again from
 * their beginning each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/health/health.h"

#define PIECE       32768
#define SNMP_MAX    8192
#define GIVEN_FIRST 32768 /* the kernel's own, where nothing else is said */
#define GIVEN_LAST  60999

static const char *const names[] = {[LAZ_HEALTH_TABLE_TCP] = "/proc/net/tcp",
        [LAZ_HEALTH_TABLE_TCP6] = "/proc/net/tcp6",
        [LAZ_HEALTH_TABLE_UDP] = "/proc/net/udp",
        [LAZ_HEALTH_TABLE_UDP6] = "/proc/net/udp6"};

static int open_table(struct laz_health_role *role, const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    role->is_blind = role->is_blind || (fd < 0 && errno != ENOENT);
    return fd;
}

/* Ports that a socket gets which asks for none. */
static void read_given_ports(struct laz_health_count *count)
{
    char text[64];
    uint64_t first = 0;
    uint64_t last = 0;
    laz_cleanup_fd int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    size_t digits = strspn(text, "0123456789");
    const char *second = text + digits + strspn(text + digits, " \t");
    bool is_read = laz_parse_u64(text, digits, UINT16_MAX, &first) &&
            laz_parse_u64(second, strspn(second, "0123456789"), UINT16_MAX, &last);
    count->first_given = is_read ? (uint16_t)first : GIVEN_FIRST;
    count->last_given = is_read ? (uint16_t)last : GIVEN_LAST;
}

void laz_health_open_tables(struct laz_health_role *role)
{
    for (size_t i = 0; i < LAZ_HEALTH_TABLE_COUNT; i++) {
        role->tables[i] = open_table(role, names[i]);
    }
    role->snmp = open_table(role, "/proc/net/snmp");
    read_given_ports(&role->count);
}

/* A kernel without IPv6 has no tables of it; all others are there, or nobody knows. */
static bool count_sockets(struct laz_health_role *role, struct laz_health_sample *ret)
{
    struct laz_health_count *count = &role->count;
    char *piece = malloc(PIECE);
    bool is_good = piece != NULL && !role->is_blind && role->tables[LAZ_HEALTH_TABLE_TCP] >= 0 &&
            role->tables[LAZ_HEALTH_TABLE_UDP] >= 0;
    laz_health_count_begin(count, role->health.drain.has_begun);
    for (unsigned i = 0; is_good && i < LAZ_HEALTH_TABLE_COUNT; i++) {
        ssize_t n = 1;
        off_t at = 0;
        if (role->tables[i] < 0) {
            continue;
        }
        laz_health_count_file(count, (enum laz_health_table)i);
        for (; n > 0; at += n) {
            n = pread(role->tables[i], piece, PIECE, at);
            laz_health_count_take(count, &role->config, piece, n > 0 ? (size_t)n : 0);
        }
        is_good = n == 0;
    }
    free(piece);
    return is_good && laz_health_count_end(count, ret);
}

static bool read_opens(const struct laz_health_role *role, uint64_t *ret)
{
    char text[SNMP_MAX];
    ssize_t n = role->snmp < 0 ? -1 : pread(role->snmp, text, sizeof(text), 0);
    return n > 0 && laz_health_passive_opens(text, (size_t)n, ret);
}

void laz_health_read_tables(struct laz_health_role *role, bool counts)
{
    struct laz_health_sample *sample = &role->health.sample;
    struct laz_health_sample now = {.established = sample->established, .has_udp = sample->has_udp};
    uint64_t opens = 0;
    now.is_known = read_opens(role, &opens) && (!counts || count_sockets(role, &now));
    now.ours = role->our_own;
    now.opens = opens > role->our_own ? opens - role->our_own : 0;
    if (now.is_known && sample->is_known && now.opens > sample->opens) {
        role->health.last_new_ns = laz_health_clock_ns();
    }
    *sample = now;
}
