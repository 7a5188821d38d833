/* SPDX-License-Identifier: Apache-2.0
 *
 * What Vault answers, and what a login by AWS asks. Pure. What is not of the expected form is
 * refused, and never quoted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/json.h"
#include "core/json_read.h"
#include "net/vault.h"

#define SENTENCE_MAX 1024 /* bytes of one of Vault's */
#define NODES        256
#define STS_BODY     "Action=GetCallerIdentity&Version=2011-06-15"
#define STS_TYPE     "application/x-www-form-urlencoded; charset=utf-8"
#define HOST_BYTES   96    /* sts, a region and amazonaws.com.cn */
#define HEADERS_MAX  16384 /* bytes of the signed headers as JSON */

/* ---- answers ---- */

/* What Vault is known to say. Nothing else of its words is in a message: whoever answers may know
 * a value. */
static const char *const sentences[] = {
        "Vault is sealed",
        "entry for role",
        "error making upstream request",
        "failed to verify IAM",
        "internal error",
        "invalid token",
        "missing client token",
        "namespace not found",
        "no handler for route",
        "permission denied",
        "quota exceeded",
        "required index state not present",
        "unsupported operation",
        "unsupported path",
        "upgrading from non-versioned to versioned data",
};

static const char *known_sentence(const char *text)
{
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        if (strstr(text, sentences[i]) != NULL) {
            return sentences[i];
        }
    }
    return NULL;
}

/* "errors" of an answer; NULL: there is no such list, and somebody else wrote it. Else the first
 * sentence that is known, "" where the list is empty, or that it has others. */
static const char *read_errors(const struct laz_json_doc *doc)
{
    char text[SENTENCE_MAX];
    const struct laz_json_node *list = laz_json_member(doc, laz_json_root(doc), "errors");
    if (list == NULL || list->type != LAZ_JSON_ARRAY) {
        return NULL;
    }
    const struct laz_json_node *node = laz_json_next(doc, list, NULL);
    const char *found = node == NULL ? "" : "a reason that is not known here";
    for (; node != NULL; node = laz_json_next(doc, list, node)) {
        const char *known =
                laz_json_copy(doc, node, text, sizeof(text)) ? known_sentence(text) : NULL;
        if (known != NULL) {
            return known;
        }
    }
    return found;
}

/* A version that was deleted or destroyed: 404, and its metadata. */
static bool has_metadata(const struct laz_json_doc *doc)
{
    const struct laz_json_node *data = laz_json_member(doc, laz_json_root(doc), "data");
    const struct laz_json_node *held = laz_json_member(doc, data, "data");
    return held != NULL && held->type == LAZ_JSON_NULL &&
            laz_json_member(doc, laz_json_member(doc, data, "metadata"), "version") != NULL;
}

static enum laz_call_verdict verdict_of(unsigned status, bool is_absent)
{
    switch (status) {
    case 200:
        return LAZ_CALL_TAKEN;
    case 401:
    case 403:
        return LAZ_CALL_DENIED;
    case 404:
        return is_absent ? LAZ_CALL_ABSENT : LAZ_CALL_REFUSED;
    case 429:
        return LAZ_CALL_SLOWER;
    case 408:
    case 412: /* what was written elsewhere has not arrived here yet */
    case 472: /* a standby of another kind */
    case 473:
        return LAZ_CALL_AGAIN;
    default:
        return status >= 500 ? LAZ_CALL_AGAIN : LAZ_CALL_REFUSED;
    }
}

enum laz_call_verdict laz_vault_judge(
        unsigned status, const char *text, size_t length, char *words, size_t size)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    const char *said = "";
    bool is_absent = false;
    if (status != 200 && laz_json_read(text, length, &room, &doc, &ignored) == 0) {
        const char *errors = read_errors(&doc);
        bool is_deleted = status == 404 && has_metadata(&doc);
        is_absent = is_deleted || (errors != NULL && errors[0] == '\0');
        said = is_deleted ? "the version is deleted" : errors != NULL ? errors : "";
    }
    (void)snprintf(words, size, "it answers %u%s%s", status, said[0] == '\0' ? "" : ": ", said);
    return verdict_of(status, is_absent);
}

int laz_vault_parse_login(
        const char *text, size_t length, char ret[LAZ_VAULT_TOKEN_MAX + 1], struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    if (laz_json_read(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    const struct laz_json_node *auth = laz_json_member(&doc, laz_json_root(&doc), "auth");
    size_t n = 0;
    if (laz_json_copy(
                &doc, laz_json_member(&doc, auth, "client_token"), ret, LAZ_VAULT_TOKEN_MAX + 1)) {
        while (ret[n] > ' ' && ret[n] <= '~') {
            n++; /* a header is made of it */
        }
    }
    return n > 0 && ret[n] == '\0' ? 0 : laz_err_set(err, LAZ_E_SINK, 0, "the answer has no token");
}

/* ---- the login ---- */

static void put_base64(struct laz_buf *ret, const char *text, size_t length)
{
    while (length > 0) {
        unsigned char block[5];
        int n = length < 3 ? (int)length : 3;
        laz_buf_put(ret, block, (size_t)EVP_EncodeBlock(block, (const unsigned char *)text, n));
        text += n;
        length -= (size_t)n;
    }
}

static void put_member(struct laz_buf *ret, const char *name, const char *text, size_t length)
{
    laz_buf_printf(ret, ",\"%s\":\"", name);
    put_base64(ret, text, length);
    laz_buf_char(ret, '"');
}

/* The region's host; where none is named, the one that a Vault asks that was told nothing. */
static void name_host(const char *region, char *ret, size_t size)
{
    if (region[0] == '\0') {
        (void)snprintf(ret, size, "sts.amazonaws.com");
    } else {
        (void)snprintf(ret, size, "sts.%.40s.amazonaws.com%s", region,
                strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    }
}

static int put_headers(struct laz_buf *ret, const struct laz_vault_identity *identity,
        const char *host, struct laz_err *err)
{
    char memory[LAZ_SIGV4_MAX];
    struct laz_buf authorization;
    struct laz_json json;
    struct laz_header headers[6] = {
            {"content-type", STS_TYPE},
            {"host", host},
            {"x-amz-date", identity->date},
            {"x-amz-security-token", identity->key->token},
    };
    size_t n = 4;
    if (identity->server_id[0] != '\0') {
        headers[n++] = (struct laz_header){"x-vault-aws-iam-server-id", identity->server_id};
    }
    const struct laz_sigv4_request request = {"POST", "/", headers, n, STS_BODY, strlen(STS_BODY)};
    const struct laz_sigv4_key signing = {identity->key->access_key, identity->key->secret_key,
            identity->region[0] == '\0' ? "us-east-1" : identity->region, "sts", identity->date};
    laz_buf_init_fixed(&authorization, memory, sizeof(memory));
    if (laz_sigv4_sign(&request, &signing, &authorization, err) != 0) {
        return -1;
    }
    headers[n++] = (struct laz_header){"authorization", memory};
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    for (size_t i = 0; i < n; i++) {
        laz_json_string(&json, headers[i].name, headers[i].value);
    }
    laz_json_object_end(&json);
    return 0;
}

int laz_vault_ask_login(
        const struct laz_vault_identity *identity, struct laz_buf *ret, struct laz_err *err)
{
    char host[HOST_BYTES];
    char url[HOST_BYTES + 16];
    struct laz_buf headers;
    struct laz_json json;
    name_host(identity->region, host, sizeof(host));
    (void)snprintf(url, sizeof(url), "https://%s/", host);
    laz_buf_init_wiped(&headers, HEADERS_MAX);
    int result = put_headers(&headers, identity, host, err);
    if (result == 0 && !headers.overflow) {
        laz_buf_str(ret, "{\"role\":");
        laz_json_init(&json, ret);
        laz_json_string(&json, NULL, identity->role);
        laz_buf_str(ret, ",\"iam_http_request_method\":\"POST\"");
        put_member(ret, "iam_request_url", url, strlen(url));
        put_member(ret, "iam_request_body", STS_BODY, strlen(STS_BODY));
        put_member(ret, "iam_request_headers", headers.data, headers.len);
        laz_buf_char(ret, '}');
    }
    if (result == 0 && (headers.overflow || ret->overflow)) {
        result = laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a login");
    }
    laz_buf_done(&headers);
    return result;
}
