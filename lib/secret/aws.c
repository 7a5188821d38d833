/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets Manager, Systems Manager and KMS as sources: one call for each item.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/aws_call.h"
#include "secret/by_path.h"
#include "secret/source.h"

struct aws_source {
    struct laz_source source; /* first */
    uint32_t index;
    const struct laz_fetch_item *item; /* borrowed */
    enum laz_fetch_service service;
    struct laz_aws_call *call; /* NULL: there are no credentials */
    const struct laz_reach *reach;
    struct laz_buf request;
    struct laz_by_path *by_path; /* NULL: it is one value, in one answer */
};

static void fail(
        const struct aws_source *aws, enum laz_secret_fault fault, const char *why, const char *id)
{
    const struct laz_source_owner *owner = &aws->source.owner;
    owner->failed(owner->context, &aws->source, fault, why, id);
}

static int read_answer(const struct aws_source *aws, const struct laz_http_reply *reply,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const char *text = reply->body.len == 0 ? "" : reply->body.data;
    switch (aws->service) {
    case LAZ_FETCH_SECRETS_MANAGER:
        return laz_secret_read_secret(aws->item, text, reply->body.len, ret, err);
    case LAZ_FETCH_PARAMETERS:
        if (aws->by_path != NULL) {
            return laz_by_path_take(aws->by_path, text, reply->body.len, ret, err);
        }
        return laz_secret_read_parameter(aws->item, text, reply->body.len, ret, err);
    case LAZ_FETCH_KMS:
        return laz_secret_read_decrypted(aws->item, text, reply->body.len, ret, err);
    case LAZ_FETCH_PCA: /* not of one item */
    case LAZ_FETCH_SERVICE_COUNT:
        break;
    }
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such service");
}

static void ask(struct aws_source *aws)
{
    aws->request.len = 0;
    if (aws->service == LAZ_FETCH_SECRETS_MANAGER) {
        laz_secret_ask_secret(aws->item, &aws->request);
    } else if (aws->by_path != NULL) {
        laz_by_path_ask(aws->by_path, &aws->request);
    } else {
        laz_secret_ask_parameter(aws->item, &aws->request);
    }
    if (aws->request.overflow) {
        fail(aws, LAZ_SECRET_FAULT_SYSTEM, "no memory for a request", "");
        return;
    }
    laz_aws_call_send(aws->call, aws->request.data, aws->request.len);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct aws_source *aws = context;
    const struct laz_source_owner *owner = &aws->source.owner;
    const char *id = laz_aws_call_said(aws->call)->request_id;
    struct laz_secret_reading reading = {.value = owner->into, .fault = LAZ_SECRET_FAULT_MALFORMED};
    struct laz_err err = {0};
    if (read_answer(aws, reply, &reading, &err) != 0) {
        fail(aws, reading.fault, err.message, id);
    } else if (aws->by_path != NULL && aws->by_path->token.len > 0) {
        ask(aws); /* for the next page */
    } else {
        owner->given(owner->context, aws->index, reading.version, id);
    }
}

static void on_refused(void *context)
{
    const struct aws_source *aws = context;
    const struct laz_call_said *said = laz_aws_call_said(aws->call);
    enum laz_secret_fault fault = laz_secret_fault_of(said->verdict);
    if (fault == LAZ_SECRET_FAULT_REFUSED && aws->service == LAZ_FETCH_KMS) {
        fault = LAZ_SECRET_FAULT_UNDECRYPTABLE;
    }
    fail(aws, fault, said->why, said->request_id);
}

void laz_source_put_ciphertext(struct laz_source *source, const void *bytes, size_t length)
{
    struct aws_source *aws = (struct aws_source *)source;
    aws->request.len = 0;
    laz_secret_ask_decrypt(aws->item, bytes, length, &aws->request);
}

/* KMS's request is there already. */
static void start(struct laz_source *source)
{
    struct aws_source *aws = (struct aws_source *)source;
    if (aws->call == NULL) {
        fail(aws, LAZ_SECRET_FAULT_CREDENTIALS, aws->reach->no_aws, "");
        return;
    }
    if (aws->service == LAZ_FETCH_KMS) {
        if (aws->request.overflow) {
            fail(aws, LAZ_SECRET_FAULT_SYSTEM, "no memory for a request", "");
            return;
        }
        laz_aws_call_send(aws->call, aws->request.data, aws->request.len);
        return;
    }
    ask(aws);
}

static void say(const struct laz_source *source, struct laz_source_said *ret)
{
    const struct aws_source *aws = (const struct aws_source *)source;
    if (aws->call == NULL) {
        return;
    }
    const struct laz_call_said *said = laz_aws_call_said(aws->call);
    ret->fault = said->verdict == LAZ_CALL_CREDENTIALS ? LAZ_SECRET_FAULT_CREDENTIALS
                                                       : LAZ_SECRET_FAULT_UNAVAILABLE;
    (void)snprintf(ret->why, sizeof(ret->why), "%s", said->why);
    (void)snprintf(ret->id, sizeof(ret->id), "%s", said->request_id);
}

static void end(struct laz_source *source)
{
    struct aws_source *aws = (struct aws_source *)source;
    laz_aws_call_free(aws->call);
    laz_buf_done(&aws->request);
    if (aws->by_path != NULL) {
        laz_by_path_done(aws->by_path);
        free(aws->by_path);
    }
    free(aws);
}

static const struct laz_source_kind kind = {
        .start = start, .said = say, .free = end, .waits = true};

static int prepare_call(struct laz_reach *reach, struct aws_source *aws, struct laz_err *err)
{
    const struct laz_reach_place *place = NULL;
    if (laz_reach_find(reach, aws->item, aws->service, &place, err) != 0) {
        return -1;
    }
    if (reach->aws == NULL) {
        return 0;
    }
    const struct laz_aws_call_owner owner = {
            .answered = on_answered, .refused = on_refused, .context = aws};
    const struct laz_aws_call_plan plan = {.host = place->at.host,
            .port = place->at.port,
            .tls = place->tls,
            .resolver = reach->resolver,
            .region = place->at.region,
            .service = laz_secret_signing_name(aws->service),
            .target = aws->by_path != NULL ? "AmazonSSM.GetParametersByPath"
                                           : laz_secret_target(aws->service),
            .answer_max = LAZ_SECRET_ANSWER_MAX};
    return laz_aws_call_new(reach->aws, &plan, &owner, &aws->call, err);
}

static int prepare_pages(struct aws_source *aws, struct laz_err *err)
{
    bool has_pages =
            aws->service == LAZ_FETCH_PARAMETERS && aws->item->source != LAZ_SECRET_PARAMETER;
    if (!has_pages) {
        return 0;
    }
    aws->by_path = calloc(1, sizeof(*aws->by_path));
    return aws->by_path == NULL ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source")
                                : laz_by_path_init(aws->by_path, aws->item, err);
}

static int make(struct laz_reach *reach, uint32_t item, enum laz_fetch_service service,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    struct aws_source *aws = calloc(1, sizeof(*aws));
    if (aws == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source");
    }
    aws->source = (struct laz_source){.kind = &kind, .owner = *owner, .items = 1U << item};
    aws->index = item;
    aws->item = &reach->means.config->items[item];
    aws->service = service;
    aws->reach = reach;
    laz_buf_init_heap(&aws->request, LAZ_SECRET_REQUEST_MAX);
    if (prepare_pages(aws, err) != 0 || prepare_call(reach, aws, err) != 0) {
        end(&aws->source);
        return -1;
    }
    *ret = &aws->source;
    return 0;
}

int laz_source_new_aws(struct laz_reach *reach, uint32_t item, const struct laz_source_owner *owner,
        struct laz_source **ret, struct laz_err *err)
{
    enum laz_fetch_service service;
    return laz_secret_service(&reach->means.config->items[item], &service)
            ? make(reach, item, service, owner, ret, err)
            : laz_err_set(err, LAZ_E_INTERNAL, 0, "no such service");
}

int laz_source_new_decrypt(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    return make(reach, item, LAZ_FETCH_KMS, owner, ret, err);
}
