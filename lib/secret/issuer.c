/* SPDX-License-Identifier: Apache-2.0
 *
 * Identities whose key is made here and whose certificate a CA gives: AWS Private CA in two calls,
 * of which the second is repeated until it has signed, and Vault in one. The key leaves nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/num.h"
#include "secret/identity.h"
#include "secret/issue.h"
#include "secret/memory.h"
#include "secret/pem.h"
#include "secret/request.h"

#define REQUEST_MAX 65536 /* bytes of what is asked */
#define TEXT_MAX    65536 /* bytes of what comes, as PEM */
#define PATH_BYTES  512

struct issuer {
    struct laz_identity identity; /* first */
    struct laz_aws_call *issue;   /* AWS */
    struct laz_aws_call *get;
    struct laz_vault_call *sign; /* Vault; NULL: there is no login */
    bool is_issued;
    char path[PATH_BYTES];
    struct laz_buf request;
};

static const struct laz_call_said *said_by(const struct issuer *issuer)
{
    if (issuer->identity.wish->source == LAZ_IDENTITY_FROM_VAULT_PKI) {
        return issuer->sign == NULL ? NULL : laz_vault_call_said(issuer->sign);
    }
    return laz_aws_call_said(issuer->is_issued ? issuer->get : issuer->issue);
}

static void on_refused(void *context)
{
    struct issuer *issuer = context;
    const struct laz_call_said *said = said_by(issuer);
    issuer->identity.id = said->request_id;
    laz_identity_fail(&issuer->identity, laz_secret_fault_of(said->verdict), "", said->why);
}

/* ---- what comes ---- */

static void on_certificate(void *context, const struct laz_http_reply *reply)
{
    struct issuer *issuer = context;
    struct laz_identity *identity = &issuer->identity;
    const char *text = reply->body.len == 0 ? "" : reply->body.data;
    laz_cleanup_buf struct laz_buf pem;
    STACK_OF(X509) *given = NULL;
    struct laz_err err = {0};
    identity->id = said_by(issuer)->request_id;
    laz_buf_init_heap(&pem, TEXT_MAX);
    int result = identity->wish->source == LAZ_IDENTITY_FROM_VAULT_PKI
            ? laz_issue_read_vault(text, reply->body.len, &pem, &err)
            : laz_issue_read_pca(text, reply->body.len, &pem, &err);
    if (result != 0) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_MALFORMED, "", err.message);
    } else if (laz_pem_read_certificates(
                       pem.data, pem.len, LAZ_PEM_CERTIFICATES_MAX, &given, &err) != 0) {
        laz_identity_fail(identity, laz_identity_fault(&err), "the answer", err.message);
    } else {
        laz_identity_take(identity, given);
        sk_X509_pop_free(given, X509_free);
    }
}

static void on_issued(void *context, const struct laz_http_reply *reply)
{
    struct issuer *issuer = context;
    const struct laz_identity *identity = &issuer->identity;
    char arn[LAZ_ISSUE_ARN_MAX + 1];
    struct laz_err err = {0};
    issuer->identity.id = said_by(issuer)->request_id;
    if (laz_issue_read_arn(identity->wish, reply->body.len == 0 ? "" : reply->body.data,
                reply->body.len, arn, &err) != 0) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_MALFORMED, "", err.message);
        return;
    }
    issuer->request.len = 0;
    laz_issue_ask_pca_for(identity->wish, arn, &issuer->request);
    issuer->is_issued = true;
    laz_aws_call_send(issuer->get, issuer->request.data, issuer->request.len);
}

/* ---- what is asked ---- */

static int make_token(char ret[LAZ_ISSUE_TOKEN_MAX + 1], struct laz_err *err)
{
    uint8_t bytes[LAZ_ISSUE_TOKEN_MAX / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "getrandom: %s", strerror(errno));
    }
    laz_format_hex(bytes, sizeof(bytes), ret);
    return 0;
}

/* The same key, that has never signed: OpenSSL keeps copies of an RSA key's primes beside those in
 * its secure heap once it has, for as long as the key lives. */
static int make_anew(EVP_PKEY **key, struct laz_err *err)
{
    struct laz_buf room = {0};
    EVP_PKEY *fresh = NULL;
    if (laz_secret_buf_init(&room, LAZ_PEM_BLOCK_MAX, err) != 0) {
        return -1;
    }
    int result = laz_pem_write_key(*key, &room, err) == 0
            ? laz_pem_read_key(room.data, room.len, &fresh, err)
            : -1;
    laz_secret_buf_done(&room);
    if (result == 0) {
        EVP_PKEY_free(*key);
        *key = fresh;
    }
    return result;
}

static int prepare_request(struct issuer *issuer, struct laz_err *err)
{
    struct laz_identity *identity = &issuer->identity;
    char token[LAZ_ISSUE_TOKEN_MAX + 1];
    laz_cleanup_buf struct laz_buf pem;
    laz_buf_init_heap(&pem, TEXT_MAX);
    if (laz_request_make_key(identity->wish->key, &identity->key, err) != 0 ||
            laz_request_make(identity->wish, identity->key, &pem, err) != 0 ||
            make_anew(&identity->key, err) != 0 || make_token(token, err) != 0) {
        return -1;
    }
    if (identity->wish->source == LAZ_IDENTITY_FROM_VAULT_PKI) {
        laz_issue_ask_vault(identity->wish, &pem, &issuer->request);
    } else {
        laz_issue_ask_pca(identity->wish, &pem, token, (int64_t)time(NULL), &issuer->request);
    }
    return pem.overflow || issuer->request.overflow
            ? laz_err_set(err, LAZ_E_SYSTEM, 0, "no memory for a request")
            : 0;
}

static void start(struct laz_source *source)
{
    struct issuer *issuer = (struct issuer *)source;
    const struct laz_identity *identity = &issuer->identity;
    const struct laz_buf *body = &issuer->request;
    bool is_vault = identity->wish->source == LAZ_IDENTITY_FROM_VAULT_PKI;
    struct laz_err err = {0};
    if (is_vault ? issuer->sign == NULL : issuer->issue == NULL) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_CREDENTIALS, "",
                is_vault ? identity->reach->no_vault : identity->reach->no_aws);
    } else if (prepare_request(issuer, &err) != 0) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_SYSTEM, "", err.message);
    } else if (is_vault) {
        const struct laz_vault_request request = {
                .method = "POST", .path = issuer->path, .body = body->data, .length = body->len};
        laz_vault_call_send(issuer->sign, &request);
    } else {
        laz_aws_call_send(issuer->issue, body->data, body->len);
    }
}

/* ---- its life ---- */

static void say(const struct laz_source *source, struct laz_source_said *ret)
{
    const struct laz_call_said *said = said_by((const struct issuer *)source);
    if (said == NULL) {
        return;
    }
    ret->fault = said->verdict == LAZ_CALL_CREDENTIALS ? LAZ_SECRET_FAULT_CREDENTIALS
                                                       : LAZ_SECRET_FAULT_UNAVAILABLE;
    (void)snprintf(ret->why, sizeof(ret->why), "%s", said->why);
    (void)snprintf(ret->id, sizeof(ret->id), "%s", said->request_id);
}

static void end(struct laz_source *source)
{
    struct issuer *issuer = (struct issuer *)source;
    laz_aws_call_free(issuer->issue);
    laz_aws_call_free(issuer->get);
    laz_vault_call_free(issuer->sign);
    laz_buf_done(&issuer->request);
    laz_identity_done(&issuer->identity);
    free(issuer);
}

static const struct laz_source_kind kind = {
        .start = start, .said = say, .free = end, .waits = true};

static int prepare_vault(struct issuer *issuer, struct laz_err *err)
{
    const struct laz_identity *identity = &issuer->identity;
    const struct laz_vault_call_owner owner = {
            .answered = on_certificate, .refused = on_refused, .context = issuer};
    (void)snprintf(issuer->path, sizeof(issuer->path), "/v1/%s", identity->wish->from);
    return identity->reach->vault == NULL
            ? 0
            : laz_vault_call_new(
                      identity->reach->vault, LAZ_ISSUE_ANSWER_MAX, &owner, &issuer->sign, err);
}

static int prepare_aws(struct issuer *issuer, uint32_t item, struct laz_err *err)
{
    struct laz_reach *reach = issuer->identity.reach;
    const struct laz_reach_place *place = NULL;
    if (laz_reach_find(reach, &reach->means.config->items[item], LAZ_FETCH_PCA, &place, err) != 0) {
        return -1;
    }
    if (reach->aws == NULL) {
        return 0;
    }
    struct laz_aws_call_owner owner = {
            .answered = on_issued, .refused = on_refused, .context = issuer};
    struct laz_aws_call_plan plan = {.host = place->at.host,
            .port = place->at.port,
            .tls = place->tls,
            .resolver = reach->resolver,
            .region = place->at.region,
            .service = laz_secret_signing_name(LAZ_FETCH_PCA),
            .target = laz_secret_target(LAZ_FETCH_PCA),
            .answer_max = LAZ_ISSUE_ANSWER_MAX};
    if (laz_aws_call_new(reach->aws, &plan, &owner, &issuer->issue, err) != 0) {
        return -1;
    }
    plan.target = "ACMPrivateCA.GetCertificate";
    owner.answered = on_certificate;
    return laz_aws_call_new(reach->aws, &plan, &owner, &issuer->get, err);
}

int laz_source_new_issuer(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    struct issuer *issuer = calloc(1, sizeof(*issuer));
    if (issuer == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source");
    }
    laz_identity_init(&issuer->identity, reach, item, &kind, owner);
    laz_buf_init_heap(&issuer->request, REQUEST_MAX);
    int result = issuer->identity.wish->source == LAZ_IDENTITY_FROM_VAULT_PKI
            ? prepare_vault(issuer, err)
            : prepare_aws(issuer, item, err);
    if (result != 0) {
        end(&issuer->identity.source);
        return -1;
    }
    *ret = &issuer->identity.source;
    return 0;
}
