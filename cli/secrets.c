/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets in words: where each comes from, what becomes of it and where it goes.
 */
#include "cli/secrets.h"

#include <string.h>

#include "cli/explanation.h"

/* ---- Words ---- */

void laz_secret_put_source(struct laz_buf *buf, const struct laz_fetch_item *item)
{
    switch (item->source) {
    case LAZ_SECRET_FILE:
        laz_buf_printf(buf, "file %s", item->from);
        break;
    case LAZ_SECRET_VARIABLE:
        laz_buf_printf(buf, "variable %s of the container", item->from);
        break;
    case LAZ_SECRET_SECRETS_MANAGER:
        laz_buf_printf(buf, "Secrets Manager %s", item->from);
        break;
    case LAZ_SECRET_PARAMETER:
        laz_buf_printf(buf, "Parameter Store %s", item->from);
        break;
    case LAZ_SECRET_PARAMETERS:
    case LAZ_SECRET_PARAMETER_TREE:
        laz_buf_printf(buf, "Parameter Store, %s below %s",
                item->source == LAZ_SECRET_PARAMETERS ? "all right" : "everything", item->from);
        break;
    case LAZ_SECRET_VAULT:
        laz_buf_printf(buf, "Vault %s", item->from);
        break;
    case LAZ_SECRET_IDENTITY:
        laz_buf_printf(buf, "tls.identities, %s", item->from);
        break;
    case LAZ_SECRET_SOURCE_COUNT:
        break;
    }
    if (item->stage[0] != '\0') {
        laz_buf_printf(buf, ", stage %s", item->stage);
    }
    if (item->version[0] != '\0') {
        laz_buf_printf(buf, ", version %s", item->version);
    }
    if (item->json_key[0] != '\0') {
        laz_buf_printf(buf, ", its member \"%s\"", item->json_key);
    }
}

void laz_secret_put_form(struct laz_buf *buf, const struct laz_fetch_item *item)
{
    if (item->decode != LAZ_SECRET_FORM_RAW) {
        laz_buf_printf(buf, "written as %s; ", laz_secret_form_name(item->decode));
    }
    if (item->kms_key[0] != '\0') {
        laz_buf_printf(buf, "decrypted by %s; ", item->kms_key);
    }
    if (item->min_bytes == item->max_bytes) {
        laz_buf_printf(buf, "%u bytes", item->min_bytes);
    } else {
        laz_buf_printf(buf, "%u to %u bytes", item->min_bytes, item->max_bytes);
    }
    laz_buf_printf(buf, ", delivered %s%s%s",
            item->form == LAZ_SECRET_FORM_RAW ? "as they are" : "as ",
            item->form == LAZ_SECRET_FORM_RAW ? "" : laz_secret_form_name(item->form),
            item->newline ? " with a line feed" : "");
    if (item->alg != LAZ_SECRET_ALG_NONE) {
        laz_buf_printf(buf, " for %s", laz_secret_alg_name(item->alg));
    }
    laz_buf_str(buf, item->previous != 0 ? ", with the key of before" : "");
}

/* NULL, or the key that has it as the one of before. */
static const struct laz_fetch_item *find_key_after(
        const struct laz_fetch_config *config, uint32_t item)
{
    for (uint32_t i = 0; i < config->n_items; i++) {
        if (config->items[i].previous == item + 1) {
            return &config->items[i];
        }
    }
    return NULL;
}

void laz_secret_put_delivery(
        struct laz_buf *buf, const struct laz_policy_secrets *secrets, uint32_t item)
{
    const struct laz_secret_delivery *delivery = &secrets->deliveries[item];
    const struct laz_fetch_item *key = find_key_after(&secrets->config, item);
    bool has_file = delivery->path[0] != '\0';
    if (key != NULL) {
        laz_buf_printf(buf, "the set of %s", key->name);
    } else if (!has_file && delivery->fd == 0 && delivery->exposed == NULL) {
        laz_buf_str(buf, "Lazaret alone");
    }
    if (has_file) {
        laz_buf_printf(buf, "file %s, mode 0%o", delivery->path, delivery->mode);
    }
    if (delivery->fd != 0) {
        laz_buf_printf(buf, "%sdescriptor %u", has_file ? ", and " : "", delivery->fd);
    }
    if (delivery->variable[0] != '\0') {
        laz_buf_printf(buf, ", which %s says", delivery->variable);
    }
    if (delivery->exposed != NULL) {
        laz_buf_printf(buf, "%svariable %s of the environment",
                has_file || delivery->fd != 0 ? ", and " : "", delivery->exposed);
    }
}

/* ---- check ---- */

void laz_secrets_put(struct laz_buf *buf, const struct laz_policy *policy)
{
    const struct laz_policy_secrets *secrets = &policy->secrets;
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        const struct laz_fetch_item *item = &secrets->config.items[i];
        laz_buf_printf(buf, "  %-12s%s (%s%s): ", i == 0 ? "secrets" : "", item->name,
                laz_secret_source_name(item->source), item->optional ? ", optional" : "");
        laz_secret_put_delivery(buf, secrets, i);
        laz_buf_char(buf, '\n');
    }
}

static void json_said(struct laz_json *json, const char *key, const char *text)
{
    if (text[0] != '\0') {
        laz_json_string(json, key, text);
    }
}

static void json_delivery(struct laz_json *json, const struct laz_secret_delivery *delivery)
{
    if (delivery->path[0] != '\0') {
        char mode[8];
        struct laz_buf text;
        laz_buf_init_fixed(&text, mode, sizeof(mode));
        laz_buf_printf(&text, "0%o", delivery->mode);
        laz_json_object(json, "file");
        laz_json_string(json, "path", delivery->path);
        laz_json_string(json, "mode", mode);
        laz_json_object_end(json);
    }
    if (delivery->fd != 0) {
        laz_json_object(json, "fd");
        laz_json_u64(json, "number", delivery->fd);
        json_said(json, "variable", delivery->variable);
        laz_json_object_end(json);
    }
    if (delivery->exposed != NULL) {
        laz_json_object(json, "expose-in-environment");
        laz_json_string(json, "variable", delivery->exposed);
        laz_json_object_end(json);
    }
}

static void json_context(struct laz_json *json, const struct laz_fetch_item *item)
{
    laz_json_object(json, "context");
    for (uint32_t i = 0; i < item->n_context; i++) {
        laz_json_string(json, item->context_name[i], item->context_value[i]);
    }
    laz_json_object_end(json);
}

static void json_permissions(struct laz_json *json, const struct laz_fetch_config *config,
        const struct laz_fetch_item *item)
{
    struct laz_permission permissions[LAZ_PERMISSIONS_MAX];
    size_t n = laz_secret_permissions(config, item, permissions);
    laz_json_array(json, "permissions");
    for (size_t i = 0; i < n; i++) {
        laz_json_object(json, NULL);
        laz_json_string(json, "action", permissions[i].action);
        laz_json_string(json, "resource", permissions[i].resource);
        if (permissions[i].has_context) {
            json_context(json, item);
        }
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

void laz_secrets_json(struct laz_json *json, const struct laz_policy *policy)
{
    const struct laz_policy_secrets *secrets = &policy->secrets;
    laz_json_array(json, "secrets");
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        const struct laz_fetch_item *item = &secrets->config.items[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "name", item->name);
        laz_json_string(json, "source", laz_secret_source_name(item->source));
        laz_json_string(json, "from", item->from);
        json_said(json, "region", item->region);
        json_said(json, "stage", item->stage);
        json_said(json, "version", item->version);
        json_said(json, "json_key", item->json_key);
        laz_json_string(json, "decode", laz_secret_form_name(item->decode));
        json_said(json, "decrypt_key", item->kms_key);
        laz_json_u64(json, "min_bytes", item->min_bytes);
        laz_json_u64(json, "max_bytes", item->max_bytes);
        laz_json_string(json, "form", laz_secret_form_name(item->form));
        laz_json_bool(json, "newline", item->newline);
        laz_json_bool(json, "optional", item->optional);
        json_delivery(json, &secrets->deliveries[i]);
        json_permissions(json, &secrets->config, item);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

/* ---- explain ---- */

static struct laz_buf *add(struct laz_explanation *ret, const struct laz_policy *policy,
        const char *key, const char *field)
{
    return laz_lines_add(&ret->facts, policy, key, laz_policy_pos_of(policy, field));
}

static void explain_services(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    static const char *const keys[LAZ_FETCH_SERVICE_COUNT] = {"secrets.endpoints.secrets-manager",
            "secrets.endpoints.ssm", "secrets.endpoints.kms", "secrets.endpoints.acm-pca"};
    if (config->region[0] != '\0') {
        laz_buf_printf(add(ret, policy, "asked", "secrets.region"), "in region %s", config->region);
    }
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        if (config->endpoint[i][0] != '\0') {
            laz_buf_printf(add(ret, policy, "asked", keys[i]), "%s at %s",
                    keys[i] + strlen("secrets.endpoints."), config->endpoint[i]);
        }
    }
    if (config->ca[0] != '\0') {
        laz_buf_printf(add(ret, policy, "asked", "secrets.ca"), "whom %s vouches for", config->ca);
    }
    if (config->vault.address[0] != '\0') {
        laz_buf_printf(add(ret, policy, "asked", "secrets.vault.address"),
                "Vault at %s, by %s %s%s%s", config->vault.address,
                config->vault.login == LAZ_FETCH_LOGIN_AWS    ? "the AWS role"
                        : config->vault.token_file[0] != '\0' ? "the token in"
                                                              : "the token in variable",
                config->vault.token_file, config->vault.token_variable, config->vault.role);
    }
    if (config->fips) {
        laz_buf_str(add(ret, policy, "asked", "secrets.fips"), "by FIPS endpoints");
    }
    if (config->imds) {
        laz_buf_str(add(ret, policy, "asked", "secrets.imds"), "by the instance's role if need be");
    }
}

void laz_secrets_explain(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_policy_secrets *secrets = &policy->secrets;
    if (secrets->config.n_items == 0) {
        laz_buf_str(add(ret, policy, "secrets", "secrets"), "none");
        return;
    }
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        const struct laz_fetch_item *item = &secrets->config.items[i];
        struct laz_buf *text = laz_lines_add(
                &ret->facts, policy, "secrets", laz_policy_pos_of_secret(policy, i, "name"));
        laz_buf_printf(text, "%s: ", item->name);
        laz_secret_put_source(text, item);
        laz_buf_str(text, "; ");
        laz_secret_put_form(text, item);
        laz_buf_str(text, "; to ");
        laz_secret_put_delivery(text, secrets, i);
        laz_buf_str(text, item->optional ? "; the workload starts without it too" : "");
    }
    laz_buf_printf(add(ret, policy, "delivered", "secrets.dir"), "below %s", secrets->dir);
    laz_buf_printf(add(ret, policy, "delivered", "secrets.start-deadline"),
            "before the workload starts; after %u ms it is given up, with code 103",
            secrets->config.wait_ms);
    explain_services(policy, ret);
}

/* ---- What AWS and Vault must permit ---- */

static const char *partition_of(const char *region)
{
    return strncmp(region, "cn-", 3) == 0        ? "aws-cn"
            : strncmp(region, "us-gov-", 7) == 0 ? "aws-us-gov"
                                                 : "aws";
}

/* An ARN is itself; of a name, region and account are whatever the task's are. */
static void put_resource(struct laz_buf *buf, const struct laz_fetch_config *config,
        const struct laz_fetch_item *item)
{
    const char *region = config->region[0] == '\0' ? "*" : config->region;
    bool is_arn = strncmp(item->from, "arn:", 4) == 0;
    if (item->source == LAZ_SECRET_SECRETS_MANAGER && is_arn) {
        laz_buf_str(buf, item->from);
    } else if (item->source == LAZ_SECRET_SECRETS_MANAGER) {
        laz_buf_printf(buf, "arn:%s:secretsmanager:%s:*:secret:%s-??????", partition_of(region),
                region, item->from);
    } else {
        const char *found = is_arn ? strstr(item->from, "parameter/") : NULL;
        const char *name = found != NULL ? found : item->from;
        size_t length = strcspn(name, ":"); /* without version or label */
        if (found != NULL) {
            laz_buf_put(buf, item->from, (size_t)(name - item->from) + length);
            return;
        }
        size_t slash = name[0] == '/' ? 1 : 0;
        laz_buf_printf(buf, "arn:%s:ssm:%s:*:parameter/", partition_of(region), region);
        laz_buf_put(buf, name + slash, length - slash);
    }
}

/* Of its CA, if it has one. */
static size_t permissions_of_identity(
        const struct laz_fetch_identity *identity, struct laz_permission ret[LAZ_PERMISSIONS_MAX])
{
    static const char *const of_aws[] = {"acm-pca:IssueCertificate", "acm-pca:GetCertificate"};
    static const char *const of_vault[] = {"vault:update"};
    bool is_aws = identity->source == LAZ_IDENTITY_FROM_ACM_PCA;
    size_t n = is_aws ? 2 : identity->source == LAZ_IDENTITY_FROM_VAULT_PKI ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        struct laz_buf buf;
        ret[i] = (struct laz_permission){.action = is_aws ? of_aws[i] : of_vault[i]};
        laz_buf_init_fixed(&buf, ret[i].resource, sizeof(ret[i].resource));
        laz_buf_str(&buf, identity->from);
    }
    return n;
}

size_t laz_secret_permissions(const struct laz_fetch_config *config,
        const struct laz_fetch_item *item, struct laz_permission ret[LAZ_PERMISSIONS_MAX])
{
    struct laz_buf buf;
    size_t n = 0;
    if (laz_secret_is_of_aws(item) && item->source != LAZ_SECRET_FILE &&
            item->source != LAZ_SECRET_VARIABLE && item->source != LAZ_SECRET_VAULT) {
        ret[n] = (struct laz_permission){.action = item->source == LAZ_SECRET_SECRETS_MANAGER
                        ? "secretsmanager:GetSecretValue"
                        : item->source == LAZ_SECRET_PARAMETER ? "ssm:GetParameter"
                                                               : "ssm:GetParametersByPath"};
        laz_buf_init_fixed(&buf, ret[n].resource, sizeof(ret[n].resource));
        put_resource(&buf, config, item);
        n++;
    }
    if (item->source == LAZ_SECRET_VAULT) {
        ret[n] = (struct laz_permission){.action = "vault:read"};
        laz_buf_init_fixed(&buf, ret[n].resource, sizeof(ret[n].resource));
        laz_buf_str(&buf, item->from);
        n++;
    }
    if (item->source == LAZ_SECRET_IDENTITY) {
        n = permissions_of_identity(&config->identities[item->identity], ret);
    }
    if (item->kms_key[0] != '\0') {
        ret[n] = (struct laz_permission){
                .action = "kms:Decrypt", .has_context = item->n_context > 0};
        laz_buf_init_fixed(&buf, ret[n].resource, sizeof(ret[n].resource));
        laz_buf_str(&buf, item->kms_key);
        n++;
    }
    return n;
}
