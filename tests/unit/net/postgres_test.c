/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's beginning: what a client asks for, and what of a server's answers goes on.
 */
#include "net/postgres.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

static enum laz_postgres_first look(const char *bytes, size_t length)
{
    return laz_postgres_look((const uint8_t *)bytes, length);
}

#define LOOK(text) look(text, sizeof(text) - 1)

Test(postgres, knows_what_a_client_says_first)
{
    cr_expect_eq(LOOK("\0\0\0\x08\x04\xd2\x16\x2f"), LAZ_POSTGRES_ASKS);
    cr_expect_eq(LOOK("\0\0\0\x08\x04\xd2\x16\x30"), LAZ_POSTGRES_ASKS);
    cr_expect_eq(LOOK("\0\0\0\x09\x04\xd2\x16\x2f"), LAZ_POSTGRES_UNKNOWN);
    cr_expect_eq(LOOK("\0\0\0\x10\x04\xd2\x16\x2e"), LAZ_POSTGRES_BEGINS);
    cr_expect_eq(LOOK("\0\0\0\x08\x04\xd2\x16\x2e"), LAZ_POSTGRES_UNKNOWN);
    cr_expect_eq(LOOK("\0\0\0\x21\0\3\0\0"), LAZ_POSTGRES_BEGINS);
    cr_expect_eq(LOOK("\0\0\0\x21\0\2\0\0"), LAZ_POSTGRES_UNKNOWN);
    cr_expect_eq(LOOK("\0\0\0\x21\0\3\0"), LAZ_POSTGRES_MORE);
    cr_expect_eq(LOOK("\x16\x03\x01"), LAZ_POSTGRES_IS_TLS);
    cr_expect_eq(LOOK("GET "), LAZ_POSTGRES_UNKNOWN);
    cr_expect_eq(LOOK(""), LAZ_POSTGRES_MORE);
}

static const struct row {
    const char *name;
    const char *said;
    size_t n_said;
    const char *goes;
    size_t n_goes;
    const char *why;
} rows[] = {
#define ROW(name, said, goes, why)                                                                 \
    {                                                                                              \
        name, said, sizeof(said) - 1, goes, sizeof(goes) - 1, why                                  \
    }
        ROW("the mechanism that binds is left out",
                "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
                "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", NULL),
        ROW("a list without it stays", "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
                "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", NULL),
        ROW("nothing else is left", "R\0\0\0\x1c\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0", "",
                "the server authenticates with channel binding alone, which no forwarder can have"),
        ROW("a list that does not end", "R\0\0\0\x15\0\0\0\x0aSCRAM-SHA-256", "",
                "the server's list of mechanisms is not PostgreSQL's"),
        ROW("let in, and nothing is looked at", "R\0\0\0\x08\0\0\0\0R\0\0\0\1HTTP",
                "R\0\0\0\x08\0\0\0\0R\0\0\0\1HTTP", NULL),
        ROW("an error goes on", "E\0\0\0\x09SFOO\0", "E\0\0\0\x09SFOO\0", NULL),
        ROW("not PostgreSQL", "HTTP/1.1", "", "the server does not speak PostgreSQL"),
        ROW("an answer that is too short", "R\0\0\0\4", "", "the server does not speak PostgreSQL"),
};

Test(postgres, lets_answers_through_but_for_channel_binding_in_any_pieces)
{
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i / 2];
        size_t piece = i % 2 == 0 ? 1 : row->n_said;
        struct laz_postgres_answers answers = {0};
        struct laz_err err = {0};
        char memory[256];
        struct laz_buf buf;
        int result = 0;
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        for (size_t at = 0; at < row->n_said && result == 0; at += piece) {
            result = laz_postgres_filter(
                    &answers, (const uint8_t *)row->said + at, piece, &buf, &err);
        }
        cr_expect_str_eq(err.message, row->why == NULL ? "" : row->why, "%s", row->name);
        cr_expect_eq(err.kind, row->why == NULL ? LAZ_E_NONE : LAZ_E_TUNNEL, "%s", row->name);
        cr_expect(row->why != NULL ||
                        (buf.len == row->n_goes && memcmp(buf.data, row->goes, buf.len) == 0),
                "%s: %zu bytes", row->name, buf.len);
    }
}
