/* SPDX-License-Identifier: Apache-2.0
 *
 * What is answered: short documents for whoever asks, one with everything (schema lazaret.health/1)
 * for those who may see it, the line of a probe, and metrics. Pure.
 */
#ifndef LAZ_HEALTH_DOCUMENT_H
#define LAZ_HEALTH_DOCUMENT_H

#include "health/state.h"

#define LAZ_HEALTH_DOCUMENT_MAX 65536 /* bytes */
#define LAZ_HEALTH_LINE_OUT_MAX 990   /* bytes of what a probe prints */

/* What does not change while it runs. Strings are borrowed; "" where nothing is known. */
struct laz_health_facts {
    const char *policy;
    const char *digest;
    const char *color;
    const char *version;
    bool is_pid1; /* init is */
};

/* One answer's worth of what is known. */
struct laz_health_view {
    const struct laz_health *health;
    const struct laz_health_facts *facts;
    struct laz_health_now now;
    uint32_t now_us; /* of unix_s */
};

/* X(ENUM, "path", what a probe sends) */
#define LAZ_HEALTH_QUESTIONS(X)                                                                    \
    X(LIVE, "/livez", 'l')                                                                         \
    X(READY, "/readyz", 'r')                                                                       \
    X(STARTUP, "/startupz", 's')                                                                   \
    X(WHOLE, "/healthz", '\0')                                                                     \
    X(METRICS, "/metrics", '\0')

enum laz_health_question {
#define X(id, path, byte) LAZ_HEALTH_ASK_##id,
    LAZ_HEALTH_QUESTIONS(X)
#undef X
    LAZ_HEALTH_QUESTION_COUNT /* none of them */
};

enum laz_health_question laz_health_question_of_path(const char *path);
enum laz_health_question laz_health_question_of_byte(char byte);

/* Of the first three: is the answer yes? Of the others always. */
bool laz_health_is_fine(const struct laz_health *health, enum laz_health_question question);
/* Seconds after which to ask again; not 0. */
unsigned laz_health_retry_after(const struct laz_health_view *view);

/* Append. `is_full`: to somebody who may see everything. Check buf->overflow. */
void laz_health_write_answer(const struct laz_health_view *view, enum laz_health_question question,
        bool is_full, struct laz_buf *ret);
/* Of a probe: one line without its end, the worst news first. */
void laz_health_write_line(
        const struct laz_health_view *view, enum laz_health_question question, struct laz_buf *ret);
void laz_health_write_metrics(
        const struct laz_health_view *view, bool is_full, struct laz_buf *ret);

#endif
