/* SPDX-License-Identifier: Apache-2.0
 *
 * What a PostgreSQL client says first, and what a server answers. In whatever pieces the answers
 * come, the same bytes go on and the same error ends them; never more than came; and no mechanism
 * that binds to the channel is left in a list before the client is let in.
 */
#include "net/postgres.h"

#include <stdlib.h>

#include "fuzz.h"

#define MESSAGE_HEAD 5 /* a letter, and the length of what follows it, itself included */
#define AUTH_HEAD    9 /* and which message of authentication it is */
#define AUTH_OK      0U
#define AUTH_SASL    10U

static int filter(const uint8_t *data, size_t size, size_t piece, struct laz_buf *ret)
{
    struct laz_postgres_answers *answers = calloc(1, sizeof(*answers));
    struct laz_err err = {0};
    int result = 0;
    require(answers != NULL);
    for (size_t at = 0; at < size && result == 0; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        result = laz_postgres_filter(answers, data + at, n, ret, &err);
        require(answers->n_held < LAZ_POSTGRES_HELD_MAX && ret->len <= at + n);
    }
    require(result == 0 || err.kind == LAZ_E_TUNNEL);
    free(answers);
    return result;
}

static void check_first(const uint8_t *data, size_t size)
{
    enum laz_postgres_first first = laz_postgres_look(data, size);
    require(first != LAZ_POSTGRES_MORE || size < LAZ_POSTGRES_HEAD);
    require(first != LAZ_POSTGRES_ASKS ||
            (size >= LAZ_POSTGRES_HEAD && data[0] == 0 && data[3] == LAZ_POSTGRES_HEAD));
    if (size > LAZ_POSTGRES_HEAD) { /* what follows says nothing about it */
        require(laz_postgres_look(data, LAZ_POSTGRES_HEAD) == first);
    }
}

static uint32_t number_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The names of mechanisms up to an empty one: none ends in -PLUS, and nothing comes behind. */
static void check_names(const uint8_t *names, size_t size)
{
    static const char plus[] = "-PLUS";
    const size_t n = sizeof(plus) - 1;
    size_t at = 0;
    for (;;) {
        const uint8_t *end = at < size ? memchr(names + at, 0, size - at) : NULL;
        require(end != NULL);
        size_t length = (size_t)(end - names) - at;
        require(length < n || memcmp(end - n, plus, n) != 0);
        at += length + 1;
        if (length == 0) {
            break;
        }
    }
    require(at == size && size > 1);
}

/* What the client gets, message by message until it is let in. Only what is passed on unseen may be
 * cut short. */
static void check_lists(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        require(size - at >= MESSAGE_HEAD);
        const uint8_t *message = bytes + at;
        size_t length = 1 + (size_t)number_at(message + 1);
        if (message[0] == 'R') {
            require(length >= AUTH_HEAD && length <= size - at);
            uint32_t kind = number_at(message + MESSAGE_HEAD);
            if (kind == AUTH_OK) {
                return;
            }
            if (kind == AUTH_SASL) {
                check_names(message + AUTH_HEAD, length - AUTH_HEAD);
            }
        }
        at += length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_buf whole;
    struct laz_buf pieces;
    laz_buf_init_heap(&whole, size + 1);
    laz_buf_init_heap(&pieces, size + 1);
    check_first(data, size);
    int result = filter(data, size, size + 1, &whole);
    check_lists((const uint8_t *)whole.data, whole.len);
    require(filter(data, size, 1, &pieces) == result);
    require(result != 0 ||
            (whole.len == pieces.len &&
                    (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0)));
    laz_buf_done(&whole);
    laz_buf_done(&pieces);
    return 0;
}
