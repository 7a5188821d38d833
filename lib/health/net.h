/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is connected, and how many have ever been: what /proc/net says of one network namespace,
 * without what is no client of the workload. Pure: bytes come from the caller.
 */
#ifndef LAZ_HEALTH_NET_H
#define LAZ_HEALTH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health/drain.h"

#define LAZ_HEALTH_LINE_MAX 256 /* bytes of a line of /proc/net/tcp6 */

enum laz_health_table {
    LAZ_HEALTH_TABLE_TCP,
    LAZ_HEALTH_TABLE_TCP6,
    LAZ_HEALTH_TABLE_UDP,
    LAZ_HEALTH_TABLE_UDP6,
    LAZ_HEALTH_TABLE_COUNT
};

/* While the tables are read. The kernel lists sockets that listen in front of all others. */
struct laz_health_count {
    uint16_t first_given; /* ports that a socket gets which asks for none: of UDP, a client's */
    uint16_t last_given;
    uint8_t listens[65536 / 8]; /* a bit for each port */
    uint64_t established;       /* and those on their way to be, at ports that listen */
    bool has_udp;               /* a socket that anybody may send to */
    bool is_broken;             /* a line is none */
    bool has_header;            /* of this file */
    enum laz_health_table table;
    size_t length;
    char line[LAZ_HEALTH_LINE_MAX];
};

/* `keeps`: ports that listened before count on. A server that drains closes its own first. */
void laz_health_count_begin(struct laz_health_count *count, bool keeps);
/* Another file. */
void laz_health_count_file(struct laz_health_count *count, enum laz_health_table table);
/* The next bytes of it; ports of `config` that are no workload's do not count. */
void laz_health_count_take(struct laz_health_count *count, const struct laz_health_config *config,
        const char *bytes, size_t length);
/* After the last byte of all files. False: nobody knows. Sets established and has_udp. */
LAZ_MUST_CHECK bool laz_health_count_end(
        const struct laz_health_count *count, struct laz_health_sample *ret);

/* Connections that were ever accepted here, from the text of /proc/net/snmp. False: it has none. */
LAZ_MUST_CHECK bool laz_health_passive_opens(const char *text, size_t length, uint64_t *ret);

#endif
