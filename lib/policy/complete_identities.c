/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows about identities: items that there are not, and places that
 * something else has.
 */
#include <string.h>

#include "policy/merge.h"

/* NULL: reported. */
static const struct laz_fetch_item *find_item(struct laz_merge *merge, struct laz_node *name)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    const struct laz_fetch_item *item = NULL;
    for (uint32_t i = 0; i < config->n_items && item == NULL; i++) {
        bool is_it = !config->items[i].is_key && strcmp(config->items[i].name, name->text) == 0;
        item = is_it ? &config->items[i] : NULL;
    }
    struct laz_quoted quoted;
    if (item == NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "no item of \"secrets.items\" is called %s",
                laz_quote(&quoted, name->text, name->length));
    }
    return item;
}

static void check_password(struct laz_merge *merge, struct laz_node *name)
{
    const struct laz_fetch_item *item = find_item(merge, name);
    if (item == NULL) {
        return;
    }
    if (item->optional) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the item is optional: without a password there is no PKCS#12");
    } else if (item->form != LAZ_SECRET_FORM_RAW || item->newline) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the item has %s: here it must be as it is, the password",
                item->newline ? "a line feed behind it" : "a form");
    }
}

static void check_item(struct laz_merge *merge, struct laz_node *name)
{
    const struct laz_fetch_item *item = find_item(merge, name);
    if (item == NULL) {
        return;
    }
    if (item->optional) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the item is optional: an identity has both its certificate and its key");
    } else if (item->form != LAZ_SECRET_FORM_RAW && item->form != LAZ_SECRET_FORM_PEM) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the item has the form %s: here it must be as it is, PEM",
                laz_secret_form_name(item->form));
    }
}

static void check_items(struct laz_merge *merge, const struct laz_node *identity)
{
    const struct laz_node *from = laz_check_child(identity, LAZ_FIELD_IDENTITY_FROM);
    struct laz_node *vault = laz_check_child(from, LAZ_FIELD_IDENTITY_VAULT);
    if (vault != NULL && merge->policy->secrets.config.vault.login == LAZ_FETCH_LOGIN_NONE) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, vault,
                "\"secrets.vault\" does not say where Vault is");
    }
    const struct laz_node *items = laz_check_child(from, LAZ_FIELD_IDENTITY_SECRETS);
    if (items != NULL) {
        check_item(merge, laz_check_child(items, LAZ_FIELD_IDENTITY_SECRETS_CERTIFICATE));
        check_item(merge, laz_check_child(items, LAZ_FIELD_IDENTITY_SECRETS_KEY));
    }
    const struct laz_node *p12 = laz_check_child(identity, LAZ_FIELD_IDENTITY_P12);
    if (p12 != NULL) {
        check_password(merge, laz_check_child(p12, LAZ_FIELD_P12_PASSWORD));
    }
}

/* What is said about renewal, and nothing is renewed. */
static void check_renewal(struct laz_merge *merge, uint32_t slot)
{
    static const struct {
        enum laz_field_id field;
        const char *what;
    } rows[] = {{LAZ_FIELD_IDENTITY_RENEW, "nothing is renewed"},
            {LAZ_FIELD_IDENTITY_ON_CHANGE, "nothing changes"}};
    const struct laz_policy_secrets *secrets = &merge->policy->secrets;
    const struct laz_fetch_config *config = &secrets->config;
    const struct laz_fetch_identity *identity = &config->identities[slot];
    const char *why = !secrets->renewal.is_said         ? "\"secrets.refresh\" is missing"
            : laz_identity_can_change(config, identity) ? NULL
            : laz_identity_has_variable_password(config, identity)
            ? "the password of its \"p12\" is in a variable, which is there at its start alone"
            : "it is made of a variable of the container, which is what it was at its start";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && why != NULL; i++) {
        struct laz_node *node = laz_check_child(merge->identities[slot], rows[i].field);
        if (node != NULL) {
            laz_report_key(merge->report, LAZ_E_POLICY_INVALID, node, "%s: %s", rows[i].what, why);
        }
    }
}

/* Of a file of an identity, and another item's: one of the two is said at the identity. */
static void check_places(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy_secrets *secrets = &merge->policy->secrets;
    const struct laz_fetch_item *item = &secrets->config.items[i];
    const char *mine = secrets->deliveries[i].path;
    if (item->source != LAZ_SECRET_IDENTITY || mine[0] == '\0') {
        return;
    }
    const struct laz_node *files =
            laz_check_child(merge->identities[item->identity], LAZ_FIELD_IDENTITY_FILES);
    struct laz_node *dir = laz_check_child(files, LAZ_FIELD_IDENTITY_FILES_DIR);
    for (uint32_t k = 0; k < i && dir != NULL; k++) { /* NULL: it is said already */
        const char *other = secrets->deliveries[k].path;
        if (other[0] != '\0' &&
                (laz_path_is_at_or_below(mine, other) || laz_path_is_at_or_below(other, mine))) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, dir,
                    "\"%s\" is where item \"%s\" goes as well", mine,
                    secrets->config.items[k].name);
            return;
        }
    }
}

void laz_complete_identities(struct laz_merge *merge)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    if (config->n_identities == 0 || laz_complete_is_wrong(merge, LAZ_FIELD_TLS) ||
            laz_complete_is_wrong(merge, LAZ_FIELD_KEYS) ||
            laz_complete_is_wrong(merge, LAZ_FIELD_SECRETS)) {
        return;
    }
    for (uint32_t i = 0; i < config->n_identities; i++) {
        check_items(merge, merge->identities[i]);
        check_renewal(merge, i);
    }
    if (merge->lacks_items) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE,
                merge->identities[config->n_identities - 1],
                "with the items of the identities there are more than %d: an identity has 2, with "
                "files 4, with p12 5, and 2 more where it comes from files",
                LAZ_FETCH_ITEMS_MAX);
        return;
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        check_places(merge, i);
    }
}
