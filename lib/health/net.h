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

#include "policy/health.h"

#define LAZ_HEALTH_LINE_MAX 256 /* bytes of a line of /proc/net/tcp6 */

/* While the tables are read. The kernel lists sockets that listen in front of all others. */
struct laz_health_count {
    uint8_t listens[65536 / 8]; /* a bit for each port */
    uint64_t established;       /* and those on their way to be, at ports that listen */
    bool is_broken;             /* a line is none */
    bool has_header;            /* of this file */
    bool is_v6;
    size_t length;
    char line[LAZ_HEALTH_LINE_MAX];
};

void laz_health_count_begin(struct laz_health_count *count);
/* Another file. */
void laz_health_count_file(struct laz_health_count *count, bool is_v6);
/* The next bytes of it; ports of `config` that are no workload's do not count. */
void laz_health_count_take(struct laz_health_count *count, const struct laz_health_config *config,
        const char *bytes, size_t length);
/* After the last byte of all files. False: nobody knows. */
LAZ_MUST_CHECK bool laz_health_count_end(const struct laz_health_count *count, uint64_t *ret);

/* Connections that were ever accepted here, from the text of /proc/net/snmp. False: it has none. */
LAZ_MUST_CHECK bool laz_health_passive_opens(const char *text, size_t length, uint64_t *ret);

#endif
