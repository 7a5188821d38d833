/* SPDX-License-Identifier: Apache-2.0
 *
 * Items in parallel. A value is in three buffers, one after the other, while it is at hand, and
 * then in its memfd alone; while an answer is awaited nothing of it is here but ciphertext.
 */
#include "secret/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/fd.h"
#include "core/num.h"
#include "net/aws_call.h"
#include "secret/memory.h"
#include "secret/place.h"
#include "secret/sealed.h"
#include "secret/value.h"

#define KEY_BYTES  32
#define VALUE_MAX  (LAZ_FETCH_VALUE_MAX + 2)     /* one byte more than may be, and a NUL */
#define RENDER_MAX (2 * LAZ_FETCH_VALUE_MAX + 3) /* in hex, with a line feed */
#define PLACES_MAX (2 * LAZ_FETCH_ITEMS_MAX)

struct place {
    struct laz_secret_place at;
    struct laz_tls *tls;
};

/* The call that is under way, if its name is no later one. */
struct part {
    struct laz_gather *gather;
    uint32_t index;
    struct laz_aws_call *call; /* of its source */
    struct laz_aws_call *decrypt;
    struct laz_buf request;
    struct laz_secret_result result;
    bool is_decrypting;
    bool is_done;
};

/* Invariant: left is how many parts are not done. */
struct laz_gather {
    struct event_base *base;
    struct laz_secret_means means;
    struct laz_gather_owner owner;
    struct laz_aws *aws;
    struct event *deadline;
    struct place places[PLACES_MAX];
    size_t n_places;
    struct part parts[LAZ_FETCH_ITEMS_MAX];
    uint32_t left;
    struct laz_buf source;
    struct laz_buf value;
    struct laz_buf rendered;
    int masks;
    bool is_over;
    uint8_t key[KEY_BYTES];
};

static const struct laz_fetch_item *item_of(const struct part *part)
{
    return &part->gather->means.config->items[part->index];
}

bool laz_secret_needs_cloud(const struct laz_fetch_config *config)
{
    for (uint32_t i = 0; i < config->n_items; i++) {
        enum laz_fetch_service service;
        if (laz_secret_service(&config->items[i], &service) ||
                config->items[i].kms_key[0] != '\0') {
            return true;
        }
    }
    return false;
}

static void wipe(struct laz_gather *gather)
{
    laz_secret_buf_clear(&gather->source);
    laz_secret_buf_clear(&gather->value);
    laz_secret_buf_clear(&gather->rendered);
}

/* ---- how an item ends ---- */

static void fail(struct part *part, enum laz_secret_fault fault, const char *why, const char *id)
{
    struct laz_gather *gather = part->gather;
    struct laz_err err = {0};
    wipe(gather);
    if (gather->is_over) {
        return;
    }
    gather->is_over = true;
    (void)laz_err_set(&err, LAZ_E_SECRET, 0, "secrets.items[%s]: %s: %.320s%s%s%s",
            item_of(part)->name, laz_secret_fault_name(fault), why,
            id[0] == '\0' ? "" : " (request ", id, id[0] == '\0' ? "" : ")");
    gather->owner.failed(gather->owner.context, &err);
}

static void end_part(struct part *part)
{
    struct laz_gather *gather = part->gather;
    struct laz_err err = {0};
    wipe(gather);
    part->is_done = true;
    if (--gather->left > 0 || gather->is_over) {
        return;
    }
    if (laz_sealed_close(gather->masks, &err) != 0) {
        fail(part, LAZ_SECRET_FAULT_SYSTEM, err.message, "");
        return;
    }
    gather->is_over = true;
    gather->owner.done(gather->owner.context);
}

static void be_absent(struct part *part, const char *why, const char *id)
{
    if (!item_of(part)->optional) {
        fail(part, LAZ_SECRET_FAULT_ABSENT, why, id);
        return;
    }
    part->result.is_absent = true;
    end_part(part);
}

static int put_mask(int fd, const char *bytes, size_t length, struct laz_err *err)
{
    uint8_t size[4];
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
        length--; /* lines of logs end with them, too */
    }
    if (length < LAZ_SECRET_MASK_MIN) {
        return 0;
    }
    for (unsigned i = 0; i < sizeof(size); i++) {
        size[i] = (uint8_t)(length >> (8 * i));
    }
    return laz_fd_write_all(fd, size, sizeof(size), err) == 0
            ? laz_fd_write_all(fd, bytes, length, err)
            : -1;
}

static int take_fingerprint(struct part *part, struct laz_err *err)
{
    const struct laz_gather *gather = part->gather;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (HMAC(EVP_sha256(), gather->key, KEY_BYTES, (const uint8_t *)gather->value.data,
                gather->value.len, digest, &size) == NULL ||
            size < LAZ_SECRET_FINGERPRINT) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto refuses HMAC");
    }
    laz_format_hex(digest, LAZ_SECRET_FINGERPRINT, part->result.fingerprint);
    return 0;
}

static int hand_over(struct part *part, struct laz_err *err)
{
    struct laz_gather *gather = part->gather;
    const struct laz_buf *value = &gather->value;
    const struct laz_buf *rendered = &gather->rendered;
    laz_secret_render(item_of(part), value, &gather->rendered);
    if (rendered->overflow) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "its form is too long");
    }
    if (put_mask(gather->masks, value->data, value->len, err) != 0 ||
            (item_of(part)->form != LAZ_SECRET_FORM_RAW &&
                    put_mask(gather->masks, rendered->data, rendered->len, err) != 0) ||
            take_fingerprint(part, err) != 0) {
        return -1;
    }
    return laz_sealed_make(rendered->data, rendered->len, &part->result.fd, err);
}

/* gather->value is what was asked for. */
static void finish(struct part *part, const char *id)
{
    struct laz_gather *gather = part->gather;
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_LENGTH;
    if (laz_secret_check(item_of(part), &gather->value, &fault, &err) != 0) {
        fail(part, fault, err.message, id);
    } else if (hand_over(part, &err) != 0) {
        fail(part, LAZ_SECRET_FAULT_SYSTEM, err.message, "");
    } else {
        end_part(part);
    }
}

/* ---- calls ---- */

static void decrypt(struct part *part, const char *id)
{
    struct laz_gather *gather = part->gather;
    if (gather->value.len == 0 || gather->value.len > LAZ_SECRET_CIPHERTEXT_MAX) {
        char why[96];
        (void)snprintf(why, sizeof(why), "%zu bytes, and KMS decrypts 1 to %d", gather->value.len,
                LAZ_SECRET_CIPHERTEXT_MAX);
        fail(part, LAZ_SECRET_FAULT_UNDECRYPTABLE, why, id);
        return;
    }
    part->request.len = 0;
    laz_secret_ask_decrypt(item_of(part), gather->value.data, gather->value.len, &part->request);
    wipe(gather);
    if (part->request.overflow) {
        fail(part, LAZ_SECRET_FAULT_SYSTEM, "no memory for a request", "");
        return;
    }
    part->is_decrypting = true;
    laz_aws_call_send(part->decrypt, part->request.data, part->request.len);
}

/* gather->source is what the source has. */
static void unpack(struct part *part, const char *id)
{
    struct laz_gather *gather = part->gather;
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_MALFORMED;
    if (laz_secret_unpack(item_of(part), &gather->source, &gather->value, &fault, &err) != 0) {
        fail(part, fault, err.message, id);
    } else if (part->decrypt != NULL) {
        decrypt(part, id);
    } else {
        finish(part, id);
    }
}

static int read_answer(struct part *part, const struct laz_http_reply *reply,
        struct laz_secret_reading *ret, struct laz_err *err)
{
    const struct laz_fetch_item *item = item_of(part);
    const char *text = reply->body.len == 0 ? "" : reply->body.data;
    ret->value = part->is_decrypting ? &part->gather->value : &part->gather->source;
    if (part->is_decrypting) {
        return laz_secret_read_decrypted(item, text, reply->body.len, ret, err);
    }
    return item->source == LAZ_SECRET_SECRETS_MANAGER
            ? laz_secret_read_secret(item, text, reply->body.len, ret, err)
            : laz_secret_read_parameter(item, text, reply->body.len, ret, err);
}

static const struct laz_aws_said *said_of(const struct part *part)
{
    const struct laz_aws_call *call = part->is_decrypting ? part->decrypt : part->call;
    return call == NULL ? NULL : laz_aws_call_said(call);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct part *part = context;
    const struct laz_aws_said *said = said_of(part);
    struct laz_secret_reading reading = {.fault = LAZ_SECRET_FAULT_MALFORMED};
    struct laz_err err = {0};
    char id[LAZ_AWS_REQUEST_ID_MAX + 1];
    (void)snprintf(id, sizeof(id), "%s", said->request_id);
    if (part->gather->is_over) {
        return;
    }
    if (read_answer(part, reply, &reading, &err) != 0) {
        fail(part, reading.fault, err.message, id);
        return;
    }
    if (part->is_decrypting) {
        finish(part, id);
        return;
    }
    (void)snprintf(part->result.version, sizeof(part->result.version), "%s", reading.version);
    unpack(part, id);
}

static void on_refused(void *context)
{
    struct part *part = context;
    const struct laz_aws_said *said = said_of(part);
    if (part->gather->is_over) {
        return;
    }
    switch (said->verdict) {
    case LAZ_AWS_ABSENT:
        be_absent(part, said->why, said->request_id);
        break;
    case LAZ_AWS_DENIED:
        fail(part, LAZ_SECRET_FAULT_DENIED, said->why, said->request_id);
        break;
    case LAZ_AWS_CREDENTIALS:
    case LAZ_AWS_CLOCK:
        fail(part, LAZ_SECRET_FAULT_CREDENTIALS, said->why, said->request_id);
        break;
    case LAZ_AWS_TAKEN:
    case LAZ_AWS_AGAIN:
    case LAZ_AWS_SLOWER:
    case LAZ_AWS_REFUSED:
        fail(part, part->is_decrypting ? LAZ_SECRET_FAULT_UNDECRYPTABLE : LAZ_SECRET_FAULT_REFUSED,
                said->why, said->request_id);
        break;
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct laz_gather *gather = context;
    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < gather->means.config->n_items; i++) {
        struct part *part = &gather->parts[i];
        const struct laz_aws_said *said = part->is_done ? NULL : said_of(part);
        char why[LAZ_ERR_MESSAGE_MAX];
        if (said == NULL) {
            continue;
        }
        (void)snprintf(why, sizeof(why), "not there after %u ms; the last try: %.240s",
                gather->means.config->wait_ms,
                said->why[0] == '\0' ? "it has not been answered" : said->why);
        fail(part,
                said->verdict == LAZ_AWS_CREDENTIALS ? LAZ_SECRET_FAULT_CREDENTIALS
                                                     : LAZ_SECRET_FAULT_UNAVAILABLE,
                why, said->request_id);
        return;
    }
}

/* ---- sources that were opened for us ---- */

static int read_given(int fd, struct laz_buf *ret, struct laz_err *err)
{
    size_t room = ret->cap - 1; /* a byte more than there may be */
    while (ret->len < room) {
        ssize_t n = pread(fd, ret->data + ret->len, room - ret->len, (off_t)ret->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "read: %s", strerror(errno));
        }
        if (n == 0) {
            break;
        }
        ret->len += (size_t)n;
    }
    return ret->len == room
            ? laz_err_set(err, LAZ_E_SECRET, 0, "more than %d bytes", LAZ_SECRET_SOURCE_MAX)
            : 0;
}

static void take_given(struct part *part)
{
    const struct laz_fetch_item *item = item_of(part);
    const struct laz_secret_given *given = &part->gather->means.given[part->index];
    bool is_file = item->source == LAZ_SECRET_FILE;
    struct laz_err err = {0};
    char why[LAZ_ERR_MESSAGE_MAX];
    if (given->fd < 0) {
        (void)snprintf(why, sizeof(why), "%s %.200s: %s", is_file ? "file" : "variable", item->from,
                is_file ? strerror(given->sys_errno) : "it is not set in the environment");
        if (is_file && given->sys_errno != ENOENT && given->sys_errno != ENOTDIR) {
            fail(part, LAZ_SECRET_FAULT_REFUSED, why, "");
        } else {
            be_absent(part, why, "");
        }
        return;
    }
    if (read_given(given->fd, &part->gather->source, &err) != 0) {
        (void)snprintf(why, sizeof(why), "%s %.200s: %.200s", is_file ? "file" : "variable",
                item->from, err.message);
        fail(part, err.kind == LAZ_E_SECRET ? LAZ_SECRET_FAULT_LENGTH : LAZ_SECRET_FAULT_SYSTEM,
                why, "");
        return;
    }
    unpack(part, "");
}

/* ---- its life ---- */

/* One context of TLS for each host, however many items are there. */
static int find_place(struct part *part, enum laz_fetch_service service, const struct place **ret,
        struct laz_err *err)
{
    struct laz_gather *gather = part->gather;
    const struct laz_secret_means *means = &gather->means;
    struct place *place = &gather->places[gather->n_places];
    if (laz_secret_find_place(
                means->config, item_of(part), service, means->environment, &place->at, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < gather->n_places; i++) {
        const struct laz_secret_place *other = &gather->places[i].at;
        if (strcmp(other->host, place->at.host) == 0 && other->port == place->at.port &&
                strcmp(other->region, place->at.region) == 0) {
            *ret = &gather->places[i];
            return 0;
        }
    }
    const struct laz_tls_plan tls = {
            .ca = means->ca, .cert = "", .key = "", .peer = place->at.host, .files = means->files};
    if (laz_tls_new(&tls, &place->tls, err) != 0) {
        return -1;
    }
    gather->n_places++;
    *ret = place;
    return 0;
}

static int prepare_call(struct part *part, enum laz_fetch_service service,
        struct laz_aws_call **ret, struct laz_err *err)
{
    const struct place *place = NULL;
    if (find_place(part, service, &place, err) != 0) {
        return -1;
    }
    const struct laz_aws_call_owner owner = {
            .answered = on_answered, .refused = on_refused, .context = part};
    const struct laz_aws_call_plan plan = {.host = place->at.host,
            .port = place->at.port,
            .tls = place->tls,
            .region = place->at.region,
            .service = laz_secret_signing_name(service),
            .target = laz_secret_target(service),
            .answer_max = LAZ_SECRET_ANSWER_MAX};
    return laz_aws_call_new(part->gather->aws, &plan, &owner, ret, err);
}

static int prepare(struct part *part, struct laz_err *err)
{
    const struct laz_fetch_item *item = item_of(part);
    enum laz_fetch_service service;
    if (laz_secret_service(item, &service) && prepare_call(part, service, &part->call, err) != 0) {
        return -1;
    }
    return item->kms_key[0] == '\0' ? 0 : prepare_call(part, LAZ_FETCH_KMS, &part->decrypt, err);
}

static int prepare_all(struct laz_gather *gather, struct laz_err *err)
{
    const struct laz_secret_means *means = &gather->means;
    const struct laz_aws_credentials_plan plan = {.environment = means->environment,
            .may_use_imds = means->config->imds,
            .ca = means->ca,
            .files = means->files};
    if (laz_secret_needs_cloud(means->config) &&
            laz_aws_new(gather->base, &plan, &gather->aws, err) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < means->config->n_items; i++) {
        if (prepare(&gather->parts[i], err) != 0) {
            return laz_err_context(err, "items[%s]", means->config->items[i].name);
        }
    }
    return 0;
}

static int set_up(struct laz_gather *gather, struct laz_err *err)
{
    if (laz_secret_buf_init(&gather->source, LAZ_SECRET_SOURCE_MAX + 2, err) != 0 ||
            laz_secret_buf_init(&gather->value, VALUE_MAX, err) != 0 ||
            laz_secret_buf_init(&gather->rendered, RENDER_MAX, err) != 0 ||
            laz_sealed_new(&gather->masks, err) != 0) {
        return -1;
    }
    gather->deadline = evtimer_new(gather->base, on_deadline, gather);
    if (gather->deadline == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    if (getrandom(gather->key, KEY_BYTES, 0) != KEY_BYTES) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "getrandom: %s", strerror(errno));
    }
    return prepare_all(gather, err);
}

int laz_gather_new(struct event_base *base, const struct laz_secret_means *means,
        const struct laz_gather_owner *owner, struct laz_gather **ret, struct laz_err *err)
{
    struct laz_err why = {0};
    struct laz_gather *gather = calloc(1, sizeof(*gather));
    if (gather == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for secrets");
    }
    gather->base = base;
    gather->means = *means;
    gather->owner = *owner;
    gather->masks = -1;
    gather->left = means->config->n_items;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        gather->parts[i] = (struct part){.gather = gather, .index = i, .result.fd = -1};
        laz_buf_init_heap(&gather->parts[i].request, LAZ_SECRET_REQUEST_MAX);
    }
    if (set_up(gather, &why) != 0) {
        laz_gather_free(gather);
        return laz_err_set(err, LAZ_E_SECRET, 0, "secrets: %s", why.message);
    }
    *ret = gather;
    return 0;
}

void laz_gather_free(struct laz_gather *gather)
{
    if (gather == NULL) {
        return;
    }
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        struct part *part = &gather->parts[i];
        laz_aws_call_free(part->call);
        laz_aws_call_free(part->decrypt);
        laz_buf_done(&part->request);
        laz_fd_close(&part->result.fd);
    }
    laz_aws_free(gather->aws);
    for (size_t i = 0; i < gather->n_places; i++) {
        laz_tls_free(gather->places[i].tls);
    }
    if (gather->deadline != NULL) {
        event_free(gather->deadline);
    }
    laz_secret_buf_done(&gather->source);
    laz_secret_buf_done(&gather->value);
    laz_secret_buf_done(&gather->rendered);
    laz_fd_close(&gather->masks);
    OPENSSL_cleanse(gather->key, KEY_BYTES);
    free(gather);
}

static void ask(struct part *part)
{
    const struct laz_fetch_item *item = item_of(part);
    if (item->source == LAZ_SECRET_SECRETS_MANAGER) {
        laz_secret_ask_secret(item, &part->request);
    } else {
        laz_secret_ask_parameter(item, &part->request);
    }
    if (part->request.overflow) {
        fail(part, LAZ_SECRET_FAULT_SYSTEM, "no memory for a request", "");
        return;
    }
    laz_aws_call_send(part->call, part->request.data, part->request.len);
}

/* What takes time first. */
void laz_gather_start(struct laz_gather *gather)
{
    const uint32_t ms = gather->means.config->wait_ms;
    const uint32_t n = gather->means.config->n_items;
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(gather->deadline, &wait);
    for (uint32_t i = 0; i < n && !gather->is_over; i++) {
        if (gather->parts[i].call != NULL) {
            ask(&gather->parts[i]);
        }
    }
    for (uint32_t i = 0; i < n && !gather->is_over; i++) {
        if (gather->parts[i].call == NULL) {
            take_given(&gather->parts[i]);
        }
    }
}

const struct laz_secret_result *laz_gather_result(const struct laz_gather *gather, uint32_t item)
{
    return &gather->parts[item].result;
}

int laz_gather_masks(const struct laz_gather *gather)
{
    return gather->masks;
}
