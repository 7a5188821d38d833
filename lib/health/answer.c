/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1 (RFC 9112), as much of it as a check needs.
 */
#include "health/answer.h"

#include <string.h>

#include "core/buf.h"
#include "core/num.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443
#define STATUS_AT  9 /* "HTTP/1.1 200" */
#define STATUS_END 12
#define FINAL_MIN  200
#define FINAL_MAX  599

void laz_health_answer_init(struct laz_health_answer *answer)
{
    (void)memset(answer, 0, sizeof(*answer));
}

static bool read_status(struct laz_health_answer *answer)
{
    uint64_t status = 0;
    bool is_http = answer->line >= STATUS_END && memcmp(answer->first, "HTTP/1.", 7) == 0 &&
            (answer->first[7] == '0' || answer->first[7] == '1') && answer->first[8] == ' ' &&
            (answer->line == STATUS_END || answer->first[STATUS_END] == ' ');
    if (!is_http ||
            !laz_parse_u64(answer->first + STATUS_AT, STATUS_END - STATUS_AT, FINAL_MAX, &status) ||
            status < 100) {
        return false;
    }
    answer->status = (uint16_t)status;
    answer->has_status = true;
    return true;
}

/* The line is complete. */
static enum laz_health_answered end_line(struct laz_health_answer *answer)
{
    uint32_t length = answer->line;
    if (!answer->has_status && !read_status(answer)) {
        return LAZ_HEALTH_ANSWER_BROKEN;
    }
    answer->line = 0;
    if (length != 0) {
        return LAZ_HEALTH_ANSWER_MORE;
    }
    if (answer->status >= FINAL_MIN) {
        return LAZ_HEALTH_ANSWER_DONE;
    }
    answer->has_status = false; /* the one that counts follows */
    return LAZ_HEALTH_ANSWER_MORE;
}

enum laz_health_answered laz_health_answer_take(
        struct laz_health_answer *answer, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        enum laz_health_answered result = LAZ_HEALTH_ANSWER_MORE;
        if (++answer->length > LAZ_HEALTH_HEAD_MAX || bytes[i] == '\0') {
            return LAZ_HEALTH_ANSWER_BROKEN;
        }
        if (bytes[i] == '\n') {
            result = end_line(answer);
        } else if (bytes[i] != '\r') {
            if (answer->line < sizeof(answer->first)) {
                answer->first[answer->line] = bytes[i];
            }
            answer->line++;
        }
        if (result != LAZ_HEALTH_ANSWER_MORE) {
            return result;
        }
    }
    return LAZ_HEALTH_ANSWER_MORE;
}

void laz_health_answer_ask(
        struct laz_buf *ret, const char *host, uint16_t port, bool is_tls, const char *path)
{
    bool is_v6 = strchr(host, ':') != NULL;
    laz_buf_printf(
            ret, "GET %s HTTP/1.1\r\nHost: %s%s%s", path, is_v6 ? "[" : "", host, is_v6 ? "]" : "");
    if (port != (is_tls ? HTTPS_PORT : HTTP_PORT)) {
        laz_buf_printf(ret, ":%u", port);
    }
    laz_buf_str(ret,
            "\r\nUser-Agent: lazaret-health/" LAZARET_VERSION
            "\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}
