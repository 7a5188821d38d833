/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding syslog messages. Header fields come from the frozen part of the record, in front of "d".
 */
#include "sink/syslog_codec.h"

#include <stdio.h>

#include "sink/line.h"

#define FACILITY  13U /* log audit */
#define EVENT_MAX 32  /* MSGID: RFC 5424, 6 */

void laz_syslog_origin_init(struct laz_syslog_origin *origin, const char *host, uint32_t pid)
{
    size_t length = strlen(host);
    bool is_good = length > 0 && length <= LAZ_SYSLOG_HOST_MAX;
    for (size_t i = 0; is_good && i < length; i++) {
        is_good = host[i] > ' ' && host[i] <= '~';
    }
    (void)snprintf(origin->host, sizeof(origin->host), "%s", is_good ? host : "-");
    origin->pid = pid;
}

/* Ours (0 to 10) as syslog's (7 to 0): 6 info, 5 notice, 4 warning, 3 error, 2 critical, 1 alert.
 */
static unsigned severity_of(int severity)
{
    static const unsigned char levels[] = {6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1};
    return severity < 0 ? levels[0] : levels[severity > 10 ? 10 : severity];
}

/* Its length; 0 if it would not do as a MSGID. */
static size_t event_length(const char *text, size_t length)
{
    const char *at = text + LAZ_LINE_EVENT_AT;
    size_t n = 0;
    while (n <= EVENT_MAX && LAZ_LINE_EVENT_AT + n < length) {
        char c = at[n];
        if (c == '"') {
            return n;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-')) {
            return 0;
        }
        n++;
    }
    return 0;
}

unsigned laz_syslog_priority(int severity)
{
    return FACILITY * 8 + severity_of(severity);
}

int laz_syslog_put(struct laz_buf *buf, const struct laz_syslog_origin *origin, int severity,
        const char *text, size_t length, struct laz_err *err)
{
    if (laz_line_check(text, length, err) != 0) {
        return -1;
    }
    size_t event = event_length(text, length);
    const char *when = laz_line_time(text, length);
    laz_buf_printf(buf, "<%u>1 ", laz_syslog_priority(severity));
    laz_buf_put(buf, when == NULL ? "-" : when, when == NULL ? 1 : LAZ_LINE_TIME_LENGTH);
    laz_buf_printf(buf, " %s lazaret %u ", origin->host, origin->pid);
    laz_buf_put(buf, event == 0 ? "-" : text + LAZ_LINE_EVENT_AT, event == 0 ? 1 : event);
    laz_buf_str(buf, " - ");
    laz_buf_put(buf, text, length - 1);
    return 0;
}
