/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of PostgreSQL's protocol, version 3.
 */
#include "net/postgres.h"

#include <string.h>

#define SSL_REQUEST    80877103U
#define GSS_REQUEST    80877104U
#define CANCEL_REQUEST 80877102U
#define STARTUP_MAX    10000U /* bytes, the server's own ceiling */
#define CANCEL_MAX     268U   /* bytes; the key is at most 256 */
#define VERSION_MAJOR  3U
#define TLS_HANDSHAKE  0x16
#define MESSAGE_HEAD   5          /* a letter and the length of what follows it, itself included */
#define MESSAGE_MAX    (1U << 20) /* bytes of an error or a notice */
#define AUTH_OK        0U
#define AUTH_SASL      10U

const uint8_t laz_postgres_ssl_request[LAZ_POSTGRES_HEAD] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};

static uint32_t number_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_number(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

enum laz_postgres_first laz_postgres_look(const uint8_t *bytes, size_t length)
{
    if (length > 0 && bytes[0] == TLS_HANDSHAKE) {
        return LAZ_POSTGRES_IS_TLS;
    }
    if (length > 0 && bytes[0] != 0) { /* nothing is so long */
        return LAZ_POSTGRES_UNKNOWN;
    }
    if (length < LAZ_POSTGRES_HEAD) {
        return LAZ_POSTGRES_MORE;
    }
    uint32_t size = number_at(bytes);
    uint32_t code = number_at(bytes + 4);
    if (code == SSL_REQUEST || code == GSS_REQUEST) {
        return size == LAZ_POSTGRES_HEAD ? LAZ_POSTGRES_ASKS : LAZ_POSTGRES_UNKNOWN;
    }
    if (code == CANCEL_REQUEST) {
        return size > 2 * LAZ_POSTGRES_HEAD - 4 && size <= CANCEL_MAX ? LAZ_POSTGRES_BEGINS
                                                                      : LAZ_POSTGRES_UNKNOWN;
    }
    bool is_startup =
            code >> 16 == VERSION_MAJOR && size > LAZ_POSTGRES_HEAD && size <= STARTUP_MAX;
    return is_startup ? LAZ_POSTGRES_BEGINS : LAZ_POSTGRES_UNKNOWN;
}

static bool binds_channel(const uint8_t *name, size_t length)
{
    static const char end[] = "-PLUS";
    size_t n = sizeof(end) - 1;
    return length >= n && memcmp(name + length - n, end, n) == 0;
}

/* The names of mechanisms, each with its NUL, and an empty one at the end. */
static int put_mechanisms(
        const uint8_t *message, size_t size, struct laz_buf *ret, struct laz_err *err)
{
    uint8_t kept[LAZ_POSTGRES_HELD_MAX];
    size_t n = MESSAGE_HEAD + 4;
    size_t at = n;
    (void)memcpy(kept, message, n);
    while (at < size && message[at] != 0) {
        const uint8_t *end = memchr(message + at, 0, size - at);
        if (end == NULL) {
            break;
        }
        size_t length = (size_t)(end - message) - at;
        if (!binds_channel(message + at, length)) {
            (void)memcpy(kept + n, message + at, length + 1);
            n += length + 1;
        }
        at += length + 1;
    }
    if (at + 1 != size || message[at] != 0) {
        return laz_err_set(
                err, LAZ_E_TUNNEL, 0, "the server's list of mechanisms is not PostgreSQL's");
    }
    if (n == MESSAGE_HEAD + 4) {
        return laz_err_set(err, LAZ_E_TUNNEL, 0,
                "the server authenticates with channel binding alone, which no forwarder can have");
    }
    kept[n++] = 0;
    put_number(kept + 1, (uint32_t)(n - 1));
    laz_buf_put(ret, kept, n);
    return 0;
}

/* A whole message of authentication is held. */
static int let_out(struct laz_postgres_answers *answers, struct laz_buf *ret, struct laz_err *err)
{
    size_t size = answers->n_held;
    uint32_t kind = number_at(answers->held + MESSAGE_HEAD);
    answers->n_held = 0;
    answers->is_over = kind == AUTH_OK;
    if (kind == AUTH_SASL) {
        return put_mechanisms(answers->held, size, ret, err);
    }
    laz_buf_put(ret, answers->held, size);
    return 0;
}

/* The head of a message is held: which one is it? */
static int look_at_head(
        struct laz_postgres_answers *answers, struct laz_buf *ret, struct laz_err *err)
{
    uint8_t letter = answers->held[0];
    uint32_t size = number_at(answers->held + 1);
    if (letter == 'R' && size >= 8 && size < LAZ_POSTGRES_HELD_MAX - 1) {
        return 0; /* until it is whole */
    }
    bool may_be = letter == 'E' || letter == 'N' || letter == 'v';
    if (!may_be || size < 4 || size > MESSAGE_MAX) {
        return laz_err_set(err, LAZ_E_TUNNEL, 0, "the server does not speak PostgreSQL");
    }
    laz_buf_put(ret, answers->held, MESSAGE_HEAD);
    answers->n_held = 0;
    answers->pass = size - 4;
    return 0;
}

/* How many bytes more until something is to be decided. */
static size_t missing(const struct laz_postgres_answers *answers)
{
    return answers->n_held < MESSAGE_HEAD
            ? MESSAGE_HEAD - answers->n_held
            : 1 + (size_t)number_at(answers->held + 1) - answers->n_held;
}

int laz_postgres_filter(struct laz_postgres_answers *answers, const uint8_t *bytes, size_t length,
        struct laz_buf *ret, struct laz_err *err)
{
    while (length > 0) {
        if (answers->is_over || answers->pass > 0) {
            size_t n = answers->is_over || answers->pass > length ? length : answers->pass;
            laz_buf_put(ret, bytes, n);
            answers->pass -= answers->is_over ? 0 : (uint32_t)n;
            bytes += n;
            length -= n;
            continue;
        }
        size_t wanted = missing(answers);
        size_t n = wanted < length ? wanted : length;
        (void)memcpy(answers->held + answers->n_held, bytes, n);
        answers->n_held += n;
        bytes += n;
        length -= n;
        if (n < wanted) {
            return 0;
        }
        int result = answers->n_held == MESSAGE_HEAD ? look_at_head(answers, ret, err)
                                                     : let_out(answers, ret, err);
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}
