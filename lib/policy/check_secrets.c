/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about secrets, beyond its types: has each item one source and a place to go
 * to, and nothing that contradicts it?
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "core/url.h"
#include "policy/check.h"
#include "policy/value_from.h"

const struct laz_node *laz_check_source(struct laz_report *report, struct laz_node *from,
        const enum laz_field_id *sources, const char *who, const char *names)
{
    const struct laz_node *found = NULL;
    size_t n = 0;
    for (size_t i = 0; sources[i] != LAZ_FIELD_ROOT; i++) {
        const struct laz_node *node = laz_check_child(from, sources[i]);
        found = node != NULL ? node : found;
        n += node != NULL ? 1 : 0;
    }
    if (n != 1) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, from, "%s has one source: %s %s", who,
                n == 0 ? "name one of" : "name only one of", names);
    }
    return n == 1 ? found : NULL;
}

static const struct laz_node *check_sources(struct laz_report *report, struct laz_node *from)
{
    static const enum laz_field_id sources[] = {LAZ_FIELD_FROM_FILE, LAZ_FIELD_FROM_VARIABLE,
            LAZ_FIELD_FROM_SECRETS_MANAGER, LAZ_FIELD_FROM_PARAMETER, LAZ_FIELD_FROM_PARAMETERS,
            LAZ_FIELD_FROM_VAULT, LAZ_FIELD_ROOT};
    return laz_check_source(report, from, sources, "a value",
            "\"file\", \"variable\", \"secrets-manager\", \"parameter\", \"parameters\" and "
            "\"vault\"");
}

static bool is_version_number(const struct laz_node *node)
{
    return node->length > 0 && node->length <= 9 && node->text[0] != '0' &&
            strspn(node->text, "0123456789") == node->length;
}

static void check_from(struct laz_report *report, struct laz_node *from)
{
    if (from->kind != LAZ_NODE_MAPPING || from->has_bad) {
        return;
    }
    const struct laz_node *source = check_sources(report, from);
    struct laz_node *stage = laz_check_child(from, LAZ_FIELD_FROM_STAGE);
    struct laz_node *version = laz_check_child(from, LAZ_FIELD_FROM_VERSION);
    enum laz_field_id field = source == NULL ? LAZ_FIELD_ROOT : source->field;
    struct laz_node *recursive = laz_check_child(from, LAZ_FIELD_FROM_RECURSIVE);
    if (source != NULL && recursive != NULL && field != LAZ_FIELD_FROM_PARAMETERS) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, recursive, "goes with \"parameters\" alone");
    }
    if (source == NULL || field == LAZ_FIELD_FROM_SECRETS_MANAGER) {
        return;
    }
    const char *parameter = field == LAZ_FIELD_FROM_PARAMETER
            ? "; of a parameter it follows the name, after a colon"
            : "";
    if (stage != NULL) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, stage, "goes with \"secrets-manager\" alone%s",
                parameter);
    }
    if (version != NULL && field != LAZ_FIELD_FROM_VAULT) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, version,
                "goes with \"secrets-manager\" and \"vault\" alone%s", parameter);
    } else if (version != NULL && !is_version_number(version)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, version,
                "must be a number from 1 on: Vault counts versions");
    }
}

static bool has_members(struct laz_node *item)
{
    const struct laz_node *form = laz_check_child(item, LAZ_FIELD_SECRET_FORM);
    return form != NULL && !form->is_bad &&
            (form->number == LAZ_SECRET_FORM_JSON || form->number == LAZ_SECRET_FORM_DOTENV);
}

static void check_alg(struct laz_report *report, struct laz_node *item, const struct laz_node *form)
{
    struct laz_node *alg = laz_check_child(item, LAZ_FIELD_SECRET_ALG);
    struct laz_node *bytes = laz_check_child(item, LAZ_FIELD_SECRET_BYTES);
    if (alg == NULL || alg->is_bad) {
        return;
    }
    if (form == NULL ||
            (!form->is_bad && form->number != LAZ_SECRET_FORM_JWK &&
                    form->number != LAZ_SECRET_FORM_JWKS)) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, alg,
                "goes with \"form: jwk\" and \"form: jwks\" alone");
    }
    uint32_t least = 0;
    uint32_t most = 0;
    laz_secret_alg_bytes((enum laz_secret_alg)alg->number, &least, &most);
    if (bytes == NULL || bytes->has_bad || bytes->is_bad) {
        return;
    }
    bool is_one = bytes->kind == LAZ_NODE_SCALAR;
    const struct laz_node *min = is_one ? bytes : laz_check_child(bytes, LAZ_FIELD_BYTES_MIN);
    const struct laz_node *max = is_one ? bytes : laz_check_child(bytes, LAZ_FIELD_BYTES_MAX);
    if ((min != NULL && min->number > most) || (max != NULL && max->number < least)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, alg,
                "no key of the length that \"bytes\" says is one for it");
    }
}

/* What Vault has, and what is below a path, is an object. */
static void check_object(
        struct laz_report *report, struct laz_node *item, const struct laz_node *from)
{
    struct laz_node *vault = laz_check_child(from, LAZ_FIELD_FROM_VAULT);
    struct laz_node *path = laz_check_child(from, LAZ_FIELD_FROM_PARAMETERS);
    const struct laz_node *form = laz_check_child(item, LAZ_FIELD_SECRET_FORM);
    struct laz_node *newline = laz_check_child(item, LAZ_FIELD_SECRET_NEWLINE);
    if ((vault != NULL || path != NULL) &&
            laz_check_child(item, LAZ_FIELD_SECRET_JSON_KEY) == NULL && !has_members(item)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, vault != NULL ? vault : path,
                "what is there is a JSON object: name the member by \"json-key\", or say "
                "\"form: json\" or \"form: dotenv\"");
    }
    check_alg(report, item, form);
    bool has_lines = form != NULL && !form->is_bad &&
            (form->number == LAZ_SECRET_FORM_DOTENV || form->number == LAZ_SECRET_FORM_PEM);
    if (newline != NULL && newline->number != 0 && has_lines) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, newline,
                "each line of \"form: %s\" ends with a line feed already",
                laz_secret_form_name((enum laz_secret_form)form->number));
    }
}

/* ECS has the key behind the ARN; here it has a key of its own as well. */
static void check_json_key(
        struct laz_report *report, struct laz_node *from, struct laz_node *json_key)
{
    struct laz_value_from parts;
    if (json_key != NULL && from->kind == LAZ_NODE_SCALAR &&
            laz_value_from_split(from->text, from->length, &parts) == NULL &&
            parts.json_key.length > 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, json_key,
                "\"from\" names a key as well: say one of the two");
    }
}

static void check_bytes(struct laz_report *report, struct laz_node *bytes)
{
    const struct laz_node *min = laz_check_child(bytes, LAZ_FIELD_BYTES_MIN);
    struct laz_node *max = laz_check_child(bytes, LAZ_FIELD_BYTES_MAX);
    if (bytes->kind == LAZ_NODE_MAPPING && bytes->first == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, bytes, "empty: say \"min\", \"max\" or both");
    }
    if (min != NULL && max != NULL && min->number > max->number) {
        laz_report_node(
                report, LAZ_E_POLICY_INVALID, max, "less than \"min\": no value is that long");
    }
}

static void check_context(struct laz_report *report, struct laz_node *context)
{
    if (context->n_children > LAZ_FETCH_CONTEXT_MAX) {
        laz_report_node(report, LAZ_E_POLICY_TOO_LARGE, context, "more than %d pairs",
                LAZ_FETCH_CONTEXT_MAX);
    }
}

static void check_mode(struct laz_report *report, struct laz_node *mode)
{
    if (mode->number != 0400 && mode->number != 0440 && mode->number != 0444) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, mode,
                "must be \"0400\", \"0440\" or \"0444\": nobody writes or executes a secret");
    }
}

void laz_check_change_signal(struct laz_report *report, struct laz_node *node)
{
    if (node != NULL && !node->is_bad && (node->number == SIGKILL || node->number == SIGSTOP)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, node,
                "no program can handle it: say a signal that the workload takes for \"read your "
                "files again\", such as HUP");
    }
}

/* Variables that change what is executed, or how: no place for a text from elsewhere. */
static void check_exposed(struct laz_report *report, struct laz_node *expose)
{
    static const char *const own[] = {"PATH", "GLIBC_TUNABLES", "GCONV_PATH", "BASH_ENV", "ENV"};
    struct laz_node *name = laz_check_child(expose, LAZ_FIELD_EXPOSE_VARIABLE);
    if (name == NULL || name->is_bad) {
        return;
    }
    bool is_own = strncmp(name->text, "LD_", 3) == 0;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        is_own = is_own || strcmp(name->text, own[i]) == 0;
    }
    if (is_own) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, name,
                "decides what is executed: it is no place for what comes from elsewhere");
    }
}

/* What is asked for that the item itself cannot have. */
static void check_renewal(struct laz_report *report, struct laz_node *item)
{
    struct laz_node *refresh = laz_check_child(item, LAZ_FIELD_SECRET_REFRESH);
    struct laz_node *on_change = laz_check_child(item, LAZ_FIELD_SECRET_ON_CHANGE);
    const struct laz_node *from = laz_check_child(item, LAZ_FIELD_SECRET_FROM);
    bool has_file = laz_check_child(item, LAZ_FIELD_SECRET_FILE) != NULL;
    bool is_variable = from != NULL && from->kind == LAZ_NODE_MAPPING &&
            laz_check_child(from, LAZ_FIELD_FROM_VARIABLE) != NULL;
    bool is_refused = refresh != NULL && refresh->number == 0;
    const char *why = is_variable ? "a variable of the container is what it was at its start"
            : !has_file           ? "a descriptor stays what it is: only a file can be a new one"
                                  : NULL;
    if (refresh != NULL && !is_refused && why != NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, refresh, "%s", why);
    }
    if (on_change == NULL) {
        return;
    }
    laz_check_change_signal(report, laz_check_child(on_change, LAZ_FIELD_ON_CHANGE_SIGNAL));
    if (why != NULL || is_refused) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, on_change, "nothing changes: %s",
                why != NULL ? why : "\"refresh\" is false");
    }
}

static void check_one(
        const struct laz_document *document, struct laz_report *report, struct laz_node *item)
{
    struct laz_node *from = laz_check_child(item, LAZ_FIELD_SECRET_FROM);
    struct laz_node *bytes = laz_check_child(item, LAZ_FIELD_SECRET_BYTES);
    struct laz_node *decrypt = laz_check_child(item, LAZ_FIELD_SECRET_DECRYPT);
    struct laz_node *file = laz_check_child(item, LAZ_FIELD_SECRET_FILE);
    if (from != NULL) {
        check_from(report, from);
        if (!from->has_bad) {
            check_json_key(report, from, laz_check_child(item, LAZ_FIELD_SECRET_JSON_KEY));
            check_object(report, item, from);
        }
    }
    if (bytes != NULL) {
        check_bytes(report, bytes);
    }
    struct laz_node *context =
            decrypt == NULL ? NULL : laz_check_child(decrypt, LAZ_FIELD_DECRYPT_CONTEXT);
    if (context != NULL) {
        check_context(report, context);
    }
    struct laz_node *mode = file == NULL ? NULL : laz_check_child(file, LAZ_FIELD_FILE_MODE);
    if (mode != NULL) {
        check_mode(report, mode);
    }
    struct laz_node *expose = laz_check_child(item, LAZ_FIELD_SECRET_EXPOSE);
    if (expose != NULL) {
        check_exposed(report, expose);
    }
    if (!item->has_bad) {
        check_renewal(report, item);
    }
    bool goes_nowhere = true;
    for (const struct laz_node *child = item->first; child != NULL; child = child->next) {
        goes_nowhere = goes_nowhere && child->field != LAZ_FIELD_SECRET_FILE &&
                child->field != LAZ_FIELD_SECRET_FD && child->field != LAZ_FIELD_SECRET_EXPOSE;
    }
    const struct laz_node *name = laz_check_child(item, LAZ_FIELD_SECRET_NAME);
    bool is_key = item->field == LAZ_FIELD_KEYS;
    if (goes_nowhere && !item->has_bad &&
            (is_key || name == NULL || !laz_check_is_of_identity(document, name->text))) {
        laz_report_node(
                report, LAZ_E_POLICY_INVALID, item, "goes nowhere: say \"file\", \"fd\" or both");
    }
}

/* The name of the earlier item of this list that has it too. */
static const struct laz_node *find_earlier(struct laz_node *list, const struct laz_node *item)
{
    const struct laz_node *name = laz_check_child(item, LAZ_FIELD_SECRET_NAME);
    for (struct laz_node *other = laz_check_item(list, NULL); name != NULL && other != item;
            other = laz_check_item(list, other)) {
        const struct laz_node *other_name = laz_check_child(other, LAZ_FIELD_SECRET_NAME);
        if (other_name != NULL && strcmp(other_name->text, name->text) == 0) {
            return other_name;
        }
    }
    return NULL;
}

static void check_endpoints(struct laz_document *document, struct laz_report *report)
{
    static const enum laz_field_id endpoints[] = {LAZ_FIELD_ENDPOINTS_SECRETS_MANAGER,
            LAZ_FIELD_ENDPOINTS_SSM, LAZ_FIELD_ENDPOINTS_KMS, LAZ_FIELD_ENDPOINTS_PCA,
            LAZ_FIELD_VAULT_ADDRESS};
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        struct laz_node *node = document->at[endpoints[i]];
        struct laz_url url;
        if (node != NULL && !node->is_bad && laz_url_split(node->text, &url) && !url.is_https) {
            laz_report_node(report, LAZ_E_POLICY_INVALID, node,
                    "secrets would travel unencrypted: it must be https");
        }
    }
}

static void check_list(
        const struct laz_document *document, struct laz_report *report, struct laz_node *list)
{
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        const struct laz_node *earlier = find_earlier(list, item);
        if (earlier != NULL) {
            struct laz_quoted quoted;
            laz_report_node(report, LAZ_E_POLICY_INVALID,
                    laz_check_child(item, LAZ_FIELD_SECRET_NAME),
                    "%s is the name of another item, at line %" PRIu32,
                    laz_quote(&quoted, earlier->text, earlier->length), earlier->pos.line);
        }
        check_one(document, report, item);
        if (item->field == LAZ_FIELD_KEYS) {
            laz_check_key(report, item);
        }
    }
}

void laz_check_secrets(struct laz_document *document, struct laz_report *report)
{
    check_list(document, report, document->at[LAZ_FIELD_SECRETS_ITEMS]);
    check_list(document, report, document->at[LAZ_FIELD_KEYS]);
    check_endpoints(document, report);
}
