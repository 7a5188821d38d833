/* SPDX-License-Identifier: Apache-2.0
 *
 * What brings values: a service that is asked, or what somebody has opened for us. It starts, and
 * from then on gives each of its items once, or fails once for all that it has not given. It knows
 * nothing of what becomes of a value, of the other sources and of the deadline. A new kind: a row
 * of LAZ_SECRET_SOURCES, a file with its laz_source_kind, a case in laz_source_new.
 */
#ifndef LAZ_SECRET_SOURCE_H
#define LAZ_SECRET_SOURCE_H

#include "secret/reach.h"
#include "secret/service.h"

#define LAZ_SOURCE_ID_MAX LAZ_CALL_ID_MAX /* bytes of what a service calls a request */

struct laz_source;

/* What there is to say of the last try. */
struct laz_source_said {
    enum laz_secret_fault fault; /* what it is if there is no other try: UNAVAILABLE, CREDENTIALS */
    char why[LAZ_ERR_MESSAGE_MAX]; /* "": it has not been answered */
    char id[LAZ_SOURCE_ID_MAX + 1];
};

struct laz_source_kind {
    /* Once. What waits for nobody ends within it. */
    void (*start)(struct laz_source *source);
    void (*said)(const struct laz_source *source, struct laz_source_said *ret);
    void (*free)(struct laz_source *source);
    bool waits; /* for somebody's answer: is started before those that do not */
};

/* From within start, or from the event loop; the source is not freed there. */
struct laz_source_owner {
    /* The item's value has been appended to `into`, which is empty before and wiped in here. */
    void (*given)(void *context, uint32_t item, const char *version, const char *id);
    /* All of its items that were not given; LAZ_SECRET_FAULT_ABSENT: there is no such thing. */
    void (*failed)(void *context, const struct laz_source *source, enum laz_secret_fault fault,
            const char *why, const char *id);
    struct laz_buf *into; /* borrowed */
    void *context;
};

/* What every source begins with. */
struct laz_source {
    const struct laz_source_kind *kind; /* static */
    struct laz_source_owner owner;
    uint32_t items; /* which ones it brings, as bits: mostly one */
    uint32_t needs; /* of others: it is started when these are in reach->values */
    /* Of what it gives, as struct laz_secret_result has them; before it gives. */
    uint64_t renew;
    uint64_t expires;
};

/* The source of an item, and of all others that come with it. */
LAZ_MUST_CHECK int laz_source_new(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);
void laz_source_free(struct laz_source *source);

/* What a refusal of a service is called. */
enum laz_secret_fault laz_secret_fault_of(enum laz_call_verdict verdict);

/* ---- aws.c ---- */

LAZ_MUST_CHECK int laz_source_new_aws(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);
/* KMS, as a source of one item: the ciphertext, which may be wiped afterwards, and then start. */
LAZ_MUST_CHECK int laz_source_new_decrypt(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);
void laz_source_put_ciphertext(struct laz_source *source, const void *bytes, size_t length);

/* ---- vault.c ---- */

LAZ_MUST_CHECK int laz_source_new_vault(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);

/* ---- given.c ---- */

LAZ_MUST_CHECK int laz_source_new_given(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);

/* ---- identity.c ---- */

LAZ_MUST_CHECK int laz_source_new_identity(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);

#endif
