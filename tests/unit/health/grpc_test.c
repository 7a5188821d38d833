/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/health/grpc: what is asked, and which answers are one.
 */
#include "health/grpc.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define ASKED_MAX 2048
#define REPLY_MAX 256

/* Frames, as a server sends them. */
#define SETTINGS                 "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64"
#define SETTINGS_ACK             "\0\0\0\4\1\0\0\0\0"
#define PING                     "\0\0\x08\6\0\0\0\0\0abcdefgh"
#define HEADERS                  "\0\0\3\1\4\0\0\0\1\x88\x88\x88"
#define TRAILERS                 "\0\0\2\1\5\0\0\0\1\x88\x88"
#define DATA(size, flags, bytes) "\0\0" size "\0" flags "\0\0\0\1" bytes
#define SERVING                  DATA("\7", "\0", "\0\0\0\0\2\x08\1")
#define WINDOW                   "\0\0\4\x08\0\0\0\0\0\0\0\1\0"

struct row {
    const char *name;
    const char *bytes;
    size_t length;
    enum laz_health_answered result;
    unsigned status;
};

#define ROW(name, bytes, result, status)                                                           \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, result, status                                             \
    }

static const struct row rows[] = {
        ROW("serving", SETTINGS SETTINGS_ACK HEADERS SERVING TRAILERS, LAZ_HEALTH_ANSWER_DONE, 1),
        ROW("in two frames",
                SETTINGS HEADERS DATA("\4", "\0", "\0\0\0\0") DATA("\3", "\1", "\2\x08\1"),
                LAZ_HEALTH_ANSWER_DONE, 1),
        ROW("padded", HEADERS DATA("\xa", "\x09", "\2\0\0\0\0\2\x08\1\0\0"), LAZ_HEALTH_ANSWER_DONE,
                1),
        ROW("not serving", HEADERS DATA("\7", "\1", "\0\0\0\0\2\x08\2"), LAZ_HEALTH_ANSWER_DONE, 2),
        ROW("unknown", HEADERS DATA("\5", "\1", "\0\0\0\0\0"), LAZ_HEALTH_ANSWER_DONE, 0),
        ROW("no message", SETTINGS TRAILERS, LAZ_HEALTH_ANSWER_DONE, 0),
        ROW("other frames", PING WINDOW HEADERS SERVING PING TRAILERS, LAZ_HEALTH_ANSWER_DONE, 1),
        ROW("no end", SETTINGS HEADERS SERVING, LAZ_HEALTH_ANSWER_MORE, 0),
        ROW("compressed", HEADERS DATA("\7", "\1", "\1\0\0\0\2\x08\1"), LAZ_HEALTH_ANSWER_BROKEN,
                0),
        ROW("longer than it says", HEADERS DATA("\7", "\1", "\0\0\0\0\1\x08\1"),
                LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("shorter", HEADERS DATA("\6", "\1", "\0\0\0\0\2\x08"), LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("a number without end", HEADERS DATA("\7", "\1", "\0\0\0\0\2\x08\x81"),
                LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("another field", HEADERS DATA("\7", "\1", "\0\0\0\0\2\x10\1"), LAZ_HEALTH_ANSWER_BROKEN,
                0),
        ROW("more padding than payload", DATA("\2", "\x09", "\3\0"), LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("padding without length", DATA("\0", "\x09", ""), LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("reset", SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\7", LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("it goes away", "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\1", LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("another stream", "\0\0\1\0\0\0\0\0\3a", LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("a frame above the ceiling", "\0\x40\1\1\0\0\0\0\1", LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("a short ping", "\0\0\1\6\0\0\0\0\0a", LAZ_HEALTH_ANSWER_BROKEN, 0),
        ROW("HTTP/1", "HTTP/1.1 400 Bad Request\r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0),
};

static void judge(const struct row *row, size_t piece)
{
    struct laz_health_grpc grpc;
    char memory[REPLY_MAX];
    struct laz_buf reply;
    enum laz_health_answered result = LAZ_HEALTH_ANSWER_MORE;
    laz_health_grpc_init(&grpc);
    laz_buf_init_fixed(&reply, memory, sizeof(memory));
    for (size_t at = 0; at < row->length && result == LAZ_HEALTH_ANSWER_MORE; at += piece) {
        size_t left = row->length - at;
        result = laz_health_grpc_take(
                &grpc, (const uint8_t *)row->bytes + at, left < piece ? left : piece, &reply);
    }
    cr_expect_eq(result, row->result, "%s in pieces of %zu", row->name, piece);
    cr_expect_eq(grpc.status, row->status, "%s in pieces of %zu", row->name, piece);
}

Test(health_grpc, takes_an_answer_as_it_comes)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece < 120; piece += 13) {
            judge(&rows[i], piece);
        }
    }
}

Test(health_grpc, confirms_settings_and_pings_once)
{
    static const char bytes[] = SETTINGS SETTINGS_ACK PING "\0\0\x08\6\1\0\0\0\0abcdefgh";
    static const char wanted[] = "\0\0\0\4\1\0\0\0\0"
                                 "\0\0\x08\6\1\0\0\0\0abcdefgh";
    struct laz_health_grpc grpc;
    char memory[REPLY_MAX];
    struct laz_buf reply;
    laz_health_grpc_init(&grpc);
    laz_buf_init_fixed(&reply, memory, sizeof(memory));
    cr_expect_eq(laz_health_grpc_take(&grpc, (const uint8_t *)bytes, sizeof(bytes) - 1, &reply),
            LAZ_HEALTH_ANSWER_MORE);
    cr_expect(reply.len == sizeof(wanted) - 1 && memcmp(reply.data, wanted, reply.len) == 0);
}

Test(health_grpc, a_server_that_does_not_end_is_given_up)
{
    struct laz_health_grpc grpc;
    char memory[REPLY_MAX];
    struct laz_buf reply;
    enum laz_health_answered result = LAZ_HEALTH_ANSWER_MORE;
    size_t n = 0;
    laz_health_grpc_init(&grpc);
    laz_buf_init_fixed(&reply, memory, sizeof(memory));
    for (; n <= LAZ_HEALTH_GRPC_MAX && result == LAZ_HEALTH_ANSWER_MORE; n++) {
        result = laz_health_grpc_take(&grpc, (const uint8_t *)WINDOW, sizeof(WINDOW) - 1, &reply);
    }
    cr_expect_eq(result, LAZ_HEALTH_ANSWER_BROKEN);
}

Test(health_grpc, asks_with_lengths_that_fit)
{
    static const char *const services[] = {"", "a", "0123456789012345678901234567890123456789"};
    char service[LAZ_HEALTH_GRPC_MESSAGE * 2 + 1];
    char host[254];
    char memory[ASKED_MAX];
    struct laz_buf asked;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        laz_buf_init_fixed(&asked, memory, sizeof(memory));
        laz_health_grpc_ask(&asked, "::1", 50051, services[i]);
        cr_assert(!asked.overflow);
        cr_expect_eq(memcmp(asked.data, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), 0);
        cr_expect_not_null(memmem(asked.data, asked.len, "\x0b[::1]:50051", 12));
        size_t length = strlen(services[i]);
        cr_expect_eq(memcmp(asked.data + asked.len - length, services[i], length), 0);
    }
    (void)memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    for (size_t length = 127; length <= 128; length++) {
        (void)memset(service, 's', length);
        service[length] = '\0';
        laz_buf_init_fixed(&asked, memory, sizeof(memory));
        laz_health_grpc_ask(&asked, host, 65535, service);
        cr_assert(!asked.overflow);
        const char *wanted = length == 127 ? "\0\0\0\0\x81\x0a\x7f" : "\0\0\0\0\x83\x0a\x80\x01";
        cr_expect_not_null(memmem(asked.data, asked.len, wanted, length - 120), "%zu", length);
    }
}
