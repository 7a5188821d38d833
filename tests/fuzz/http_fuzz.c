/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from an HTTP server. In whatever pieces it comes, the same replies come out, of the
 * same status and body, and it breaks at the same byte for the same reason; no body is longer than
 * was asked for, and none comes without having said so.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "net/http_reply.h"

#define BODY_MAX 512

static void check_reply(const struct laz_http_reply *reply)
{
    size_t length = 0;
    int64_t date = 0;
    require(reply->status >= 200 && reply->status <= 599);
    require(reply->body.len < BODY_MAX && !reply->body.overflow);
    bool has_length = laz_http_reply_header(reply, "Content-Length", &length) != NULL;
    bool has_coding = laz_http_reply_header(reply, "Transfer-Encoding", &length) != NULL;
    require(!has_length || !has_coding);
    require(has_length || has_coding || reply->body.len == 0);
    if (laz_http_reply_date(reply, &date)) {
        require(laz_http_reply_header(reply, "Date", &length) != NULL);
    }
}

/* What came out, in order: status, body; then where and why it broke. */
static void decode(const uint8_t *data, size_t size, size_t piece, struct laz_buf *ret)
{
    struct laz_http_reply *reply = calloc(1, sizeof(*reply));
    struct laz_err err = {0};
    size_t at = 0;
    bool is_broken = false;
    require(reply != NULL);
    laz_http_reply_init(reply, BODY_MAX);
    for (size_t used = 0; at < size && !is_broken; at += used) {
        size_t left = size - at < piece ? size - at : piece;
        switch (laz_http_reply_take(reply, data + at, left, &used, &err)) {
        case LAZ_HTTP_NEEDS_MORE:
            require(used == left);
            break;
        case LAZ_HTTP_HAS_REPLY:
            require(used > 0 && used <= left);
            check_reply(reply);
            laz_buf_printf(ret, "%u %d ", reply->status, (int)reply->keeps_open);
            laz_buf_put(ret, reply->body.data, reply->body.len);
            laz_buf_char(ret, '\n');
            laz_http_reply_again(reply);
            break;
        case LAZ_HTTP_IS_BROKEN:
            require(err.kind == LAZ_E_SINK && strncmp(err.message, "not HTTP: ", 10) == 0);
            is_broken = true;
            break;
        }
    }
    laz_buf_printf(ret, "%zu %s", at, err.message);
    laz_http_reply_done(reply);
    free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {2, 3, 7, 64, SIZE_MAX};
    struct laz_buf first;
    if (size > 20000) {
        return 0;
    }
    laz_buf_init_heap(&first, 2 * size + 1024);
    decode(data, size, 1, &first);
    require(!first.overflow);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct laz_buf again;
        laz_buf_init_heap(&again, 2 * size + 1024);
        decode(data, size, pieces[i], &again);
        require(again.len == first.len && memcmp(again.data, first.data, first.len) == 0);
        laz_buf_done(&again);
    }
    laz_buf_done(&first);
    return 0;
}
