/* SPDX-License-Identifier: Apache-2.0
 *
 * Of PostgreSQL's protocol what a forwarder between a plain client and a server behind TLS has to
 * know: how a connection begins, and which mechanisms of authentication cannot work through it.
 * Bytes in, bytes out; opens nothing. Messages: PostgreSQL's documentation, "Message Formats".
 */
#ifndef LAZ_NET_POSTGRES_H
#define LAZ_NET_POSTGRES_H

#include "core/buf.h"

#define LAZ_POSTGRES_HEAD      8    /* bytes of a first message that say what it is */
#define LAZ_POSTGRES_ASKED_MAX 2    /* requests for encryption: TLS and GSSAPI, once each */
#define LAZ_POSTGRES_HELD_MAX  4096 /* bytes of a message that is looked into */

/* The request for TLS, and the byte that grants it. */
extern const uint8_t laz_postgres_ssl_request[LAZ_POSTGRES_HEAD];
#define LAZ_POSTGRES_GRANTED 'S'
#define LAZ_POSTGRES_DENIED  'N'

/* What a client says first. */
enum laz_postgres_first {
    LAZ_POSTGRES_MORE,    /* too little has come */
    LAZ_POSTGRES_ASKS,    /* for encryption, with LAZ_POSTGRES_HEAD bytes: answer DENIED */
    LAZ_POSTGRES_BEGINS,  /* a session, or a cancellation: forward it, and all that follows */
    LAZ_POSTGRES_IS_TLS,  /* it has begun TLS itself */
    LAZ_POSTGRES_UNKNOWN, /* this is not PostgreSQL */
};

enum laz_postgres_first laz_postgres_look(const uint8_t *bytes, size_t length);

/* What the server says until it has let the client in. Invariant: n_held < LAZ_POSTGRES_HELD_MAX.
 */
struct laz_postgres_answers {
    bool is_over;  /* nothing is looked at any more */
    uint32_t pass; /* bytes that belong to a message that is not looked into */
    size_t n_held;
    uint8_t held[LAZ_POSTGRES_HELD_MAX];
};

/* Appends to `ret` what the client is to get of these bytes: at most as many, and those held
 * before. Mechanisms that bind to the channel are left out: the client has another channel.
 * LAZ_E_TUNNEL: it is not PostgreSQL, or nothing is left. */
LAZ_MUST_CHECK int laz_postgres_filter(struct laz_postgres_answers *answers, const uint8_t *bytes,
        size_t length, struct laz_buf *ret, struct laz_err *err);

#endif
