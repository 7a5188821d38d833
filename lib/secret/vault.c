/* SPDX-License-Identifier: Apache-2.0
 *
 * Vault as a source: one call for each item, and the login that all of them share.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secret/kv.h"
#include "secret/memory.h"
#include "secret/source.h"

struct vault_source {
    struct laz_source source; /* first */
    uint32_t index;
    struct laz_reach *reach;
    const struct laz_fetch_item *item; /* borrowed */
    struct laz_vault_call *call;       /* NULL: there is no login */
    struct laz_buf path;
};

/* ---- the login ---- */

/* Without the line feed that an editor puts behind it. */
static int read_token(
        const struct laz_secret_given *given, struct laz_buf *ret, struct laz_err *err)
{
    if (given->fd < 0) {
        return laz_err_set(err, LAZ_E_SECRET, given->sys_errno, "%s",
                given->why[0] == '\0' ? "it is not set in the environment" : given->why);
    }
    while (ret->len < ret->cap - 1) {
        ssize_t n =
                pread(given->fd, ret->data + ret->len, ret->cap - 1 - ret->len, (off_t)ret->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return laz_err_set(err, LAZ_E_SECRET, errno, "read: %s", strerror(errno));
        }
        if (n == 0) {
            break;
        }
        ret->len += (size_t)n;
    }
    if (ret->len > 0 && ret->data[ret->len - 1] == '\n') {
        ret->len--;
    }
    bool has_nul = memchr(ret->data, '\0', ret->len) != NULL;
    ret->data[ret->len] = '\0';
    return has_nul ? laz_err_set(err, LAZ_E_SECRET, 0, "it holds a NUL") : 0;
}

static int log_in(struct laz_reach *reach, const char *token, struct laz_err *err)
{
    const struct laz_fetch_vault *vault = &reach->means.config->vault;
    const struct laz_vault_plan plan = {.host = reach->vault_place.host,
            .port = reach->vault_place.port,
            .tls = reach->vault_tls,
            .resolver = reach->resolver,
            .name_space = vault->name_space,
            .token = token,
            .role = vault->role,
            .mount = vault->mount,
            .server_id = vault->server_id,
            .region = vault->region,
            .aws = reach->aws};
    return laz_vault_new(reach->base, &plan, &reach->vault, err);
}

/* A token that is not there, or is none, is what items say, and not the end of all of them. */
static int take_token(struct laz_reach *reach, struct laz_err *err)
{
    struct laz_buf token;
    struct laz_err why = {0};
    if (laz_secret_buf_init(&token, LAZ_VAULT_TOKEN_MAX + 3, err) != 0) {
        return -1;
    }
    if (read_token(&reach->means.vault_token, &token, &why) != 0 ||
            log_in(reach, token.data, &why) != 0) {
        const struct laz_fetch_vault *vault = &reach->means.config->vault;
        bool is_file = vault->token_file[0] != '\0';
        (void)snprintf(reach->no_vault, sizeof(reach->no_vault), "token %s %.200s: %.200s",
                is_file ? "file" : "variable", is_file ? vault->token_file : vault->token_variable,
                why.message);
    }
    laz_secret_buf_done(&token);
    return 0;
}

static int open_vault(struct laz_reach *reach, struct laz_err *err)
{
    const struct laz_secret_means *means = &reach->means;
    bool is_by_token = means->config->vault.login == LAZ_FETCH_LOGIN_TOKEN;
    if (means->no_vault_ca[0] != '\0') {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s", means->no_vault_ca);
    }
    if (!is_by_token && reach->aws == NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s", reach->no_aws);
    }
    if (laz_secret_find_vault(&means->config->vault, &reach->vault_place, err) != 0) {
        return -1;
    }
    if (reach->resolver == NULL && laz_resolver_new(reach->base, &reach->resolver, err) != 0) {
        return -1;
    }
    const struct laz_tls_plan tls = {.ca = means->vault_ca,
            .cert = "",
            .key = "",
            .peer = reach->vault_place.host,
            .profile = means->config->tls_profile,
            .files = means->vault_files};
    if (laz_tls_new(&tls, &reach->vault_tls, err) != 0) {
        return laz_err_context(err, "vault");
    }
    return is_by_token ? take_token(reach, err) : log_in(reach, NULL, err);
}

int laz_reach_open_vault(struct laz_reach *reach, struct laz_err *err)
{
    if (reach->means.config->vault.login == LAZ_FETCH_LOGIN_NONE || open_vault(reach, err) == 0) {
        return 0;
    }
    if (!laz_reach_is_about_service(err)) {
        return -1;
    }
    (void)snprintf(reach->no_vault, sizeof(reach->no_vault), "%s", err->message);
    *err = (struct laz_err){0};
    return 0;
}

/* ---- one item ---- */

static void fail(const struct vault_source *vault, enum laz_secret_fault fault, const char *why,
        const char *id)
{
    const struct laz_source_owner *owner = &vault->source.owner;
    owner->failed(owner->context, &vault->source, fault, why, id);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    const struct vault_source *vault = context;
    const struct laz_source_owner *owner = &vault->source.owner;
    const char *id = laz_vault_call_said(vault->call)->request_id;
    struct laz_secret_reading reading = {.value = owner->into, .fault = LAZ_SECRET_FAULT_MALFORMED};
    struct laz_err err = {0};
    if (laz_secret_read_kv(vault->item, reply->body.len == 0 ? "" : reply->body.data,
                reply->body.len, &reading, &err) != 0) {
        fail(vault, reading.fault, err.message, id);
    } else {
        owner->given(owner->context, vault->index, reading.version, id);
    }
}

static void on_refused(void *context)
{
    const struct vault_source *vault = context;
    const struct laz_call_said *said = laz_vault_call_said(vault->call);
    fail(vault, laz_secret_fault_of(said->verdict), said->why, said->request_id);
}

static void start(struct laz_source *source)
{
    const struct vault_source *vault = (const struct vault_source *)source;
    const struct laz_vault_request request = {.method = "GET", .path = vault->path.data};
    if (vault->call == NULL) {
        fail(vault, LAZ_SECRET_FAULT_CREDENTIALS, vault->reach->no_vault, "");
    } else {
        laz_vault_call_send(vault->call, &request);
    }
}

static void say(const struct laz_source *source, struct laz_source_said *ret)
{
    const struct vault_source *vault = (const struct vault_source *)source;
    if (vault->call == NULL) {
        return;
    }
    const struct laz_call_said *said = laz_vault_call_said(vault->call);
    ret->fault = said->verdict == LAZ_CALL_CREDENTIALS ? LAZ_SECRET_FAULT_CREDENTIALS
                                                       : LAZ_SECRET_FAULT_UNAVAILABLE;
    (void)snprintf(ret->why, sizeof(ret->why), "%s", said->why);
    (void)snprintf(ret->id, sizeof(ret->id), "%s", said->request_id);
}

static void end(struct laz_source *source)
{
    struct vault_source *vault = (struct vault_source *)source;
    laz_vault_call_free(vault->call);
    laz_buf_done(&vault->path);
    free(vault);
}

static const struct laz_source_kind kind = {
        .start = start, .said = say, .free = end, .waits = true};

static int prepare(struct vault_source *vault, struct laz_err *err)
{
    const struct laz_vault_call_owner owner = {
            .answered = on_answered, .refused = on_refused, .context = vault};
    laz_secret_ask_kv(vault->item, &vault->path);
    if (vault->path.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a request");
    }
    return vault->reach->vault == NULL ? 0
                                       : laz_vault_call_new(vault->reach->vault,
                                                 LAZ_SECRET_ANSWER_MAX, &owner, &vault->call, err);
}

int laz_source_new_vault(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    struct vault_source *vault = calloc(1, sizeof(*vault));
    if (vault == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source");
    }
    vault->source = (struct laz_source){.kind = &kind, .owner = *owner, .items = 1U << item};
    vault->index = item;
    vault->reach = reach;
    vault->item = &reach->means.config->items[item];
    laz_buf_init_heap(&vault->path, LAZ_SECRET_REQUEST_MAX);
    if (prepare(vault, err) != 0) {
        end(&vault->source);
        return -1;
    }
    *ret = &vault->source;
    return 0;
}
