/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP replies: what is one, in any pieces, and what is none.
 */
#include "net/http_reply.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#define BODY_MAX 32

/* Feeds the bytes in pieces; the last progress. */
static enum laz_http_progress take(struct laz_http_reply *reply, const char *bytes, size_t length,
        size_t piece, size_t *ret_used, struct laz_err *err)
{
    enum laz_http_progress progress = LAZ_HTTP_NEEDS_MORE;
    size_t at = 0;
    for (size_t used = 0; at < length && progress == LAZ_HTTP_NEEDS_MORE; at += used) {
        size_t n = length - at < piece ? length - at : piece;
        progress = laz_http_reply_take(reply, bytes + at, n, &used, err);
        cr_assert(used <= n);
    }
    *ret_used = at;
    return progress;
}

Test(http_reply, reads_bodies_by_length_and_in_chunks_in_any_pieces)
{
    static const struct {
        const char *text;
        unsigned status;
        const char *body;
        bool keeps_open;
    } rows[] = {
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
            {"HTTP/1.1 200\r\ncontent-length:0\r\nConnection: close\r\n\r\n", 200, "", false},
            {"HTTP/1.0 503 No\r\nContent-Length: 2\r\n\r\n{}", 503, "{}", false},
            {"HTTP/1.1 204 Nothing\r\nA: b\r\n\r\n", 204, "", true},
            {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 1 \r\n\r\nx", 400,
                    "x", true},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n"
             "0a;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
                    200, "abc0123456789", true},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true},
            {"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n0123456789012345678901234567890", 200,
                    "0123456789012345678901234567890", true},
    };
    struct laz_http_reply *reply = calloc(1, sizeof(*reply));
    laz_http_reply_init(reply, BODY_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t length = strlen(rows[i].text);
        for (size_t piece = 1; piece <= length; piece++) {
            struct laz_err err = {0};
            size_t used = 0;
            laz_http_reply_again(reply);
            cr_assert(laz_http_reply_is_empty(reply));
            cr_assert_eq(take(reply, rows[i].text, length, piece, &used, &err), LAZ_HTTP_HAS_REPLY,
                    "row %zu, pieces of %zu: %s", i, piece, err.message);
            cr_assert_eq(used, length);
            cr_assert_eq(reply->status, rows[i].status);
            cr_assert_eq(reply->keeps_open, rows[i].keeps_open, "row %zu", i);
            cr_assert_eq(reply->body.len, strlen(rows[i].body));
            cr_assert(reply->body.len == 0 ||
                    memcmp(reply->body.data, rows[i].body, reply->body.len) == 0);
        }
    }
    laz_http_reply_done(reply);
    free(reply);
}

Test(http_reply, says_what_is_wrong)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {"HTTP/2 200\r\n\r\n", "no status line"},
            {"SSH-2.0-x\r\n\r\n", "no status line"},
            {"HTTP/1.1 99 x\r\n\r\n", "no status line"},
            {"HTTP/1.1 600 x\r\n\r\n", "no status line"},
            {"HTTP/1.1 2000\r\n\r\n", "no status line"},
            {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header that is none"},
            {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "a header that is none"},
            {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "a header that is none"},
            {"HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", "a header that is none"},
            {"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", "a header that is none"},
            {"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "it does not say how long it is"},
            {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                    "a length that is none"},
            {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a length that is none"},
            {"HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n", "longer than is read"},
            {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
                    "a length that is none"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                    "a transfer coding that was not asked for"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                    "a coding, and a length"},
            {"HTTP/1.1 204 OK\r\nContent-Length: 1\r\n\r\n", "a body where there is none"},
            {"HTTP/1.1 101 Switching\r\n\r\n", "another protocol, or too many interim replies"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "no chunk"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\n",
                    "a line that does not end in CR LF"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n21\r\n", "longer than is read"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
                    "longer than is read"},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                    "a chunk that goes on"},
    };
    struct laz_http_reply *reply = calloc(1, sizeof(*reply));
    laz_http_reply_init(reply, BODY_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        size_t used = 0;
        char expected[80];
        (void)snprintf(expected, sizeof(expected), "not HTTP: %s", rows[i].expected);
        laz_http_reply_again(reply);
        cr_assert_eq(take(reply, rows[i].text, strlen(rows[i].text), 7, &used, &err),
                LAZ_HTTP_IS_BROKEN, "%s", rows[i].text);
        cr_assert_eq(err.kind, LAZ_E_SINK);
        cr_assert_str_eq(err.message, expected, "%s", rows[i].text);
        cr_assert_eq(laz_http_reply_take(reply, "x", 1, &used, &err), LAZ_HTTP_IS_BROKEN);
    }
    laz_http_reply_done(reply);
    free(reply);
}

Test(http_reply, has_a_ceiling_for_its_head)
{
    struct laz_http_reply *reply = calloc(1, sizeof(*reply));
    struct laz_err err = {0};
    size_t used = 0;
    char line[] = "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    laz_http_reply_init(reply, BODY_MAX);
    enum laz_http_progress progress =
            laz_http_reply_take(reply, "HTTP/1.1 200 OK\r\n", 17, &used, &err);
    size_t taken = used;
    while (progress == LAZ_HTTP_NEEDS_MORE) {
        progress = laz_http_reply_take(reply, line, sizeof(line) - 1, &used, &err);
        taken += used;
        cr_assert_leq(taken, LAZ_HTTP_HEAD_MAX + 1);
    }
    cr_assert_str_eq(err.message, "not HTTP: a longer head than is read");
    laz_http_reply_done(reply);
    free(reply);
}

Test(http_reply, finds_headers_and_the_date)
{
    static const char text[] = "HTTP/1.1 200 OK\r\ndATE: Sun, 22 Nov 2026 11:42:43 GMT\r\n"
                               "X-Amzn-ErrorType: \t A:b \r\nContent-Length: 0\r\n\r\n";
    struct laz_http_reply *reply = calloc(1, sizeof(*reply));
    struct laz_err err = {0};
    size_t length = 0;
    int64_t date = 0;
    laz_http_reply_init(reply, BODY_MAX);
    cr_assert_eq(take(reply, text, sizeof(text) - 1, 3, &length, &err), LAZ_HTTP_HAS_REPLY);
    const char *value = laz_http_reply_header(reply, "x-amzn-errortype", &length);
    cr_assert(value != NULL && length == 3 && memcmp(value, "A:b", 3) == 0);
    cr_assert_null(laz_http_reply_header(reply, "x-amzn", &length));
    cr_assert(laz_http_reply_date(reply, &date));
    cr_assert_eq(date, 1795347763);
    laz_http_reply_done(reply);
    free(reply);
}
