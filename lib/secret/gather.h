/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets of a policy at once: each from its source, decrypted, checked, in its form, in a sealed
 * memfd. Either the first that cannot be had ends all of it, and nobody gets a part; or each is for
 * itself, and one that fails changes nothing for the others.
 */
#ifndef LAZ_SECRET_GATHER_H
#define LAZ_SECRET_GATHER_H

#include "secret/reach.h"
#include "secret/service.h"

#define LAZ_SECRET_FINGERPRINT 8 /* bytes */

/* What became of an item. */
enum laz_secret_end {
    LAZ_SECRET_END_FETCHED,
    LAZ_SECRET_END_ABSENT, /* and optional */
    LAZ_SECRET_END_FAILED, /* only where each is for itself */
};

struct laz_secret_result {
    enum laz_secret_end end;
    int fd;    /* sealed; -1 unless fetched */
    int masks; /* u32 length and bytes of each text that logs must not show; likewise */
    char version[LAZ_SECRET_VERSION_MAX + 1];
    char fingerprint[2 * LAZ_SECRET_FINGERPRINT + 1];
    uint64_t renew;   /* seconds since 1970: fetch another one then; 0: its source does not say */
    uint64_t expires; /* from then on it is worth nothing; 0: likewise */
    /* "class: text (request id)"; where it is fetched "", or what was odd about that */
    char why[LAZ_ERR_MESSAGE_MAX];
};

/* Perhaps from within laz_gather_start; nothing may be freed there. */
struct laz_gather_owner {
    /* Once for each wanted item: as soon as it has ended where each is for itself, otherwise for
     * all of them when all are there. The descriptors stay the gather's. */
    void (*item)(void *context, uint32_t item, const struct laz_secret_result *result);
    void (*done)(void *context);
    /* In place of all that: LAZ_E_SECRET. Never where each is for itself. */
    void (*failed)(void *context, const struct laz_err *err);
    void *context;
};

struct laz_gather;

/* Reads the CAs, and asks nobody yet. An item that nobody can be asked for, because its region is
 * not known or there are no CAs, fails by name when all start, and is no failure here. What the
 * means point to is borrowed until laz_gather_free. */
LAZ_MUST_CHECK int laz_gather_new(struct event_base *base, const struct laz_secret_means *means,
        const struct laz_gather_owner *owner, struct laz_gather **ret, struct laz_err *err);
void laz_gather_free(struct laz_gather *gather);
void laz_gather_start(struct laz_gather *gather);

#endif
