/* SPDX-License-Identifier: Apache-2.0
 *
 * The credentials of the task's role, fetched and kept fresh: from the container agent, or, where
 * that is permitted, from the instance (IMDSv2, never version 1). Nothing of them, of the address
 * that gives them or of what it answered is ever in a message, but a status and an error code.
 */
#ifndef LAZ_NET_AWS_CREDENTIALS_H
#define LAZ_NET_AWS_CREDENTIALS_H

#include <event2/event.h>

#include "core/err.h"
#include "core/tls_words.h"

#define LAZ_AWS_ACCESS_KEY_MAX 128
#define LAZ_AWS_SECRET_MAX     128
#define LAZ_AWS_TOKEN_MAX      8192 /* a session token; AWS promises no length */
#define LAZ_AWS_CODE_MAX       64   /* of an error, its NUL included */
#define LAZ_AWS_VARIABLE_MAX   4096 /* bytes of a variable's value */

/* What the environment says, "" where it says nothing; borrowed. */
struct laz_aws_environment {
    const char *relative_uri; /* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI */
    const char *full_uri;     /* AWS_CONTAINER_CREDENTIALS_FULL_URI */
    const char *token;        /* AWS_CONTAINER_AUTHORIZATION_TOKEN */
    const char *token_file;   /* AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE */
    const char *token_why;    /* it is not read: the reason */
    const char *no_imds;      /* AWS_EC2_METADATA_DISABLED */
    const char *region;       /* AWS_REGION */
    const char *default_region;
};

/* Wiped when they are replaced or freed. */
struct laz_aws_key {
    char access_key[LAZ_AWS_ACCESS_KEY_MAX + 1];
    char secret_key[LAZ_AWS_SECRET_MAX + 1];
    char token[LAZ_AWS_TOKEN_MAX + 1]; /* of the session */
    int64_t expires;                   /* seconds since 1970 */
};

/* From the event loop, after laz_aws_credentials_get had none. */
struct laz_aws_credentials_owner {
    void (*ready)(void *context);
    void (*failed)(void *context, const char *why);
    void *context;
};

struct laz_aws_credentials;
struct laz_http_reply;
struct laz_tls_files;

/* What is asked whom. */
struct laz_aws_credentials_plan {
    const struct laz_aws_environment *environment;
    bool may_use_imds;
    const char *ca; /* for an https address; PEM */
    enum laz_tls_profile profile;
    const struct laz_tls_files *files; /* as of struct laz_tls_plan */
};

/* LAZ_E_SINK where there is nobody to ask, or nobody who may be asked. */
LAZ_MUST_CHECK int laz_aws_credentials_new(struct event_base *base,
        const struct laz_aws_credentials_plan *plan, const struct laz_aws_credentials_owner *owner,
        struct laz_aws_credentials **ret, struct laz_err *err);
void laz_aws_credentials_free(struct laz_aws_credentials *credentials);

/* Good for a minute at least, and borrowed until the event loop goes on; NULL: the owner will be
 * told, at once or when the answer is there. From 15 minutes before their end on new ones are
 * fetched while these serve. */
const struct laz_aws_key *laz_aws_credentials_get(struct laz_aws_credentials *credentials);
/* In `failed`: because whoever gives them is somebody whom we do not trust? */
bool laz_aws_credentials_untrusted(const struct laz_aws_credentials *credentials);
/* The service does not take them: fetch others. */
void laz_aws_credentials_refused(struct laz_aws_credentials *credentials);

/* The port that is asked, and the folder of the token's file ("" for none), which whoever confines
 * this process has to leave to it. */
uint16_t laz_aws_credentials_port(const struct laz_aws_environment *environment);

/* May credentials be fetched there? https everywhere, http from this host and the agents'
 * link-local addresses alone: the request carries a token, and the answer the key. */
LAZ_MUST_CHECK bool laz_aws_may_ask(const char *full_uri);

/* The reply's body as a key; LAZ_E_SINK with what it lacks. */
LAZ_MUST_CHECK int laz_aws_parse_key(
        const char *text, size_t length, struct laz_aws_key *ret, struct laz_err *err);

/* The code in an error's body, in the spellings of AWS's services and of its agents; "" if there
 * is none, or something that is not known and does not end as their names do. */
void laz_aws_parse_code(const char *text, size_t length, char *ret, size_t size);
/* The same of a reply: of its body, or else of its header. */
void laz_aws_reply_code(const struct laz_http_reply *reply, char *ret, size_t size);
/* How many milliseconds it asks us to wait; 0 if it does not say. */
uint32_t laz_aws_reply_wait_ms(const struct laz_http_reply *reply);

#endif
