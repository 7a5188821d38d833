/* SPDX-License-Identifier: Apache-2.0
 *
 * Getting an agent's key from ossec-authd, over TLS: who answers is verified, or nothing is asked.
 */
#ifndef LAZ_SINK_OSSEC_ENROL_H
#define LAZ_SINK_OSSEC_ENROL_H

#include <event2/event.h>

#include "policy/ship.h"
#include "sink/ossec_codec.h"
#include "sink/sink.h"

/* One of the two for each start, from the event loop. */
struct laz_ossec_enrol_owner {
    /* A line as of client.keys; wiped afterwards. */
    void (*enrolled)(void *context, const char *line, size_t length);
    void (*failed)(void *context, const char *why);
    void *context;
};

struct laz_ossec_enrol;

/* Reads the certificates, and the password where there is one. `host` is the agent's name where the
 * policy says none.
 */
LAZ_MUST_CHECK int laz_ossec_enrol_new(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, uint32_t wait_ms,
        const struct laz_ossec_enrol_owner *owner, struct laz_ossec_enrol **ret,
        struct laz_err *err);
void laz_ossec_enrol_free(struct laz_ossec_enrol *enrol);
void laz_ossec_enrol_start(struct laz_ossec_enrol *enrol); /* the last one has ended */

/* What authd's answer says: the line of the key in it. LAZ_E_SINK with what authd complains of. */
LAZ_MUST_CHECK int laz_ossec_read_answer(
        const char *text, size_t length, const char **ret, size_t *ret_length, struct laz_err *err);

#endif
