/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoder and decoder are the same list of fields in the same order. The decoder trusts nothing;
 * after it each item of an identity has one, and each identity's items are other ones, before its
 * own. Layout: docs/reference/policy-image.md.
 */
#include "policy/identity_codec.h"

#include <string.h>

#include "core/words.h"

LAZ_WORDS(laz_identity_source_name, laz_identity_source, LAZ_IDENTITY_SOURCES,
        LAZ_IDENTITY_SOURCE_COUNT)
LAZ_WORDS(laz_identity_part_name, laz_identity_part, LAZ_IDENTITY_PARTS, LAZ_IDENTITY_PART_COUNT)
LAZ_WORDS(laz_identity_key_name, laz_identity_key, LAZ_IDENTITY_KEYS, LAZ_IDENTITY_KEY_COUNT)
LAZ_WORDS(laz_signing_name, laz_signing, LAZ_SIGNINGS, LAZ_SIGNING_COUNT)
LAZ_WORDS(laz_san_type_name, laz_san_type, LAZ_SAN_TYPES, LAZ_SAN_TYPE_COUNT)

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

static void put_one(struct laz_buf *buf, const struct laz_fetch_identity *identity)
{
    laz_section_put_string(buf, identity->name);
    laz_section_put_uint(buf, identity->source, 1);
    laz_section_put_uint(buf, identity->certificate_item, 1);
    laz_section_put_uint(buf, identity->key_item, 1);
    laz_section_put_string(buf, identity->from);
    laz_section_put_string(buf, identity->template);
    laz_section_put_uint(buf, identity->signing, 1);
    laz_section_put_uint(buf, identity->key, 1);
    laz_section_put_uint(buf, identity->validity_s, 4);
    laz_section_put_uint(buf, identity->renew_at, 1);
    laz_section_put_uint(buf, identity->renew_jitter, 1);
    laz_section_put_uint(buf, identity->password, 1);
    laz_section_put_string(buf, identity->ca);
    laz_section_put_uint(buf, identity->purpose, 1);
    laz_section_put_uint(buf, identity->n_sans, 4);
    for (uint32_t i = 0; i < identity->n_sans && i < LAZ_FETCH_SANS_MAX; i++) {
        laz_section_put_uint(buf, identity->sans[i].type, 1);
        laz_section_put_string(buf, identity->sans[i].text);
    }
}

void laz_identities_put(struct laz_buf *buf, const struct laz_fetch_config *config)
{
    laz_section_put_uint(buf, config->n_identities, 4);
    for (uint32_t i = 0; i < config->n_identities; i++) {
        put_one(buf, &config->identities[i]);
    }
}

/* Of an item that it is made of: one that is there whatever comes, and that is no part of any. */
static uint32_t take_item(
        struct laz_section *in, const struct laz_fetch_config *config, bool is_made_of)
{
    uint32_t item = (uint32_t)laz_section_uint(in, 1, 0, LAZ_FETCH_ITEMS_MAX - 1);
    if (!is_made_of) {
        laz_section_require(in, item == 0, "an identity is made of an item, and is not");
        return item;
    }
    laz_section_require(in,
            item < config->n_items && config->items[item].source != LAZ_SECRET_IDENTITY &&
                    !config->items[item].optional,
            "an identity is made of an item that it cannot be made of");
    return item;
}

/* How long it is to be good for, and when it is renewed: what is made of items is asked for as they
 * are. */
static void take_times(struct laz_section *in, bool is_made_of, struct laz_fetch_identity *identity)
{
    identity->validity_s = laz_section_u32(
            in, is_made_of ? 0 : LAZ_FETCH_VALIDITY_MIN, is_made_of ? 0 : LAZ_FETCH_VALIDITY_MAX);
    identity->renew_at = (uint32_t)laz_section_uint(
            in, 1, is_made_of ? 0 : LAZ_FETCH_RENEW_MIN, is_made_of ? 0 : LAZ_FETCH_RENEW_MAX);
    identity->renew_jitter =
            (uint32_t)laz_section_uint(in, 1, 0, is_made_of ? 0 : LAZ_FETCH_RENEW_JITTER);
}

/* That of its PKCS#12: one that is there whatever comes, and as it is. */
static uint32_t take_password(struct laz_section *in, const struct laz_fetch_config *config)
{
    uint32_t password = (uint32_t)laz_section_uint(in, 1, 0, LAZ_FETCH_ITEMS_MAX);
    const struct laz_fetch_item *item = &config->items[password == 0 ? 0 : password - 1];
    laz_section_require(in,
            password == 0 ||
                    (password <= config->n_items && item->source != LAZ_SECRET_IDENTITY &&
                            !item->optional && !item->newline && item->form == LAZ_SECRET_FORM_RAW),
            "a password is an item that can be none");
    return password;
}

static void take_one(struct laz_section *in, const struct laz_fetch_config *config,
        struct laz_fetch_identity *identity)
{
    identity->name = laz_section_string(in, 1, LAZ_FETCH_IDENTITY_NAME_MAX);
    laz_section_require(in, strspn(identity->name, LETTERS) == strlen(identity->name),
            "the name of an identity is none");
    identity->source =
            (enum laz_identity_source)laz_section_uint(in, 1, 0, LAZ_IDENTITY_SOURCE_COUNT - 1);
    bool is_made_of = identity->source == LAZ_IDENTITY_FROM_ITEMS;
    identity->certificate_item = take_item(in, config, is_made_of);
    identity->key_item = take_item(in, config, is_made_of);
    identity->from =
            laz_section_string(in, is_made_of ? 0 : 1, is_made_of ? 0 : LAZ_FETCH_FROM_MAX);
    identity->template = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
    identity->signing = (enum laz_signing)laz_section_uint(in, 1, 0, LAZ_SIGNING_COUNT - 1);
    identity->key = (enum laz_identity_key)laz_section_uint(in, 1, 0, LAZ_IDENTITY_KEY_COUNT - 1);
    take_times(in, is_made_of, identity);
    identity->password = take_password(in, config);
    laz_section_require(in,
            identity->source != LAZ_IDENTITY_FROM_VAULT_PKI ||
                    (laz_fetch_is_path(identity->from) &&
                            config->vault.login != LAZ_FETCH_LOGIN_NONE),
            "an identity is of a Vault that there is not");
    identity->ca = laz_section_string(in, 0, LAZ_FETCH_MAX);
    laz_section_require(
            in, identity->ca[0] == '\0' || identity->ca[0] == '/', "a path is not absolute");
    identity->purpose =
            (uint32_t)laz_section_uint(in, 1, 1, LAZ_PURPOSE_SERVER | LAZ_PURPOSE_CLIENT);
    identity->n_sans = laz_section_u32(in, 0, LAZ_FETCH_SANS_MAX);
    for (uint32_t i = 0; i < identity->n_sans; i++) {
        identity->sans[i].type =
                (enum laz_san_type)laz_section_uint(in, 1, 0, LAZ_SAN_TYPE_COUNT - 1);
        identity->sans[i].text = laz_section_string(in, 1, LAZ_FETCH_SAN_MAX);
    }
}

void laz_identities_take(struct laz_section *in, struct laz_fetch_config *config)
{
    config->n_identities = laz_section_u32(in, 0, LAZ_FETCH_IDENTITIES_MAX);
    for (uint32_t i = 0; i < config->n_identities; i++) {
        take_one(in, config, &config->identities[i]);
    }
    for (uint32_t i = 0; i < config->n_items && in->wrong == NULL; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        bool is_part = item->source == LAZ_SECRET_IDENTITY;
        laz_section_require(in, !is_part || item->identity < config->n_identities,
                "an item is of an identity that there is not");
        laz_section_require(in,
                in->wrong != NULL || !is_part || item->part != LAZ_IDENTITY_P12 ||
                        config->identities[item->identity].password != 0,
                "a PKCS#12 has no password");
    }
}
