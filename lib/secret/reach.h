/* SPDX-License-Identifier: Apache-2.0
 *
 * What sources share: what they may use, one context of TLS for each host however many items are
 * there, the credentials of AWS, and the login of Vault. Asks nobody.
 */
#ifndef LAZ_SECRET_REACH_H
#define LAZ_SECRET_REACH_H

#include <event2/event.h>

#include "net/aws_call.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "net/vault.h"
#include "secret/place.h"

#define LAZ_REACH_PLACES_MAX (2 * LAZ_FETCH_ITEMS_MAX)
#define LAZ_SECRET_KEY_BYTES 32
#define LAZ_GIVEN_WHY_MAX    320

/* Of a source that somebody has opened for us. */
struct laz_secret_given {
    int fd;        /* a file or a memfd; -1: there is none */
    int sys_errno; /* why not; 0: nothing of it was said, or it is not to be trusted */
    char why[LAZ_GIVEN_WHY_MAX]; /* that in words; "": nothing of it was said */
};

struct laz_secret_means {
    const struct laz_fetch_config *config; /* all borrowed until the end */
    const struct laz_aws_environment *environment;
    const char *ca; /* what `files` has open */
    const struct laz_tls_files *files;
    const char *no_ca;                    /* why it has not; "": it has, or nobody needs it */
    const struct laz_secret_given *given; /* one for each item */
    uint32_t wanted;      /* items, a bit for each: of the others nothing is told, */
    uint32_t asked;       /* and nothing asked but of these: laz_secret_needed */
    bool is_whole;        /* all of them or none; otherwise each for itself */
    uint32_t wait_ms;     /* until then */
    const uint8_t *key;   /* of fingerprints: LAZ_SECRET_KEY_BYTES */
    const char *vault_ca; /* what `vault_files` has open */
    const struct laz_tls_files *vault_files;
    const char *no_vault_ca; /* likewise */
    struct laz_secret_given vault_token;
    const struct laz_secret_given *identity_cas; /* one for each identity */
};

struct laz_reach_place {
    struct laz_secret_place at;
    struct laz_tls *tls;
};

struct laz_reach {
    struct event_base *base; /* borrowed */
    struct laz_secret_means means;
    struct laz_aws *aws;              /* NULL: no item takes credentials, or */
    char no_aws[LAZ_ERR_MESSAGE_MAX]; /* why there are none */
    /* Of all, so that each host is looked up once; NULL: nobody is asked. */
    struct laz_resolver *resolver;
    struct laz_vault *vault;            /* NULL: there is none, or */
    char no_vault[LAZ_ERR_MESSAGE_MAX]; /* why nobody can log in */
    struct laz_secret_place vault_place;
    struct laz_tls *vault_tls;
    struct laz_reach_place places[LAZ_REACH_PLACES_MAX];
    size_t n_places;
    int values[LAZ_FETCH_ITEMS_MAX]; /* borrowed: what has been fetched; -1: not yet */
};

/* Those that have to be asked for: what is wanted, and what that is made of. */
uint32_t laz_secret_needed(const struct laz_fetch_config *config, uint32_t wanted);

/* *ret is all zero; laz_reach_done also where it fails: what only some items need is what they say
 * later, and no failure here. */
LAZ_MUST_CHECK int laz_reach_init(struct laz_reach *ret, struct event_base *base,
        const struct laz_secret_means *means, struct laz_err *err);
/* After the sources. */
void laz_reach_done(struct laz_reach *reach);

/* Where an item's service is; *ret is the reach's own. LAZ_E_SECRET: this item cannot be asked for,
 * others perhaps. */
LAZ_MUST_CHECK int laz_reach_find(struct laz_reach *reach, const struct laz_fetch_item *item,
        enum laz_fetch_service service, const struct laz_reach_place **ret, struct laz_err *err);

/* Is it about what was said of a service, and not about this process? */
bool laz_reach_is_about_service(const struct laz_err *err);

/* In vault.c, for laz_reach_init. */
LAZ_MUST_CHECK int laz_reach_open_vault(struct laz_reach *reach, struct laz_err *err);

#endif
