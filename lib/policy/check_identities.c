/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about identities, beyond its types: has each one source, and a name of its
 * own?
 */
#include <inttypes.h>
#include <string.h>

#include "policy/check.h"
#include "policy/fetch.h"

static const struct laz_node *check_from(struct laz_report *report, struct laz_node *from)
{
    static const enum laz_field_id sources[] = {LAZ_FIELD_IDENTITY_SECRETS, LAZ_FIELD_IDENTITY_FILE,
            LAZ_FIELD_IDENTITY_PCA, LAZ_FIELD_IDENTITY_VAULT, LAZ_FIELD_ROOT};
    return laz_check_source(report, from, sources, "an identity",
            "\"secrets\", \"file\", \"acm-pca\" and \"vault-pki\"");
}

static bool is_issued(const struct laz_node *source)
{
    return source->field == LAZ_FIELD_IDENTITY_PCA || source->field == LAZ_FIELD_IDENTITY_VAULT;
}

/* What a CA must be told, and what it alone is told. */
static void check_wishes(
        struct laz_report *report, struct laz_node *from, const struct laz_node *source)
{
    static const struct {
        enum laz_field_id field;
        bool is_of_vault;
        bool is_required;
    } rows[] = {{LAZ_FIELD_IDENTITY_TEMPLATE, false, false},
            {LAZ_FIELD_IDENTITY_SIGNING, false, true}, {LAZ_FIELD_IDENTITY_VALIDITY, true, true}};
    bool is_vault = source->field == LAZ_FIELD_IDENTITY_VAULT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_node *node = laz_check_child(from, rows[i].field);
        bool is_for = is_issued(source) && (!is_vault || rows[i].is_of_vault);
        if (node != NULL && !is_for) {
            laz_report_key(report, LAZ_E_POLICY_INVALID, node, "goes with \"acm-pca\"%s alone",
                    rows[i].is_of_vault ? " and \"vault-pki\"" : "");
        } else if (node == NULL && is_for && rows[i].is_required) {
            laz_report_node(report, LAZ_E_POLICY_INVALID, from, "missing key \"%s\"",
                    laz_field_at(rows[i].field)->key);
        }
    }
}

static void check_trust(
        struct laz_report *report, struct laz_node *identity, const struct laz_node *source)
{
    struct laz_node *trust = laz_check_child(identity, LAZ_FIELD_IDENTITY_TRUST);
    struct laz_node *key = laz_check_child(identity, LAZ_FIELD_IDENTITY_KEY);
    struct laz_node *renew = laz_check_child(identity, LAZ_FIELD_IDENTITY_RENEW);
    bool has_ca = laz_check_child(identity, LAZ_FIELD_IDENTITY_CA) != NULL;
    if (!is_issued(source)) {
        struct laz_node *const others[] = {trust, key, renew};
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            if (others[i] != NULL) {
                laz_report_key(report, LAZ_E_POLICY_INVALID, others[i],
                        "goes with \"acm-pca\" and \"vault-pki\" alone");
            }
        }
        return;
    }
    if (has_ca == (trust != NULL)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, identity,
                has_ca ? "says both \"ca\" and \"trust\": say one of the two"
                       : "nobody vouches for the CA: name its certificates by \"ca\", or say "
                         "\"trust: issuer\"");
    }
    if (laz_check_child(identity, LAZ_FIELD_IDENTITY_SAN) == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, identity,
                "missing key \"san\": the names to ask for");
    }
}

static void check_names(struct laz_report *report, struct laz_node *san)
{
    static const enum laz_field_id lists[] = {
            LAZ_FIELD_SAN_DNS, LAZ_FIELD_SAN_IP, LAZ_FIELD_SAN_URI};
    size_t n = 0;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct laz_node *list = laz_check_child(san, lists[i]);
        for (struct laz_node *name = laz_check_item(list, NULL); name != NULL;
                name = laz_check_item(list, name)) {
            n++;
        }
    }
    if (n == 0 && !san->has_bad) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, san,
                "no name at all: leave it out, and names are not looked at");
    } else if (n > LAZ_FETCH_SANS_MAX) {
        laz_report_node(
                report, LAZ_E_POLICY_TOO_LARGE, san, "more than %d names", LAZ_FETCH_SANS_MAX);
    }
}

static void check_change(struct laz_report *report, struct laz_node *on_change, bool has_files)
{
    laz_check_change_signal(
            report, laz_check_child(on_change, LAZ_FIELD_IDENTITY_ON_CHANGE_SIGNAL));
    if (!has_files) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, on_change,
                "goes with \"files\" alone: the workload has nothing else of it");
    }
}

static void check_one(struct laz_report *report, struct laz_node *identity)
{
    struct laz_node *name = laz_check_child(identity, LAZ_FIELD_IDENTITY_NAME);
    struct laz_node *from = laz_check_child(identity, LAZ_FIELD_IDENTITY_FROM);
    struct laz_node *san = laz_check_child(identity, LAZ_FIELD_IDENTITY_SAN);
    struct laz_node *files = laz_check_child(identity, LAZ_FIELD_IDENTITY_FILES);
    struct laz_node *mode =
            files == NULL ? NULL : laz_check_child(files, LAZ_FIELD_IDENTITY_FILES_MODE);
    if (name != NULL && name->length > LAZ_FETCH_IDENTITY_NAME_MAX) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, name,
                "must be at most %d bytes long, not %zu: its items are called after it",
                LAZ_FETCH_IDENTITY_NAME_MAX, name->length);
    }
    const struct laz_node *source =
            from != NULL && !from->has_bad ? check_from(report, from) : NULL;
    if (source != NULL && !identity->has_bad) {
        check_trust(report, identity, source);
        check_wishes(report, from, source);
    }
    if (san != NULL) {
        check_names(report, san);
    }
    struct laz_node *on_change = laz_check_child(identity, LAZ_FIELD_IDENTITY_ON_CHANGE);
    if (on_change != NULL) {
        check_change(report, on_change, files != NULL);
    }
    struct laz_node *p12 = laz_check_child(identity, LAZ_FIELD_IDENTITY_P12);
    if (p12 != NULL && files == NULL && !identity->has_bad) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, p12,
                "goes nowhere: say \"files\", where it is \"bundle.p12\"");
    }
    if (mode != NULL && mode->number != 0400 && mode->number != 0440) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, mode,
                "must be \"0400\" or \"0440\": a private key is among the files");
    }
}

/* The name of the earlier one of this list that has it too. */
static const struct laz_node *find_earlier(struct laz_node *list, const struct laz_node *identity)
{
    const struct laz_node *name = laz_check_child(identity, LAZ_FIELD_IDENTITY_NAME);
    for (struct laz_node *other = laz_check_item(list, NULL); name != NULL && other != identity;
            other = laz_check_item(list, other)) {
        const struct laz_node *other_name = laz_check_child(other, LAZ_FIELD_IDENTITY_NAME);
        if (other_name != NULL && strcmp(other_name->text, name->text) == 0) {
            return other_name;
        }
    }
    return NULL;
}

void laz_check_identities(struct laz_document *document, struct laz_report *report)
{
    struct laz_node *list = document->at[LAZ_FIELD_TLS_IDENTITIES];
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        const struct laz_node *earlier = find_earlier(list, node);
        if (earlier != NULL) {
            struct laz_quoted quoted;
            laz_report_node(report, LAZ_E_POLICY_INVALID,
                    laz_check_child(node, LAZ_FIELD_IDENTITY_NAME),
                    "%s is the name of another identity, at line %" PRIu32,
                    laz_quote(&quoted, earlier->text, earlier->length), earlier->pos.line);
        }
        check_one(report, node);
    }
}

bool laz_check_is_of_identity(const struct laz_document *document, const char *item)
{
    struct laz_node *list = document->at[LAZ_FIELD_TLS_IDENTITIES];
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        const struct laz_node *from = laz_check_child(node, LAZ_FIELD_IDENTITY_FROM);
        const struct laz_node *items =
                from == NULL ? NULL : laz_check_child(from, LAZ_FIELD_IDENTITY_SECRETS);
        for (const struct laz_node *name = items == NULL ? NULL : items->first; name != NULL;
                name = name->next) {
            if (name->kind == LAZ_NODE_SCALAR && strcmp(name->text, item) == 0) {
                return true;
            }
        }
    }
    return false;
}
