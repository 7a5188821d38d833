/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as a syslog message (RFC 5424): `<PRI>1 TIME HOST lazaret PID EVENT - RECORD`. Nothing
 * that the workload wrote can become a header, a second message or a control character: what is in
 * the header is checked against its alphabet, and a record with a control character is none. Pure.
 */
#ifndef LAZ_SINK_SYSLOG_CODEC_H
#define LAZ_SINK_SYSLOG_CODEC_H

#include "core/buf.h"

#define LAZ_SYSLOG_HEAD_MAX 384 /* bytes in front of the record, at most */
#define LAZ_SYSLOG_HOST_MAX 255 /* RFC 5424, 6 */

/* Checked. */
struct laz_syslog_origin {
    char host[LAZ_SYSLOG_HOST_MAX + 1];
    uint32_t pid;
};

/* A host that is not printable ASCII without blanks, or too long, is `-`. */
void laz_syslog_origin_init(struct laz_syslog_origin *origin, const char *host, uint32_t pid);

/* Append the message, without a line feed at its end. LAZ_E_SINK, and nothing is appended, if the
 * text is not one line that begins as a record; with a `buf` that is too small it overflows. */
LAZ_MUST_CHECK int laz_syslog_put(struct laz_buf *buf, const struct laz_syslog_origin *origin,
        int severity, const char *text, size_t length, struct laz_err *err);

/* What stands between < and >: the facility is 13, log audit. */
unsigned laz_syslog_priority(int severity);

#endif
