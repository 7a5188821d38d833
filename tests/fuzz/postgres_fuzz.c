/* SPDX-License-Identifier: Apache-2.0
 *
 * What a PostgreSQL client says first, and what a server answers. In whatever pieces the answers
 * come, the same bytes go on and the same error ends them; never more than came; and no mechanism
 * that binds to the channel is left in the first list.
 */
#include "net/postgres.h"

#include <stdlib.h>

#include "fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_buf whole;
    struct laz_buf pieces;
    laz_buf_init_heap(&whole, size + 1);
    laz_buf_init_heap(&pieces, size + 1);
    check_first(data, size);
    int result = filter(data, size, size + 1, &whole);
    require(filter(data, size, 1, &pieces) == result);
    require(result != 0 ||
            (whole.len == pieces.len &&
                    (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0)));
    laz_buf_done(&whole);
    laz_buf_done(&pieces);
    return 0;
}
