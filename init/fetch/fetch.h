/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `fetch`: takes its orders, opens what they name, narrows itself, has those secrets
 * fetched that init wants, hands it a sealed memfd for each, and ends. Values are in nobody's
 * messages.
 */
#ifndef LAZ_INIT_FETCH_FETCH_H
#define LAZ_INIT_FETCH_FETCH_H

#include <event2/event.h>

#include "init/role/cloud.h"
#include "init/role/orders.h"
#include "secret/gather.h"

#define LAZ_FETCH_UID 65313 /* and gid: as LAZ_SHIP_UID */
#define LAZ_FETCH_PORTS_MAX                                                                        \
    (2 * LAZ_FETCH_ITEMS_MAX + 2) /* of each item two, of credentials and of Vault */

/* What narrowing leaves. */
struct laz_fetch_left {
    uint16_t ports[LAZ_FETCH_PORTS_MAX];
    size_t n_ports;
    int token_folder; /* to read in; -1: none */
};

struct laz_fetch {
    struct laz_role_ear ear;
    struct event_base *base;
    struct event *orders_event;
    uint8_t section[LAZ_FETCH_MAX];
    struct laz_fetch_config config; /* points into it */
    struct laz_role_variables variables;
    struct laz_aws_environment environment; /* points into them */
    struct laz_secret_given given[LAZ_FETCH_ITEMS_MAX];
    uint8_t key[LAZ_FINGERPRINT_KEY_SIZE];
    uint32_t wanted; /* items, a bit for each; 0: nobody has said so */
    uint32_t asked;  /* and those that they are made of */
    bool is_whole;   /* all of them or none */
    uint32_t wait_ms;
    struct laz_secret_given identity_cas[LAZ_FETCH_IDENTITIES_MAX];
    struct laz_tls_files files;
    char no_files[LAZ_ERR_MESSAGE_MAX]; /* why they are not open; "": they are, or are not needed */
    struct laz_tls_files vault_files;
    char no_vault_files[LAZ_ERR_MESSAGE_MAX];
    struct laz_secret_given vault_token;
    struct laz_gather *gather;
    bool has_config;
    bool has_key;
    bool has_begun;
    bool is_done;
};

_Noreturn void laz_role_fetch(int chan);

/* ---- narrow.c ---- */

/* After it: no root, no capability, no file but those that names are looked up with and the token,
 * no port but these, no core, and the system calls of filter.def. */
LAZ_MUST_CHECK int laz_fetch_narrow(const struct laz_fetch_left *left, struct laz_err *err);

#endif
