/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of two CAs.
 */
#include "secret/issue.h"

#include <string.h>

#include "core/json.h"
#include "core/json_read.h"
#include "secret/coding.h"
#include "secret/names.h"

#define NODES         64
#define TEXT_MAX      32768 /* bytes of a request as one line of base64 */
#define SECONDS_A_DAY 86400

/* ---- AWS Private CA ---- */

void laz_issue_ask_pca(const struct laz_fetch_identity *identity, const struct laz_buf *request,
        const char *token, int64_t now, struct laz_buf *ret)
{
    struct laz_json json;
    laz_cleanup_buf struct laz_buf text;
    bool is_days = identity->validity_s % SECONDS_A_DAY == 0;
    laz_buf_init_heap(&text, TEXT_MAX);
    laz_secret_encode(LAZ_SECRET_FORM_BASE64, request->data, request->len, &text);
    ret->overflow = ret->overflow || text.overflow;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "CertificateAuthorityArn", identity->from);
    laz_json_string(&json, "Csr", text.len == 0 ? "" : text.data);
    laz_json_string(&json, "SigningAlgorithm", laz_signing_name(identity->signing));
    laz_json_string(&json, "TemplateArn", identity->template);
    laz_json_object(&json, "Validity");
    laz_json_string(&json, "Type", is_days ? "DAYS" : "ABSOLUTE");
    laz_json_i64(&json, "Value",
            is_days ? identity->validity_s / SECONDS_A_DAY : now + (int64_t)identity->validity_s);
    laz_json_object_end(&json);
    laz_json_string(&json, "IdempotencyToken", token);
    laz_json_object_end(&json);
}

void laz_issue_ask_pca_for(
        const struct laz_fetch_identity *identity, const char *arn, struct laz_buf *ret)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "CertificateAuthorityArn", identity->from);
    laz_json_string(&json, "CertificateArn", arn);
    laz_json_object_end(&json);
}

static int read_object(const char *text, size_t length, const struct laz_json_room *room,
        struct laz_json_doc *ret, struct laz_err *err)
{
    if (laz_json_read(text, length, room, ret, err) != 0) {
        return laz_err_context(err, "the answer");
    }
    return laz_json_root(ret)->type == LAZ_JSON_OBJECT
            ? 0
            : laz_err_set(err, LAZ_E_SECRET, 0, "the answer is no object");
}

int laz_issue_read_arn(const struct laz_fetch_identity *identity, const char *text, size_t length,
        char ret[LAZ_ISSUE_ARN_MAX + 1], struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    size_t of_ca = strlen(identity->from);
    if (read_object(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    const struct laz_json_node *arn = laz_json_member(&doc, laz_json_root(&doc), "CertificateArn");
    if (!laz_json_copy(&doc, arn, ret, LAZ_ISSUE_ARN_MAX + 1) ||
            strncmp(ret, identity->from, of_ca) != 0 || ret[of_ca] != '/') {
        return laz_err_set(
                err, LAZ_E_SECRET, 0, "the answer has no CertificateArn of the CA that was asked");
    }
    return 0;
}

/* Each block on lines of its own. */
static bool put_text(
        const struct laz_json_doc *doc, const struct laz_json_node *node, struct laz_buf *ret)
{
    if (node == NULL || node->type != LAZ_JSON_STRING || !laz_json_text(doc, node, ret)) {
        return false;
    }
    laz_buf_char(ret, '\n');
    return !ret->overflow;
}

int laz_issue_read_pca(const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    if (read_object(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    const struct laz_json_node *root = laz_json_root(&doc);
    const struct laz_json_node *chain = laz_json_member(&doc, root, "CertificateChain");
    if (!put_text(&doc, laz_json_member(&doc, root, "Certificate"), ret)) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "the answer has no Certificate");
    }
    if (chain != NULL && !put_text(&doc, chain, ret)) { /* a root that signs has none */
        return laz_err_set(err, LAZ_E_SECRET, 0, "the answer's CertificateChain is no text");
    }
    return 0;
}

/* ---- Vault ---- */

static void put_names(struct laz_json *json, const char *key,
        const struct laz_fetch_identity *identity, enum laz_san_type type)
{
    laz_cleanup_buf struct laz_buf list;
    laz_buf_init_heap(&list, LAZ_FETCH_SANS_MAX * (LAZ_FETCH_SAN_MAX + 1) + 1);
    for (uint32_t i = 0; i < identity->n_sans; i++) {
        if (identity->sans[i].type == type) {
            laz_buf_str(&list, list.len == 0 ? "" : ",");
            laz_buf_str(&list, identity->sans[i].text);
        }
    }
    if (list.len > 0) {
        laz_json_string(json, key, list.data);
    }
}

/* Its names are those of the role's rules; that they are ours, the certificate shows. */
void laz_issue_ask_vault(const struct laz_fetch_identity *identity, const struct laz_buf *request,
        struct laz_buf *ret)
{
    char ttl[32];
    struct laz_buf text;
    struct laz_json json;
    laz_buf_init_fixed(&text, ttl, sizeof(ttl));
    laz_buf_printf(&text, "%us", identity->validity_s);
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "csr", request->data);
    laz_json_string(&json, "common_name", laz_names_common(identity));
    laz_json_bool(&json, "exclude_cn_from_sans", true);
    put_names(&json, "alt_names", identity, LAZ_SAN_DNS);
    put_names(&json, "ip_sans", identity, LAZ_SAN_IP);
    put_names(&json, "uri_sans", identity, LAZ_SAN_URI);
    laz_json_string(&json, "ttl", ttl);
    laz_json_string(&json, "format", "pem");
    laz_json_object_end(&json);
}

int laz_issue_read_vault(const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    if (read_object(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    const struct laz_json_node *data = laz_json_member(&doc, laz_json_root(&doc), "data");
    if (data == NULL || data->type != LAZ_JSON_OBJECT ||
            !put_text(&doc, laz_json_member(&doc, data, "certificate"), ret)) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "the answer has no data.certificate");
    }
    const struct laz_json_node *chain = laz_json_member(&doc, data, "ca_chain");
    const struct laz_json_node *issuer = laz_json_member(&doc, data, "issuing_ca");
    bool is_text = true;
    if (chain == NULL || chain->type != LAZ_JSON_ARRAY) {
        is_text = issuer == NULL || put_text(&doc, issuer, ret);
    } else {
        for (const struct laz_json_node *one = laz_json_next(&doc, chain, NULL); one != NULL;
                one = laz_json_next(&doc, chain, one)) {
            is_text = is_text && put_text(&doc, one, ret);
        }
    }
    return is_text ? 0 : laz_err_set(err, LAZ_E_SECRET, 0, "the answer's ca_chain is no text");
}
