/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers of the three services.
 */
#include "secret/service.h"

#include <stdio.h>

#include "core/json.h"
#include "core/json_read.h"
#include "core/num.h"
#include "secret/coding.h"

#define NODES     512  /* an answer has some twenty; a secret of 20 stages is the longest */
#define NAME_MAX  2048 /* bytes of a name or an ARN */
#define STAGE_MAX 256  /* bytes of a stage's name */
#define SUFFIX    7    /* that Secrets Manager adds to a name in its ARN: '-' and six letters */

const char *laz_secret_fault_name(enum laz_secret_fault fault)
{
    static const char *const words[] = {
#define X(id, word) word,
            LAZ_SECRET_FAULTS(X)
#undef X
    };
    return (size_t)fault < LAZ_SECRET_FAULT_COUNT ? words[fault] : "?";
}

static const struct {
    const char *target;
    const char *signing_name;
} services[LAZ_FETCH_SERVICE_COUNT] = {
        [LAZ_FETCH_SECRETS_MANAGER] = {"secretsmanager.GetSecretValue", "secretsmanager"},
        [LAZ_FETCH_PARAMETERS] = {"AmazonSSM.GetParameter", "ssm"},
        [LAZ_FETCH_KMS] = {"TrentService.Decrypt", "kms"},
        [LAZ_FETCH_PCA] = {"ACMPrivateCA.IssueCertificate", "acm-pca"},
};

const char *laz_secret_target(enum laz_fetch_service service)
{
    return services[service].target;
}

const char *laz_secret_signing_name(enum laz_fetch_service service)
{
    return services[service].signing_name;
}

/* ---- requests ---- */

void laz_secret_ask_secret(const struct laz_fetch_item *item, struct laz_buf *ret)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "SecretId", item->from);
    if (item->version[0] != '\0') {
        laz_json_string(&json, "VersionId", item->version);
    }
    if (item->stage[0] != '\0') {
        laz_json_string(&json, "VersionStage", item->stage);
    }
    laz_json_object_end(&json);
}

void laz_secret_ask_parameter(const struct laz_fetch_item *item, struct laz_buf *ret)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "Name", item->from);
    laz_json_bool(&json, "WithDecryption", true);
    laz_json_object_end(&json);
}

void laz_secret_ask_decrypt(const struct laz_fetch_item *item, const void *ciphertext,
        size_t length, struct laz_buf *ret)
{
    struct laz_json json;
    laz_buf_str(ret, "{\"CiphertextBlob\":\"");
    laz_secret_encode(LAZ_SECRET_FORM_BASE64, ciphertext, length, ret);
    laz_buf_str(ret, "\",\"KeyId\":");
    laz_json_init(&json, ret);
    laz_json_string(&json, NULL, item->kms_key);
    if (item->n_context > 0) {
        laz_json_object(&json, "EncryptionContext");
        for (uint32_t i = 0; i < item->n_context; i++) {
            laz_json_string(&json, item->context_name[i], item->context_value[i]);
        }
        laz_json_object_end(&json);
    }
    laz_buf_char(ret, '}');
}

/* ---- answers ---- */

static int fault(struct laz_secret_reading *ret, enum laz_secret_fault which, const char *what,
        struct laz_err *err)
{
    ret->fault = which;
    return laz_err_set(err, LAZ_E_SECRET, 0, "%s", what);
}

static int malformed(struct laz_secret_reading *ret, const char *what, struct laz_err *err)
{
    return fault(ret, LAZ_SECRET_FAULT_MALFORMED, what, err);
}

/* Nothing of the text may be in a message, and the reader puts none there: where, and what rule. */
static int read_object(const char *text, size_t length, const struct laz_json_room *room,
        struct laz_json_doc *doc, struct laz_secret_reading *ret, struct laz_err *err)
{
    if (laz_json_read(text, length, room, doc, err) != 0) {
        ret->fault = LAZ_SECRET_FAULT_MALFORMED;
        return -1;
    }
    return laz_json_root(doc)->type == LAZ_JSON_OBJECT
            ? 0
            : malformed(ret, "the answer is no JSON object", err);
}

static bool is_string(const struct laz_json_node *node)
{
    return node != NULL && node->type == LAZ_JSON_STRING;
}

/* The lexeme of a string with no escape in it, which is what base64 is. */
static int take_base64(const struct laz_json_doc *doc, const struct laz_json_node *node,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    if (laz_secret_decode(LAZ_SECRET_FORM_BASE64, doc->text + node->start + 1,
                node->end - node->start - 2U, ret->value, err) != 0) {
        ret->fault = LAZ_SECRET_FAULT_MALFORMED;
        return laz_err_context(err, "the answer's value");
    }
    return ret->value->overflow ? malformed(ret, "the value is too long", err) : 0;
}

static int take_text(const struct laz_json_doc *doc, const struct laz_json_node *node,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    if (!laz_json_text(doc, node, ret->value)) {
        return malformed(ret,
                ret->value->overflow ? "the value is too long" : "the value's text holds a NUL",
                err);
    }
    return 0;
}

static bool has_stage(
        const struct laz_json_doc *doc, const struct laz_json_node *stages, const char *wanted)
{
    for (const struct laz_json_node *node = laz_json_next(doc, stages, NULL); node != NULL;
            node = laz_json_next(doc, stages, node)) {
        char stage[STAGE_MAX + 1];
        if (laz_json_copy(doc, node, stage, sizeof(stage)) && strcmp(stage, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* The whole ARN, one without the suffix, or the name. */
static bool is_secret(const struct laz_json_doc *doc, const char *from)
{
    char arn[NAME_MAX + 1];
    char name[NAME_MAX + 1];
    const struct laz_json_node *root = laz_json_root(doc);
    if (!laz_json_copy(doc, laz_json_member(doc, root, "ARN"), arn, sizeof(arn)) ||
            !laz_json_copy(doc, laz_json_member(doc, root, "Name"), name, sizeof(name))) {
        return false;
    }
    size_t length = strlen(from);
    return strcmp(from, name) == 0 || strcmp(from, arn) == 0 ||
            (strncmp(from, "arn:", 4) == 0 && strncmp(from, arn, length) == 0 &&
                    arn[length] == '-' && strlen(arn) == length + SUFFIX);
}

/* Of the version that was asked for, and of none that its rotation has not finished with. */
static int check_secret(const struct laz_fetch_item *item, const struct laz_json_doc *doc,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *stages = laz_json_member(doc, root, "VersionStages");
    if (!is_secret(doc, item->from)) {
        return malformed(ret, "the answer is about another secret", err);
    }
    if (!laz_json_copy(
                doc, laz_json_member(doc, root, "VersionId"), ret->version, sizeof(ret->version)) ||
            ret->version[0] == '\0') {
        return malformed(ret, "the answer has no VersionId", err);
    }
    if (item->version[0] != '\0' && strcmp(item->version, ret->version) != 0) {
        return malformed(ret, "the answer is another version", err);
    }
    const char *stage = item->stage[0] != '\0' ? item->stage
            : item->version[0] != '\0'         ? ""
                                               : "AWSCURRENT";
    if (stage[0] != '\0' && !has_stage(doc, stages, stage)) {
        return malformed(ret, "the answer is a version of another stage", err);
    }
    if (has_stage(doc, stages, "AWSPENDING") && !has_stage(doc, stages, "AWSCURRENT")) {
        return fault(ret, LAZ_SECRET_FAULT_REFUSED,
                "the version is AWSPENDING: its rotation has not finished", err);
    }
    return 0;
}

int laz_secret_read_secret(const struct laz_fetch_item *item, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    if (read_object(text, length, &room, &doc, ret, err) != 0 ||
            check_secret(item, &doc, ret, err) != 0) {
        return -1;
    }
    const struct laz_json_node *string = laz_json_member(&doc, laz_json_root(&doc), "SecretString");
    const struct laz_json_node *binary = laz_json_member(&doc, laz_json_root(&doc), "SecretBinary");
    if ((string == NULL) == (binary == NULL)) {
        return malformed(ret,
                string == NULL ? "the answer has neither SecretString nor SecretBinary"
                               : "the answer has both SecretString and SecretBinary",
                err);
    }
    if (!is_string(string == NULL ? binary : string)) {
        return malformed(ret, "the answer's value is no string", err);
    }
    return string == NULL ? take_base64(&doc, binary, ret, err) : take_text(&doc, string, ret, err);
}

/* "name", "name:3", "name:label", or an ARN with or without either. */
static bool is_parameter(
        const struct laz_json_doc *doc, const struct laz_json_node *parameter, const char *from)
{
    bool is_arn = strncmp(from, "arn:", 4) == 0;
    char name[NAME_MAX + 1];
    if (!laz_json_copy(doc, laz_json_member(doc, parameter, is_arn ? "ARN" : "Name"), name,
                sizeof(name))) {
        return false;
    }
    size_t length = strlen(name);
    return length > 0 && strncmp(from, name, length) == 0 &&
            (from[length] == '\0' ||
                    (from[length] == ':' && strchr(from + length + 1, ':') == NULL));
}

/* Of the version that was asked for, if one was; labels do not begin with a digit. */
static bool is_version(const char *from, uint64_t version)
{
    const char *selector = strrchr(from, ':');
    uint64_t wanted = 0;
    if (selector == NULL || selector[1] < '0' || selector[1] > '9') {
        return true;
    }
    return laz_parse_u64(selector + 1, strlen(selector + 1), UINT64_MAX, &wanted) &&
            wanted == version;
}

int laz_secret_read_parameter(const struct laz_fetch_item *item, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    uint64_t version = 0;
    if (read_object(text, length, &room, &doc, ret, err) != 0) {
        return -1;
    }
    const struct laz_json_node *parameter = laz_json_member(&doc, laz_json_root(&doc), "Parameter");
    if (parameter == NULL || parameter->type != LAZ_JSON_OBJECT) {
        return malformed(ret, "the answer has no Parameter", err);
    }
    if (!is_parameter(&doc, parameter, item->from)) {
        return malformed(ret, "the answer is about another parameter", err);
    }
    if (!laz_json_number(&doc, laz_json_member(&doc, parameter, "Version"), INT64_MAX, &version)) {
        return malformed(ret, "the answer has no Version", err);
    }
    if (!is_version(item->from, version)) {
        return malformed(ret, "the answer is another version", err);
    }
    (void)snprintf(ret->version, sizeof(ret->version), "%llu", (unsigned long long)version);
    const struct laz_json_node *value = laz_json_member(&doc, parameter, "Value");
    return is_string(value) ? take_text(&doc, value, ret, err)
                            : malformed(ret, "the answer's value is no string", err);
}

int laz_secret_read_decrypted(const struct laz_fetch_item *item, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    char key[NAME_MAX + 1];
    if (read_object(text, length, &room, &doc, ret, err) != 0) {
        return -1;
    }
    const struct laz_json_node *root = laz_json_root(&doc);
    if (!laz_json_copy(&doc, laz_json_member(&doc, root, "KeyId"), key, sizeof(key))) {
        return malformed(ret, "the answer has no KeyId", err);
    }
    if (strcmp(key, item->kms_key) != 0) {
        return fault(ret, LAZ_SECRET_FAULT_OTHER_KEY,
                "KMS decrypted it with another key than \"decrypt.key\" names", err);
    }
    const struct laz_json_node *value = laz_json_member(&doc, root, "Plaintext");
    return is_string(value) ? take_base64(&doc, value, ret, err)
                            : malformed(ret, "the answer's value is no string", err);
}
