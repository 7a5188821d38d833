/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that the role `fetch` reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include <string.h>

#include "core/words.h"
#include "policy/fetch.h"
#include "policy/identity_codec.h"
#include "policy/party.h"
#include "policy/section.h"

#define FORMAT     6
#define REGION_MAX 32
#define HOST_MAX   300 /* bytes of an endpoint */
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

LAZ_WORDS(laz_secret_source_name, laz_secret_source, LAZ_SECRET_SOURCES, LAZ_SECRET_SOURCE_COUNT)
static const struct {
    const char *name;
    uint32_t least;
    uint32_t most;
} algs[] = {
#define X(id, word, least, most) {word, least, most},
        LAZ_SECRET_ALGS(X)
#undef X
};

const char *laz_secret_alg_name(enum laz_secret_alg value)
{
    return (size_t)value < LAZ_SECRET_ALG_COUNT ? algs[value].name : "?";
}

void laz_secret_alg_bytes(enum laz_secret_alg value, uint32_t *ret_least, uint32_t *ret_most)
{
    *ret_least = algs[value].least;
    *ret_most = algs[value].most;
}

const char *laz_fetch_list_name(const struct laz_fetch_item *item)
{
    return item->source == LAZ_SECRET_IDENTITY ? "tls.identities"
            : item->is_key                     ? "keys"
                                               : "secrets.items";
}

LAZ_WORDS(laz_secret_form_name, laz_secret_form, LAZ_SECRET_FORMS, LAZ_SECRET_FORM_COUNT)

/* ---- Encoding ---- */

static void put_item(struct laz_buf *buf, const struct laz_fetch_item *item)
{
    laz_section_put_string(buf, item->name);
    laz_section_put_uint(buf, item->is_key, 1);
    laz_section_put_uint(buf, item->optional, 1);
    laz_section_put_uint(buf, item->source, 1);
    laz_section_put_string(buf, item->from);
    laz_section_put_string(buf, item->region);
    laz_section_put_string(buf, item->json_key);
    laz_section_put_string(buf, item->stage);
    laz_section_put_string(buf, item->version);
    laz_section_put_uint(buf, item->decode, 1);
    laz_section_put_string(buf, item->kms_key);
    laz_section_put_uint(buf, item->n_context, 4);
    for (uint32_t i = 0; i < item->n_context; i++) {
        laz_section_put_string(buf, item->context_name[i]);
        laz_section_put_string(buf, item->context_value[i]);
    }
    laz_section_put_uint(buf, item->min_bytes, 4);
    laz_section_put_uint(buf, item->max_bytes, 4);
    laz_section_put_uint(buf, item->form, 1);
    laz_section_put_uint(buf, item->alg, 1);
    laz_section_put_uint(buf, item->newline, 1);
    laz_section_put_uint(buf, item->previous, 1);
    laz_section_put_uint(buf, item->identity, 1);
    laz_section_put_uint(buf, item->part, 1);
    laz_section_put_uint(buf, item->is_exposed, 1);
}

static void put_vault(struct laz_buf *buf, const struct laz_fetch_vault *vault)
{
    laz_section_put_string(buf, vault->address);
    laz_section_put_string(buf, vault->ca);
    laz_section_put_string(buf, vault->name_space);
    laz_section_put_uint(buf, vault->login, 1);
    laz_section_put_string(buf, vault->token_file);
    laz_section_put_string(buf, vault->token_variable);
    laz_section_put_string(buf, vault->role);
    laz_section_put_string(buf, vault->mount);
    laz_section_put_string(buf, vault->server_id);
    laz_section_put_string(buf, vault->region);
}

int laz_fetch_encode(
        const struct laz_fetch_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    bool has_room = config->n_items <= LAZ_FETCH_ITEMS_MAX &&
            config->n_identities <= LAZ_FETCH_IDENTITIES_MAX &&
            config->workload.n_groups <= LAZ_PARTY_GROUPS_MAX;
    for (uint32_t i = 0; has_room && i < config->n_items; i++) {
        has_room = config->items[i].n_context <= LAZ_FETCH_CONTEXT_MAX;
    }
    if (!has_room) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more secrets, pairs of an encryption context or groups than there can be");
    }
    laz_section_put_uint(ret, FORMAT, 4);
    laz_section_put_string(ret, config->region);
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        laz_section_put_string(ret, config->endpoint[i]);
    }
    laz_section_put_string(ret, config->ca);
    laz_section_put_uint(ret, config->fips, 1);
    laz_section_put_uint(ret, config->imds, 1);
    laz_section_put_uint(ret, config->tls_profile, 1);
    laz_section_put_uint(ret, config->tls_fips, 1);
    laz_section_put_uint(ret, config->wait_ms, 4);
    put_vault(ret, &config->vault);
    laz_section_put_uint(ret, config->n_items, 4);
    for (uint32_t i = 0; i < config->n_items; i++) {
        put_item(ret, &config->items[i]);
    }
    laz_identities_put(ret, config);
    laz_section_put_party(ret, &config->workload);
    if (ret->overflow || ret->len - start > LAZ_FETCH_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "what \"secrets\" says is longer than %d bytes: use fewer items or shorter names",
                LAZ_FETCH_MAX);
    }
    return 0;
}

/* ---- Decoding ---- */

/* Letters, digits, ".", "_" and "-". */
static const char *take_word(struct laz_section *in, size_t min, size_t max)
{
    const char *text = laz_section_string(in, min, max);
    laz_section_require(in, strspn(text, LETTERS) == strlen(text), "a name is none");
    return text;
}

static void take_context(struct laz_section *in, struct laz_fetch_item *item)
{
    item->n_context = laz_section_u32(in, 0, LAZ_FETCH_CONTEXT_MAX);
    for (uint32_t i = 0; i < item->n_context; i++) {
        item->context_name[i] = laz_section_string(in, 1, LAZ_FETCH_FROM_MAX);
        item->context_value[i] = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
        for (uint32_t k = 0; k < i && in->wrong == NULL; k++) {
            laz_section_require(in, strcmp(item->context_name[k], item->context_name[i]) != 0,
                    "a name is there twice");
        }
    }
}

bool laz_fetch_is_path(const char *text)
{
    for (const char *part = text;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || strspn(part, ".") == length) {
            return false;
        }
        part += length;
        if (*part == '\0') {
            return strspn(text, LAZ_FETCH_PATH_LETTERS) == strlen(text) &&
                    strlen(text) <= LAZ_FETCH_PATH_MAX;
        }
    }
}

/* Of a version; "" for the newest. */
static bool is_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 9 && text[0] != '0';
}

static bool fits_together(const struct laz_fetch_item *item)
{
    bool is_aws =
            item->source == LAZ_SECRET_SECRETS_MANAGER || item->source == LAZ_SECRET_PARAMETER;
    bool is_path =
            item->source == LAZ_SECRET_PARAMETERS || item->source == LAZ_SECRET_PARAMETER_TREE;
    return ((item->source != LAZ_SECRET_FILE && !is_path) || item->from[0] == '/') &&
            (is_aws || item->source == LAZ_SECRET_IDENTITY || item->region[0] == '\0') &&
            (item->source == LAZ_SECRET_SECRETS_MANAGER || item->stage[0] == '\0') &&
            (item->source == LAZ_SECRET_SECRETS_MANAGER || item->source == LAZ_SECRET_VAULT ||
                    item->version[0] == '\0') &&
            (item->source != LAZ_SECRET_VAULT ||
                    (laz_fetch_is_path(item->from) && is_number(item->version))) &&
            (item->alg == LAZ_SECRET_ALG_NONE || item->form == LAZ_SECRET_FORM_JWK ||
                    item->form == LAZ_SECRET_FORM_JWKS) &&
            (item->kms_key[0] != '\0' || item->n_context == 0) &&
            (item->source != LAZ_SECRET_IDENTITY ||
                    (!item->optional && !item->is_key && item->json_key[0] == '\0' &&
                            item->kms_key[0] == '\0')) &&
            (item->previous == 0 || (item->is_key && item->form == LAZ_SECRET_FORM_JWKS)) &&
            item->min_bytes <= item->max_bytes;
}

static void take_item(struct laz_section *in, struct laz_fetch_item *item)
{
    item->name = take_word(in, 1, LAZ_FETCH_NAME_MAX);
    item->is_key = laz_section_bool(in);
    item->optional = laz_section_bool(in);
    item->source = (enum laz_secret_source)laz_section_uint(in, 1, 0, LAZ_SECRET_SOURCE_COUNT - 1);
    item->from = laz_section_string(in, 1, LAZ_FETCH_FROM_MAX);
    item->region = take_word(in, 0, REGION_MAX);
    item->json_key = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
    item->stage = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
    item->version = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
    item->decode = (enum laz_secret_form)laz_section_uint(in, 1, 0, LAZ_SECRET_CODING_LAST);
    item->kms_key = laz_section_string(in, 0, LAZ_FETCH_FROM_MAX);
    take_context(in, item);
    item->min_bytes = laz_section_u32(in, 1, LAZ_FETCH_VALUE_MAX);
    item->max_bytes = laz_section_u32(in, 1, LAZ_FETCH_VALUE_MAX);
    item->form = (enum laz_secret_form)laz_section_uint(in, 1, 0, LAZ_SECRET_FORM_COUNT - 1);
    item->alg = (enum laz_secret_alg)laz_section_uint(in, 1, 0, LAZ_SECRET_ALG_COUNT - 1);
    item->newline = laz_section_bool(in);
    item->previous = (uint32_t)laz_section_uint(in, 1, 0, LAZ_FETCH_ITEMS_MAX);
    item->identity = (uint32_t)laz_section_uint(in, 1, 0, LAZ_FETCH_IDENTITIES_MAX - 1);
    item->part = (enum laz_identity_part)laz_section_uint(in, 1, 0, LAZ_IDENTITY_PART_COUNT - 1);
    item->is_exposed = laz_section_bool(in);
    laz_section_require(
            in, in->wrong != NULL || fits_together(item), "an item does not fit together");
}

static bool is_path_or_nothing(const char *text)
{
    return text[0] == '\0' || laz_fetch_is_path(text);
}

static bool is_vault(const struct laz_fetch_vault *vault)
{
    bool has_file = vault->token_file[0] == '/' && vault->token_variable[0] == '\0';
    bool has_variable = vault->token_file[0] == '\0' && vault->token_variable[0] != '\0';
    bool has_no_token = vault->token_file[0] == '\0' && vault->token_variable[0] == '\0';
    bool has_role = laz_fetch_is_path(vault->role) && laz_fetch_is_path(vault->mount) &&
            is_path_or_nothing(vault->server_id);
    bool has_no_role = vault->role[0] == '\0' && vault->mount[0] == '\0' &&
            vault->server_id[0] == '\0' && vault->region[0] == '\0';
    switch (vault->login) {
    case LAZ_FETCH_LOGIN_TOKEN:
        return (has_file || has_variable) && has_no_role;
    case LAZ_FETCH_LOGIN_AWS:
        return has_no_token && has_role;
    case LAZ_FETCH_LOGIN_NONE:
    case LAZ_FETCH_LOGIN_COUNT:
        break;
    }
    return vault->address[0] == '\0' && vault->ca[0] == '\0' && vault->name_space[0] == '\0' &&
            has_no_token && has_no_role;
}

static void take_vault(struct laz_section *in, struct laz_fetch_vault *vault)
{
    vault->address = laz_section_string(in, 0, HOST_MAX);
    vault->ca = laz_section_string(in, 0, LAZ_FETCH_MAX);
    vault->name_space = laz_section_string(in, 0, LAZ_FETCH_PATH_MAX);
    vault->login = (enum laz_fetch_login)laz_section_uint(in, 1, 0, LAZ_FETCH_LOGIN_COUNT - 1);
    vault->token_file = laz_section_string(in, 0, LAZ_FETCH_MAX);
    vault->token_variable = laz_section_string(in, 0, LAZ_FETCH_MAX);
    vault->role = laz_section_string(in, 0, LAZ_FETCH_PATH_MAX);
    vault->mount = laz_section_string(in, 0, LAZ_FETCH_PATH_MAX);
    vault->server_id = laz_section_string(in, 0, LAZ_FETCH_PATH_MAX);
    vault->region = take_word(in, 0, REGION_MAX);
    laz_section_require(in,
            in->wrong != NULL ||
                    (is_vault(vault) && is_path_or_nothing(vault->name_space) &&
                            (vault->ca[0] == '\0' || vault->ca[0] == '/') &&
                            (vault->login == LAZ_FETCH_LOGIN_NONE ||
                                    strncmp(vault->address, "https://", 8) == 0)),
            "Vault does not fit together");
}

/* The key of before is one that need not be there, behind the one whose it is. */
static bool has_previous(const struct laz_fetch_config *config, uint32_t key)
{
    uint32_t previous = config->items[key].previous;
    const struct laz_fetch_item *item = &config->items[previous == 0 ? 0 : previous - 1];
    return previous == 0 ||
            (previous <= config->n_items && previous - 1 > key && item->optional && item->is_key &&
                    item->previous == 0 && item->form == LAZ_SECRET_FORM_RAW);
}

static void take_items(struct laz_section *in, struct laz_fetch_config *config)
{
    config->n_items = laz_section_u32(in, 1, LAZ_FETCH_ITEMS_MAX);
    for (uint32_t i = 0; i < config->n_items; i++) {
        take_item(in, &config->items[i]);
        laz_section_require(in,
                config->items[i].source != LAZ_SECRET_VAULT || config->vault.address[0] != '\0',
                "an item is of a Vault that there is not");
        for (uint32_t k = 0; k < i && in->wrong == NULL; k++) {
            laz_section_require(in, strcmp(config->items[k].name, config->items[i].name) != 0,
                    "a name is there twice");
        }
    }
    for (uint32_t i = 0; i < config->n_items && in->wrong == NULL; i++) {
        laz_section_require(in, has_previous(config, i), "a key has none before it");
    }
}

static void take_body(struct laz_section *in, struct laz_fetch_config *config)
{
    laz_section_require(
            in, laz_section_u32(in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    config->region = take_word(in, 0, REGION_MAX);
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        config->endpoint[i] = laz_section_string(in, 0, HOST_MAX);
        laz_section_require(in,
                config->endpoint[i][0] == '\0' || strncmp(config->endpoint[i], "https://", 8) == 0,
                "an endpoint is not encrypted");
    }
    config->ca = laz_section_string(in, 0, LAZ_FETCH_MAX);
    laz_section_require(
            in, config->ca[0] == '\0' || config->ca[0] == '/', "a path is not absolute");
    config->fips = laz_section_bool(in);
    config->imds = laz_section_bool(in);
    config->tls_profile =
            (enum laz_tls_profile)laz_section_uint(in, 1, 0, LAZ_TLS_PROFILE_COUNT - 1);
    config->tls_fips = (enum laz_tls_fips)laz_section_uint(in, 1, 0, LAZ_TLS_FIPS_COUNT - 1);
    config->wait_ms = laz_section_u32(in, LAZ_FETCH_WAIT_MIN, LAZ_FETCH_WAIT_MAX);
    take_vault(in, &config->vault);
    take_items(in, config);
    laz_identities_take(in, config);
    laz_section_party(in, &config->workload);
}

int laz_fetch_decode(
        const void *block, size_t length, struct laz_fetch_config *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_fetch_config config = {0};
    laz_section_require(&in, length <= LAZ_FETCH_MAX, "it is too long");
    take_body(&in, &config);
    laz_section_require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what fetch is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
