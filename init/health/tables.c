/* SPDX-License-Identifier: Apache-2.0
 *
 * /proc/net of this network namespace: opened while files may still be opened, read again from
 * their beginning each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/health/health.h"

#define PIECE     32768
#define SNMP_MAX  8192
#define SOCKETS   2 /* of the tables, those with lines of sockets */
#define TABLE_TCP 0

static const char *const names[] = {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/snmp"};

void laz_health_open_tables(struct laz_health_role *role)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        role->tables[i] = open(names[i], O_RDONLY | O_CLOEXEC);
        role->is_blind = role->is_blind || (role->tables[i] < 0 && errno != ENOENT);
    }
}

/* A kernel without IPv6 has no tcp6; all others are there, or nobody knows. */
static bool count_sockets(struct laz_health_role *role, uint64_t *ret)
{
    struct laz_health_count *count = calloc(1, sizeof(*count));
    char *piece = malloc(PIECE);
    bool is_good =
            count != NULL && piece != NULL && !role->is_blind && role->tables[TABLE_TCP] >= 0;
    for (unsigned i = 0; is_good && i < SOCKETS; i++) {
        ssize_t n = 1;
        off_t at = 0;
        if (role->tables[i] < 0) {
            continue;
        }
        laz_health_count_file(count, i == 1);
        for (; n > 0; at += n) {
            n = pread(role->tables[i], piece, PIECE, at);
            laz_health_count_take(count, &role->config, piece, n > 0 ? (size_t)n : 0);
        }
        is_good = n == 0;
    }
    is_good = is_good && laz_health_count_end(count, ret);
    free(count);
    free(piece);
    return is_good;
}

static bool read_opens(const struct laz_health_role *role, uint64_t *ret)
{
    char text[SNMP_MAX];
    ssize_t n =
            role->tables[SOCKETS] < 0 ? -1 : pread(role->tables[SOCKETS], text, sizeof(text), 0);
    return n > 0 && laz_health_passive_opens(text, (size_t)n, ret);
}

void laz_health_read_tables(struct laz_health_role *role, bool counts)
{
    struct laz_health_sample *sample = &role->health.sample;
    struct laz_health_sample now = {.established = sample->established};
    uint64_t opens = 0;
    now.is_known = read_opens(role, &opens) && (!counts || count_sockets(role, &now.established));
    /* The kernel counts a moment before we do, never after. */
    now.opens = opens > role->our_own ? opens - role->our_own : 0;
    if (now.is_known && sample->is_known && now.opens > sample->opens) {
        role->health.last_new_ns = laz_health_clock_ns();
    }
    *sample = now;
}
