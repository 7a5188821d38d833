/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding syslog messages. Header fields come from the frozen part of the record, in front of "d".
 */
#include "sink/syslog_codec.h"

#include <stdio.h>

#define FACILITY     13U /* log audit */
#define RECORD_START "{\"lz\":1,\"ev\":\""
#define TIME_KEY     ",\"ts\":\""
#define TIME_FORM    "dddd-dd-ddTdd:dd:dd.ddddddZ"
#define EVENT_MAX    32 /* MSGID: RFC 5424, 6 */
#define START_LENGTH (sizeof(RECORD_START) - 1)
#define TIME_LENGTH  (sizeof(TIME_FORM) - 1)

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

unsigned laz_syslog_severity(int severity)
{
    static const unsigned char levels[] = {6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1};
    return severity < 0 ? levels[0] : levels[severity > 10 ? 10 : severity];
}

static int check(const char *text, size_t length, struct laz_err *err)
{
    if (length <= START_LENGTH || memcmp(text, RECORD_START, START_LENGTH) != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it does not begin as a record");
    }
    if (text[length - 2] != '}' || text[length - 1] != '\n') {
        return laz_err_set(err, LAZ_E_SINK, 0, "it does not end as a record");
    }
    for (size_t i = 0; i < length - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f) {
            return laz_err_set(err, LAZ_E_SINK, 0, "its byte %zu is 0x%02x", i, c);
        }
    }
    return 0;
}

/* Its length; 0 if it would not do as a MSGID. */
static size_t event_length(const char *text, size_t length)
{
    const char *at = text + START_LENGTH;
    size_t n = 0;
    while (n <= EVENT_MAX && START_LENGTH + n < length) {
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

/* Where it is; NULL if there is none. In front of it are only strings, in which each `"` has a `\`
 * before it, so that the key cannot be in one. */
static const char *find_time(const char *text, size_t length)
{
    const char *at = memmem(text, length, TIME_KEY, sizeof(TIME_KEY) - 1);
    if (at == NULL) {
        return NULL;
    }
    at += sizeof(TIME_KEY) - 1;
    if ((size_t)(text + length - at) <= TIME_LENGTH || at[TIME_LENGTH] != '"') {
        return NULL;
    }
    for (size_t i = 0; i < TIME_LENGTH; i++) {
        bool is_digit = at[i] >= '0' && at[i] <= '9';
        if (TIME_FORM[i] == 'd' ? !is_digit : at[i] != TIME_FORM[i]) {
            return NULL;
        }
    }
    return at;
}

int laz_syslog_put(struct laz_buf *buf, const struct laz_syslog_origin *origin, int severity,
        const char *text, size_t length, struct laz_err *err)
{
    if (check(text, length, err) != 0) {
        return -1;
    }
    size_t event = event_length(text, length);
    const char *when = find_time(text, length);
    laz_buf_printf(buf, "<%u>1 ", FACILITY * 8 + laz_syslog_severity(severity));
    laz_buf_put(buf, when == NULL ? "-" : when, when == NULL ? 1 : TIME_LENGTH);
    laz_buf_printf(buf, " %s lazaret %u ", origin->host, origin->pid);
    laz_buf_put(buf, event == 0 ? "-" : text + START_LENGTH, event == 0 ? 1 : event);
    laz_buf_str(buf, " - ");
    laz_buf_put(buf, text, length - 1);
    return 0;
}
