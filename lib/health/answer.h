/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server answers to a check, as far as it is looked at: the status line of HTTP/1, and where
 * its head ends. The body is nobody's business here. Pure.
 */
#ifndef LAZ_HEALTH_ANSWER_H
#define LAZ_HEALTH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define LAZ_HEALTH_HEAD_MAX 32768 /* bytes of a head */

enum laz_health_answered {
    LAZ_HEALTH_ANSWER_MORE, /* has to come */
    LAZ_HEALTH_ANSWER_DONE,
    LAZ_HEALTH_ANSWER_BROKEN, /* it is no HTTP */
};

struct laz_health_answer {
    uint16_t status; /* once it is DONE: 200 to 599 */
    size_t length;   /* of what has come of the head */
    uint32_t line;   /* bytes of this line, without CR */
    bool has_status;
    char first[16]; /* of the status line */
};

void laz_health_answer_init(struct laz_health_answer *answer);
/* Interim answers (1xx) are passed over. */
enum laz_health_answered laz_health_answer_take(
        struct laz_health_answer *answer, const char *bytes, size_t length);

/* Append a request for a path; `host` is a name or an address, `port` is left out where it is
 * usual. */
void laz_health_answer_ask(
        struct laz_buf *ret, const char *host, uint16_t port, bool is_tls, const char *path);

#endif
