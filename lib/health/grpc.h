/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of grpc.health.v1.Health/Check over HTTP/2 without TLS: its request, and of the answer
 * the message alone. Headers are passed over unread: whoever serves says so in the message, and a
 * server that refuses sends none. Pure.
 */
#ifndef LAZ_HEALTH_GRPC_H
#define LAZ_HEALTH_GRPC_H

#include "core/buf.h"
#include "health/answer.h"

#define LAZ_HEALTH_GRPC_MESSAGE 64    /* bytes of an answer's message; a health status has two */
#define LAZ_HEALTH_GRPC_MAX     65536 /* bytes of all frames of an answer */
#define LAZ_HEALTH_GRPC_SERVING 1

struct laz_health_grpc {
    uint8_t head[9]; /* of a frame */
    size_t n_head;
    uint32_t left;   /* of its payload */
    uint8_t kept[8]; /* the first bytes of it: of a PING all */
    uint32_t n_kept;
    uint32_t padding; /* of DATA: what stands behind, and is none of it */
    bool has_padding; /* it is known */
    uint8_t message[LAZ_HEALTH_GRPC_MESSAGE];
    size_t n_message;
    size_t length; /* of all that has come */
    unsigned status;
};

void laz_health_grpc_init(struct laz_health_grpc *grpc);
/* Append the request. Check ret->overflow. */
void laz_health_grpc_ask(struct laz_buf *ret, const char *host, uint16_t port, const char *service);
/* What has to be said to the server is appended to `reply`. After DONE grpc->status is what the
 * message says, and 0 where there was none. */
enum laz_health_answered laz_health_grpc_take(
        struct laz_health_grpc *grpc, const uint8_t *bytes, size_t length, struct laz_buf *reply);

#endif
