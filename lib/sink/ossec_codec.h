/* SPDX-License-Identifier: Apache-2.0
 *
 * The datagrams of OSSEC's agent protocol ("secure", 4.x, AES): what an agent sends to its manager,
 * and what the manager answers. Two layers: the message with its sum and counters, and around it
 * compression and encryption. Neither is protection worth the name (a key of MD5, no MAC); both are
 * what the manager speaks. Pure but for libcrypto and zlib.
 */
#ifndef LAZ_SINK_OSSEC_CODEC_H
#define LAZ_SINK_OSSEC_CODEC_H

#include "core/buf.h"

#define LAZ_OSSEC_PAYLOAD_MAX  6016 /* bytes; the manager has 6,144 for it and what is in front */
#define LAZ_OSSEC_MESSAGE_MAX  6144
#define LAZ_OSSEC_DATAGRAM_MAX 6400 /* deflate makes what cannot be compressed a little longer */
#define LAZ_OSSEC_LOCAL_MAX    9997 /* then the global counter goes up */
#define LAZ_OSSEC_IV_SIZE      16
#define LAZ_OSSEC_KEY_SIZE     32
#define LAZ_OSSEC_LINE_MAX     1024 /* bytes of a line of client.keys */
#define LAZ_OSSEC_NAME_MAX     128
#define LAZ_OSSEC_ID_MAX       8

/* Who we are to the manager. Wipe it with explicit_bzero. */
struct laz_ossec_agent {
    char id[LAZ_OSSEC_ID_MAX + 1];
    char name[LAZ_OSSEC_NAME_MAX + 1];
    bool is_anywhere; /* the manager does not know us by our address: datagrams begin with the id */
    uint8_t key[LAZ_OSSEC_KEY_SIZE];
};

struct laz_ossec_message {
    uint32_t random; /* 5 digits */
    uint32_t global; /* counters: each message's is higher than that of the one before */
    uint32_t local;
    const char *payload; /* into what was decoded */
    size_t length;
};

/* `ID NAME ADDRESS KEY`, a line of client.keys without its line feed. LAZ_E_SINK with what is
 * wrong; the key is in no message. Also if libcrypto has no MD5. */
LAZ_MUST_CHECK int laz_ossec_read_agent(
        const char *line, size_t length, struct laz_ossec_agent *ret, struct laz_err *err);

/* LAZ_E_SINK if libcrypto has no MD5, which is so with FIPS providers. */
LAZ_MUST_CHECK int laz_ossec_probe(struct laz_err *err);

/* The inner layer: sum, random, counters, payload. */
LAZ_MUST_CHECK int laz_ossec_put_message(
        struct laz_buf *buf, const struct laz_ossec_message *message, struct laz_err *err);
LAZ_MUST_CHECK int laz_ossec_read_message(
        const char *bytes, size_t length, struct laz_ossec_message *ret, struct laz_err *err);

/* All of it. `iv` is random. Appended to `buf`, which needs LAZ_OSSEC_DATAGRAM_MAX bytes. */
LAZ_MUST_CHECK int laz_ossec_seal(struct laz_buf *buf, const struct laz_ossec_agent *agent,
        const struct laz_ossec_message *message, const uint8_t *iv, struct laz_err *err);

/* What a manager sends. `memory` holds the payload afterwards; LAZ_OSSEC_MESSAGE_MAX bytes. */
LAZ_MUST_CHECK int laz_ossec_open(const struct laz_ossec_agent *agent, const uint8_t *datagram,
        size_t length, char *memory, struct laz_ossec_message *ret, struct laz_err *err);

/* The MD5 sum of a shared configuration that the manager offers: `#!-up file SUM merged.mg`. false
 * if the payload offers none. */
LAZ_MUST_CHECK bool laz_ossec_read_offer(const char *payload, size_t length, char ret_sum[33]);

#endif
