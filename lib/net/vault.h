/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of Vault's HTTP API, repeated as lib/net/call.h says, with one login for all of them: a
 * token that was given, or one that Vault gives for the signed identity of the task's role (its
 * auth method "aws"). A token that is refused is replaced once for each call, where that can be.
 * Nothing of a token, a request's body or an answer is in a message, but those of Vault's sentences
 * in "errors" that are known here.
 * https://developer.hashicorp.com/vault/api-docs
 * https://developer.hashicorp.com/vault/api-docs/auth/aws#login
 */
#ifndef LAZ_NET_VAULT_H
#define LAZ_NET_VAULT_H

#include "net/aws_call.h"

#define LAZ_VAULT_TOKEN_MAX 4096 /* bytes */
#define LAZ_VAULT_WORDS_MAX 96   /* "it answers 403: permission denied", its NUL included */

/* All borrowed until laz_vault_free. */
struct laz_vault_plan {
    const char *host;
    uint16_t port;
    const struct laz_tls *tls;
    struct laz_resolver *resolver; /* as of struct laz_dial_plan */
    const char *name_space;        /* "": none */
    const char *token;             /* NULL: by the role; copied */
    const char *role;              /* of Vault's */
    const char *mount;             /* of the auth method */
    const char *server_id;         /* X-Vault-AWS-IAM-Server-ID; "": none */
    const char *region;            /* of STS; "": the global endpoint, which is Vault's default */
    struct laz_aws *aws;           /* whose identity; NULL with a token */
};

struct laz_vault;

/* LAZ_E_SECRET for a token that is none; asks nobody. */
LAZ_MUST_CHECK int laz_vault_new(struct event_base *base, const struct laz_vault_plan *plan,
        struct laz_vault **ret, struct laz_err *err);
/* After its calls. The token is wiped. */
void laz_vault_free(struct laz_vault *vault);

/* ---- one call ---- */

/* One of the two, from the event loop, or from within laz_vault_call_send; nothing may be freed
 * there. */
struct laz_vault_call_owner {
    void (*answered)(void *context, const struct laz_http_reply *reply); /* with 200 */
    void (*refused)(void *context); /* for good; laz_vault_call_said has why */
    void *context;
};

/* Borrowed until the answer. */
struct laz_vault_request {
    const char *method; /* "GET", "POST" */
    const char *path;   /* "/v1/...", of characters that a URL has as they are */
    const void *body;   /* JSON; NULL: none */
    size_t length;
};

struct laz_vault_call;

LAZ_MUST_CHECK int laz_vault_call_new(struct laz_vault *vault, size_t answer_max,
        const struct laz_vault_call_owner *owner, struct laz_vault_call **ret, struct laz_err *err);
void laz_vault_call_free(struct laz_vault_call *call);
void laz_vault_call_send(struct laz_vault_call *call, const struct laz_vault_request *request);
/* Of the login, while that is what it waits for. The id is ours, sent as X-Correlation-Id: Vault
 * gives none with a refusal. */
const struct laz_call_said *laz_vault_call_said(const struct laz_vault_call *call);

/* ---- documents; pure ---- */

/* What an answer means, and "it answers 403: permission denied". 404 is "no such thing" only from
 * somebody who speaks as Vault. */
enum laz_call_verdict laz_vault_judge(
        unsigned status, const char *text, size_t length, char *words, size_t size);

/* The token that a login gives; LAZ_E_SINK. */
LAZ_MUST_CHECK int laz_vault_parse_login(
        const char *text, size_t length, char ret[LAZ_VAULT_TOKEN_MAX + 1], struct laz_err *err);

/* What signs STS's GetCallerIdentity, as the body of a login. */
struct laz_vault_identity {
    const char *role;
    const char *server_id;
    const char *region;
    const struct laz_aws_key *key;
    const char *date; /* as x-amz-date */
};

LAZ_MUST_CHECK int laz_vault_ask_login(
        const struct laz_vault_identity *identity, struct laz_buf *ret, struct laz_err *err);

#endif
