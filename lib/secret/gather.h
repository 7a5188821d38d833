/* SPDX-License-Identifier: Apache-2.0
 *
 * All secrets of a policy at once: each from its source, decrypted, checked, in its form, in a
 * sealed memfd. The first that cannot be had ends all of it; nobody gets a part.
 */
#ifndef LAZ_SECRET_GATHER_H
#define LAZ_SECRET_GATHER_H

#include "secret/reach.h"
#include "secret/service.h"

#define LAZ_SECRET_FINGERPRINT 8 /* bytes */

/* What became of an item. */
struct laz_secret_result {
    bool is_absent; /* and optional */
    int fd;         /* sealed; -1 if absent */
    char version[LAZ_SECRET_VERSION_MAX + 1];
    char fingerprint[2 * LAZ_SECRET_FINGERPRINT + 1]; /* keyed anew in each run */
};

/* One of the two, once, perhaps from within laz_gather_start; nothing may be freed there. */
struct laz_gather_owner {
    void (*done)(void *context);
    void (*failed)(void *context, const struct laz_err *err); /* LAZ_E_SECRET */
    void *context;
};

struct laz_gather;

/* Reads the CAs, and asks nobody yet. What the means point to is borrowed until laz_gather_free. */
LAZ_MUST_CHECK int laz_gather_new(struct event_base *base, const struct laz_secret_means *means,
        const struct laz_gather_owner *owner, struct laz_gather **ret, struct laz_err *err);
void laz_gather_free(struct laz_gather *gather);
void laz_gather_start(struct laz_gather *gather);

/* Once it is done; the descriptors stay its own. */
const struct laz_secret_result *laz_gather_result(const struct laz_gather *gather, uint32_t item);
int laz_gather_masks(const struct laz_gather *gather); /* u32 length and bytes of each; sealed */

#endif
