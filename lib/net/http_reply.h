/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 reply (RFC 9112), byte by byte as it comes, with a ceiling on each part. Stricter
 * than the RFC lets a client be: lines end in CR LF, a length is said once, and a reply that ends
 * with its connection is none, because nobody could tell it from half of one. Pure.
 */
#ifndef LAZ_NET_HTTP_REPLY_H
#define LAZ_NET_HTTP_REPLY_H

#include "core/buf.h"

#define LAZ_HTTP_HEAD_MAX    16384U /* bytes of the status line and the headers */
#define LAZ_HTTP_LINE_MAX    256U   /* of a chunk's size, and of each trailer */
#define LAZ_HTTP_INTERIM_MAX 4      /* replies of 1xx in front of the one that counts */
#define LAZ_HTTP_TRAILER_MAX 16

/* What is expected next. */
enum laz_http_state {
    LAZ_HTTP_HEAD,
    LAZ_HTTP_BODY,
    LAZ_HTTP_CHUNK_SIZE,
    LAZ_HTTP_CHUNK,
    LAZ_HTTP_CHUNK_END,
    LAZ_HTTP_TRAILER,
    LAZ_HTTP_DONE,
    LAZ_HTTP_BROKEN, /* for good */
};

struct laz_http_reply {
    enum laz_http_state state;
    unsigned status;
    bool keeps_open; /* the connection */
    bool is_http_1_0;
    unsigned n_extra; /* interim replies, trailers */
    uint64_t left;    /* of the body or the chunk */
    size_t length;    /* of head or line */
    char head[LAZ_HTTP_HEAD_MAX + 1];
    char line[LAZ_HTTP_LINE_MAX + 1];
    struct laz_buf body;
};

enum laz_http_progress {
    LAZ_HTTP_NEEDS_MORE,
    LAZ_HTTP_HAS_REPLY,
    LAZ_HTTP_IS_BROKEN, /* err says why; LAZ_E_SINK */
};

void laz_http_reply_init(struct laz_http_reply *reply, size_t body_max);
void laz_http_reply_done(struct laz_http_reply *reply); /* its body is wiped */
/* For the next reply on the connection. */
void laz_http_reply_again(struct laz_http_reply *reply);
/* Has nothing of it come yet? */
bool laz_http_reply_is_empty(const struct laz_http_reply *reply);

/* Takes bytes up to the end of the reply. */
LAZ_MUST_CHECK enum laz_http_progress laz_http_reply_take(struct laz_http_reply *reply,
        const void *bytes, size_t length, size_t *ret_used, struct laz_err *err);

/* The value of the first header of that name (any case), not terminated; NULL if there is none. */
const char *laz_http_reply_header(
        const struct laz_http_reply *reply, const char *name, size_t *ret_length);

/* Seconds since 1970 of the header Date, in the one form that RFC 9110 lets servers write. */
LAZ_MUST_CHECK bool laz_http_reply_date(const struct laz_http_reply *reply, int64_t *ret);

#endif
