/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.identities: a key and the certificates that vouch for it. Each becomes items of the secrets,
 * so that whoever delivers those needs to know nothing of certificates. A later file that names an
 * identity replaces it.
 */
#include <string.h>

#include "policy/image.h"
#include "policy/merge.h"
#include "policy/value_from.h"

/* ---- One document more ---- */

static const char *name_of(const struct laz_node *identity)
{
    return laz_check_child(identity, LAZ_FIELD_IDENTITY_NAME)->text;
}

void laz_merge_identities(struct laz_merge *merge, struct laz_document *document)
{
    uint32_t *n = &merge->policy->secrets.config.n_identities;
    struct laz_node *list = document->at[LAZ_FIELD_TLS_IDENTITIES];
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        if (node->has_bad) {
            continue;
        }
        uint32_t slot = 0;
        while (slot < *n && strcmp(name_of(merge->identities[slot]), name_of(node)) != 0) {
            slot++;
        }
        if (slot == LAZ_FETCH_IDENTITIES_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d identities",
                    LAZ_FETCH_IDENTITIES_MAX);
            return;
        }
        merge->identities[slot] = node;
        *n += slot == *n ? 1 : 0;
    }
}

/* ---- Its items ---- */

static uint32_t find_item(const struct laz_merge *merge, const struct laz_node *name)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    uint32_t i = 0;
    while (name != NULL && i < config->n_items && strcmp(config->items[i].name, name->text) != 0) {
        i++;
    }
    return i < config->n_items ? i : 0; /* that there is none is said when all is complete */
}

/* "web.chain"; NULL: there is no room for one more, which is said when all is complete. */
static struct laz_fetch_item *add_item(struct laz_merge *merge, struct laz_node *node,
        const char *part, struct laz_secret_delivery **ret_delivery)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    uint32_t slot = secrets->config.n_items;
    char name[LAZ_FETCH_NAME_MAX + 1];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, name, sizeof(name));
    laz_buf_printf(&buf, "%s.%s", name_of(node), part);
    const char *copy = laz_arena_copy(merge->arena, name, buf.len);
    if (slot == LAZ_FETCH_ITEMS_MAX || copy == NULL) {
        merge->lacks_items = slot == LAZ_FETCH_ITEMS_MAX;
        return NULL;
    }
    secrets->config.items[slot] = (struct laz_fetch_item){.name = copy,
            .from = "",
            .region = "",
            .json_key = "",
            .stage = "",
            .version = "",
            .kms_key = "",
            .min_bytes = 1,
            .max_bytes = LAZ_FETCH_VALUE_MAX};
    secrets->deliveries[slot] = (struct laz_secret_delivery){.path = "", .variable = ""};
    secrets->items[slot] = node;
    merge->secrets[slot] = node;
    secrets->config.n_items++;
    *ret_delivery = &secrets->deliveries[slot];
    return &secrets->config.items[slot];
}

static uint32_t add_file(struct laz_merge *merge, struct laz_node *node, const char *part,
        const struct laz_node *path)
{
    struct laz_secret_delivery *delivery = NULL;
    struct laz_fetch_item *item = add_item(merge, node, part, &delivery);
    if (item == NULL) {
        return 0;
    }
    item->source = LAZ_SECRET_FILE;
    item->from = laz_merge_text(merge, path);
    return merge->policy->secrets.config.n_items - 1;
}

/* Of a CA of AWS; "" of others. */
static const char *region_of(struct laz_merge *merge, const struct laz_node *node)
{
    const struct laz_node *from = laz_check_child(node, LAZ_FIELD_IDENTITY_FROM);
    const struct laz_node *pca = laz_check_child(from, LAZ_FIELD_IDENTITY_PCA);
    struct laz_slice region;
    if (pca == NULL || !laz_pca_split(pca->text, pca->length, &region)) {
        return "";
    }
    const char *copy = laz_arena_copy(merge->arena, region.text, region.length);
    return copy == NULL ? "" : copy;
}

static void add_part(struct laz_merge *merge, uint32_t identity, enum laz_identity_part part)
{
    static const char *const file_names[] = {[LAZ_IDENTITY_CERTIFICATE] = "cert.pem",
            [LAZ_IDENTITY_CHAIN] = "chain.pem",
            [LAZ_IDENTITY_KEY] = "key.pem",
            [LAZ_IDENTITY_BUNDLE] = "bundle.pem",
            [LAZ_IDENTITY_P12] = "bundle.p12"};
    struct laz_node *node = merge->identities[identity];
    const struct laz_node *files = laz_check_child(node, LAZ_FIELD_IDENTITY_FILES);
    struct laz_secret_delivery *delivery = NULL;
    struct laz_fetch_item *item = add_item(merge, node, laz_identity_part_name(part), &delivery);
    if (item == NULL) {
        return;
    }
    item->source = LAZ_SECRET_IDENTITY;
    item->from = merge->policy->secrets.config.identities[identity].name;
    item->identity = identity;
    item->region = region_of(merge, node);
    item->part = part;
    if (files != NULL) {
        const struct laz_node *mode = laz_check_child(files, LAZ_FIELD_IDENTITY_FILES_MODE);
        char path[LAZ_IMAGE_BELOW_MAX + 16];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, path, sizeof(path));
        laz_buf_printf(&buf, "%s/%s", laz_check_child(files, LAZ_FIELD_IDENTITY_FILES_DIR)->text,
                file_names[part]);
        const char *copy = laz_arena_copy(merge->arena, path, buf.len);
        delivery->path = copy == NULL ? "" : copy;
        delivery->mode = (uint32_t)(mode != NULL
                        ? mode->number
                        : laz_preset_number(laz_field_at(LAZ_FIELD_IDENTITY_FILES_MODE)));
    }
}

/* ---- The identity ---- */

static void add_names(struct laz_merge *merge, struct laz_node *san, enum laz_field_id field,
        enum laz_san_type type, struct laz_fetch_identity *ret)
{
    struct laz_node *list = laz_check_child(san, field);
    for (const struct laz_node *name = laz_check_item(list, NULL);
            name != NULL && ret->n_sans < LAZ_FETCH_SANS_MAX;
            name = laz_check_item(list, laz_unconst(name))) {
        ret->sans[ret->n_sans++] =
                (struct laz_san){.type = type, .text = laz_merge_text(merge, name)};
    }
}

/* Its ARN, in the partition of the CA. */
static const char *find_template(struct laz_merge *merge, const struct laz_node *pca,
        const struct laz_node *from, uint32_t purpose)
{
    const struct laz_node *said = laz_check_child(from, LAZ_FIELD_IDENTITY_TEMPLATE);
    const char *name = said != NULL         ? said->text
            : purpose == LAZ_PURPOSE_SERVER ? "EndEntityServerAuthCertificate/V1"
            : purpose == LAZ_PURPOSE_CLIENT ? "EndEntityClientAuthCertificate/V1"
                                            : "EndEntityCertificate/V1";
    if (strncmp(name, "arn:", 4) == 0) {
        return laz_merge_text(merge, said);
    }
    char text[LAZ_FETCH_SAN_MAX + 1]; /* the name of a template has 100 bytes at most */
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "arn:%.*s:acm-pca:::template/%s", (int)strcspn(pca->text + 4, ":"),
            pca->text + 4, name);
    const char *copy = laz_arena_copy(merge->arena, text, buf.len);
    return copy == NULL ? "" : copy;
}

static void fill_source(
        struct laz_merge *merge, struct laz_node *node, struct laz_fetch_identity *ret)
{
    const struct laz_node *from = laz_check_child(node, LAZ_FIELD_IDENTITY_FROM);
    const struct laz_node *items = laz_check_child(from, LAZ_FIELD_IDENTITY_SECRETS);
    const struct laz_node *file = laz_check_child(from, LAZ_FIELD_IDENTITY_FILE);
    const struct laz_node *pca = laz_check_child(from, LAZ_FIELD_IDENTITY_PCA);
    const struct laz_node *vault = laz_check_child(from, LAZ_FIELD_IDENTITY_VAULT);
    const struct laz_node *validity = laz_check_child(from, LAZ_FIELD_IDENTITY_VALIDITY);
    ret->source = LAZ_IDENTITY_FROM_ITEMS;
    ret->from = ret->template = "";
    ret->validity_s = validity == NULL ? 0 : (uint32_t)validity->number;
    if (items != NULL) {
        ret->certificate_item =
                find_item(merge, laz_check_child(items, LAZ_FIELD_IDENTITY_SECRETS_CERTIFICATE));
        ret->key_item = find_item(merge, laz_check_child(items, LAZ_FIELD_IDENTITY_SECRETS_KEY));
    } else if (pca != NULL) {
        ret->source = LAZ_IDENTITY_FROM_ACM_PCA;
        ret->from = laz_merge_text(merge, pca);
        ret->template = find_template(merge, pca, from, ret->purpose);
        ret->signing = (enum laz_signing)laz_check_child(from, LAZ_FIELD_IDENTITY_SIGNING)->number;
    } else if (vault != NULL) {
        ret->source = LAZ_IDENTITY_FROM_VAULT_PKI;
        ret->from = laz_merge_text(merge, vault);
    } else if (file != NULL) {
        ret->certificate_item = add_file(
                merge, node, "in.cert", laz_check_child(file, LAZ_FIELD_IDENTITY_FILE_CERTIFICATE));
        ret->key_item =
                add_file(merge, node, "in.key", laz_check_child(file, LAZ_FIELD_IDENTITY_FILE_KEY));
    }
}

static uint32_t renewal_number(const struct laz_node *node, enum laz_field_id field)
{
    const struct laz_node *renew = laz_check_child(node, LAZ_FIELD_IDENTITY_RENEW);
    const struct laz_node *said = renew == NULL ? NULL : laz_check_child(renew, field);
    return (uint32_t)(said != NULL ? said->number : laz_preset_number(laz_field_at(field)));
}

bool laz_identity_has_variable_password(
        const struct laz_fetch_config *config, const struct laz_fetch_identity *identity)
{
    return identity->password != 0 &&
            config->items[identity->password - 1].source == LAZ_SECRET_VARIABLE;
}

bool laz_identity_can_change(
        const struct laz_fetch_config *config, const struct laz_fetch_identity *identity)
{
    if (laz_identity_has_variable_password(config, identity)) {
        return false; /* there would be no new PKCS#12 */
    }
    return identity->source != LAZ_IDENTITY_FROM_ITEMS ||
            (config->items[identity->certificate_item].source != LAZ_SECRET_VARIABLE &&
                    config->items[identity->key_item].source != LAZ_SECRET_VARIABLE);
}

/* Its parts from `first` on are one: nobody is to have a key and the certificate of another. */
static void fill_renewal(struct laz_merge *merge, uint32_t slot, uint32_t first)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    struct laz_policy_renewal *renewal = &secrets->renewal;
    struct laz_fetch_identity *identity = &secrets->config.identities[slot];
    const struct laz_node *node = merge->identities[slot];
    const struct laz_node *on_change = laz_check_child(node, LAZ_FIELD_IDENTITY_ON_CHANGE);
    const struct laz_node *signal = on_change == NULL
            ? NULL
            : laz_check_child(on_change, LAZ_FIELD_IDENTITY_ON_CHANGE_SIGNAL);
    bool is_renewed = renewal->is_said && laz_identity_can_change(&secrets->config, identity);
    if (identity->source != LAZ_IDENTITY_FROM_ITEMS) {
        identity->renew_at = renewal_number(node, LAZ_FIELD_IDENTITY_RENEW_AT);
        identity->renew_jitter = renewal_number(node, LAZ_FIELD_IDENTITY_RENEW_JITTER);
    }
    for (uint32_t i = first; i < secrets->config.n_items; i++) {
        renewal->is_renewed[i] = is_renewed;
        renewal->signal[i] = signal == NULL || !is_renewed ? 0 : (uint8_t)signal->number;
        renewal->group[i] = (uint8_t)(slot + 1);
    }
}

static void fill_identity(struct laz_merge *merge, uint32_t slot)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    struct laz_node *node = merge->identities[slot];
    struct laz_fetch_identity *ret = &secrets->config.identities[slot];
    const struct laz_node *purpose = laz_check_child(node, LAZ_FIELD_IDENTITY_PURPOSE);
    const struct laz_node *key = laz_check_child(node, LAZ_FIELD_IDENTITY_KEY);
    struct laz_node *san = laz_check_child(node, LAZ_FIELD_IDENTITY_SAN);
    *ret = (struct laz_fetch_identity){
            .name = laz_merge_text(merge, laz_check_child(node, LAZ_FIELD_IDENTITY_NAME)),
            .ca = laz_merge_text(merge, laz_check_child(node, LAZ_FIELD_IDENTITY_CA)),
            .key = (enum laz_identity_key)(key != NULL
                            ? key->number
                            : laz_preset_number(laz_field_at(LAZ_FIELD_IDENTITY_KEY))),
            .purpose = (uint32_t)(purpose != NULL
                            ? purpose->number
                            : laz_preset_number(laz_field_at(LAZ_FIELD_IDENTITY_PURPOSE)))};
    if (san != NULL) {
        add_names(merge, san, LAZ_FIELD_SAN_DNS, LAZ_SAN_DNS, ret);
        add_names(merge, san, LAZ_FIELD_SAN_IP, LAZ_SAN_IP, ret);
        add_names(merge, san, LAZ_FIELD_SAN_URI, LAZ_SAN_URI, ret);
    }
    fill_source(merge, node, ret);
    const struct laz_node *p12 = laz_check_child(node, LAZ_FIELD_IDENTITY_P12);
    if (p12 != NULL) {
        ret->password = 1 + find_item(merge, laz_check_child(p12, LAZ_FIELD_P12_PASSWORD));
    }
    secrets->identities[slot] = node;
    uint32_t first = secrets->config.n_items;
    bool has_files = laz_check_child(node, LAZ_FIELD_IDENTITY_FILES) != NULL;
    for (unsigned part = 0; part < LAZ_IDENTITY_PART_COUNT; part++) {
        bool is_file = has_files && (part != LAZ_IDENTITY_P12 || p12 != NULL);
        if (is_file || part == LAZ_IDENTITY_CHAIN || part == LAZ_IDENTITY_KEY) {
            add_part(merge, slot, (enum laz_identity_part)part);
        }
    }
    fill_renewal(merge, slot, first);
}

void laz_finish_identities(struct laz_merge *merge)
{
    for (uint32_t i = 0; i < merge->policy->secrets.config.n_identities; i++) {
        fill_identity(merge, i);
    }
}
