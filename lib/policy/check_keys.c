/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about a key, beyond what it may say about any item: what is no key's, and
 * whether the key of before can be had.
 */
#include <string.h>

#include "policy/check.h"
#include "policy/value_from.h"

static void check_form(struct laz_report *report, struct laz_node *form)
{
    switch ((enum laz_secret_form)form->number) {
    case LAZ_SECRET_FORM_RAW:
    case LAZ_SECRET_FORM_BASE64:
    case LAZ_SECRET_FORM_BASE64URL:
    case LAZ_SECRET_FORM_HEX:
    case LAZ_SECRET_FORM_JWK:
    case LAZ_SECRET_FORM_JWKS:
        return;
    case LAZ_SECRET_FORM_JSON:
    case LAZ_SECRET_FORM_DOTENV:
    case LAZ_SECRET_FORM_PEM:
    case LAZ_SECRET_FORM_COUNT:
        break;
    }
    laz_report_node(report, LAZ_E_POLICY_INVALID, form,
            "no form of a key: say raw, hex, base64, base64url, jwk or jwks");
}

static bool is_text(struct laz_slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.text, text, slice.length) == 0;
}

static struct laz_slice slice_of(const struct laz_node *node)
{
    return node == NULL ? (struct laz_slice){0} : (struct laz_slice){node->text, node->length};
}

/* Which version of which secret; false: it is of another source. */
static bool find_version(
        const struct laz_node *from, struct laz_slice *ret_stage, struct laz_slice *ret_version)
{
    struct laz_value_from parts = {0};
    if (from->kind == LAZ_NODE_SCALAR) {
        if (laz_value_from_split(from->text, from->length, &parts) != NULL) {
            return false;
        }
        *ret_stage = parts.stage;
        *ret_version = parts.version;
        return parts.source == LAZ_SECRET_SECRETS_MANAGER;
    }
    *ret_stage = slice_of(laz_check_child(from, LAZ_FIELD_FROM_STAGE));
    *ret_version = slice_of(laz_check_child(from, LAZ_FIELD_FROM_VERSION));
    return laz_check_child(from, LAZ_FIELD_FROM_SECRETS_MANAGER) != NULL;
}

static void check_stage(
        struct laz_report *report, const struct laz_node *from, struct laz_node *previous)
{
    struct laz_node *said = laz_check_child(previous, LAZ_FIELD_PREVIOUS_STAGE);
    const char *stage = said != NULL ? said->text : laz_field_at(LAZ_FIELD_PREVIOUS_STAGE)->preset;
    struct laz_slice own = {0};
    struct laz_slice version = {0};
    if (!find_version(from, &own, &version)) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, previous,
                "Secrets Manager alone has the key of before: say \"secrets-manager\", or its ARN");
    } else if (version.length > 0) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, previous,
                "\"from\" names one version, which has none before it");
    } else if (strcmp(stage, "AWSPENDING") == 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, said == NULL ? previous : said,
                "nobody has tried that key yet: its rotation has not finished");
    } else if (is_text(own.length == 0 ? (struct laz_slice){"AWSCURRENT", 10} : own, stage)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, said == NULL ? previous : said,
                "is the stage of the key itself");
    }
}

static void check_previous(
        struct laz_report *report, struct laz_node *key, struct laz_node *previous)
{
    const struct laz_node *form = laz_check_child(key, LAZ_FIELD_SECRET_FORM);
    const struct laz_node *from = laz_check_child(key, LAZ_FIELD_SECRET_FROM);
    struct laz_node *name = laz_check_child(key, LAZ_FIELD_SECRET_NAME);
    if (form == NULL || form->number != LAZ_SECRET_FORM_JWKS) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, previous,
                "goes with \"form: jwks\" alone: nothing else has two keys");
        return;
    }
    if (from != NULL) {
        check_stage(report, from, previous);
    }
    if (name != NULL && name->length > LAZ_FETCH_NAME_MAX - strlen(LAZ_FETCH_PREVIOUS)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, name,
                "longer than %zu characters: with \"previous\" there is an item NAME%s as well",
                LAZ_FETCH_NAME_MAX - strlen(LAZ_FETCH_PREVIOUS), LAZ_FETCH_PREVIOUS);
    }
}

void laz_check_key(struct laz_report *report, struct laz_node *key)
{
    struct laz_node *form = laz_check_child(key, LAZ_FIELD_SECRET_FORM);
    struct laz_node *optional = laz_check_child(key, LAZ_FIELD_SECRET_OPTIONAL);
    struct laz_node *newline = laz_check_child(key, LAZ_FIELD_SECRET_NEWLINE);
    struct laz_node *previous = laz_check_child(key, LAZ_FIELD_KEY_PREVIOUS);
    if (form != NULL) {
        check_form(report, form);
    }
    if (optional != NULL) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, optional,
                "not of a key: without one, nothing would be encrypted");
    }
    if (newline != NULL) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, newline,
                "not of a key: a line feed would be taken for a part of it");
    }
    struct laz_node *expose = laz_check_child(key, LAZ_FIELD_SECRET_EXPOSE);
    if (expose != NULL) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, expose,
                "not of a key: say \"fd\", which nothing inherits that is not given it");
    }
    if (previous != NULL && !key->has_bad) {
        check_previous(report, key, previous);
    }
}
