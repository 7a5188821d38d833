/* SPDX-License-Identifier: Apache-2.0
 *
 * Items in parallel: their sources, the deadline, and how all of it ends.
 */
#include "secret/gather.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/aws_call.h"
#include "secret/part.h"
#include "secret/place.h"

/* Invariant: left is how many of the parts that are asked for have not ended. */
struct laz_gather {
    struct laz_gather_owner owner;
    struct laz_reach reach;
    struct laz_desk desk;
    struct event *deadline;
    struct laz_source *sources[LAZ_FETCH_ITEMS_MAX];
    uint32_t n_sources;
    struct laz_part parts[LAZ_FETCH_ITEMS_MAX];
    uint32_t left;
    bool is_over;
};

/* ---- how it ends ---- */

static void fail(struct laz_gather *gather, const struct laz_fetch_item *item, const char *why)
{
    const struct laz_fetch_config *config = gather->reach.means.config;
    bool is_part = item->source == LAZ_SECRET_IDENTITY;
    struct laz_err err = {0};
    gather->is_over = true;
    (void)laz_err_set(&err, LAZ_E_SECRET, 0, "%s[%s]: %s", laz_fetch_list_name(item),
            is_part ? config->identities[item->identity].name : item->name, why);
    gather->owner.failed(gather->owner.context, &err);
}

static void tell(struct laz_gather *gather, const struct laz_part *part)
{
    uint32_t item = (uint32_t)(part - gather->parts);
    if ((gather->reach.means.wanted >> item & 1U) != 0) {
        gather->owner.item(gather->owner.context, item, &part->result);
    }
}

static bool is_of_aws(const struct laz_gather *gather, const struct laz_part *part)
{
    const struct laz_fetch_identity *identities = gather->reach.means.config->identities;
    enum laz_fetch_service service;
    return laz_secret_service(part->item, &service) || part->item->kms_key[0] != '\0' ||
            (part->item->source == LAZ_SECRET_IDENTITY &&
                    identities[part->item->identity].source == LAZ_IDENTITY_FROM_ACM_PCA);
}

/* Nobody would learn otherwise that a clock is wrong, but whoever looks at a later failure. */
static void note_clock(const struct laz_gather *gather, struct laz_part *part)
{
    int64_t skew_s = gather->reach.aws == NULL ? 0 : laz_aws_skew_s(gather->reach.aws);
    if (skew_s != 0 && part->result.end == LAZ_SECRET_END_FETCHED && is_of_aws(gather, part)) {
        (void)snprintf(part->result.why, sizeof(part->result.why),
                "the clock here is %llu s %s the service's, by which its requests were signed",
                (unsigned long long)llabs(skew_s), skew_s > 0 ? "behind" : "ahead of");
    }
}

/* Keys that have waited for this one, which is there, or which there is none of. */
static void go_on_with(struct laz_gather *gather, const struct laz_part *previous)
{
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX && !gather->is_over; i++) {
        if (gather->parts[i].previous == previous) {
            laz_part_resume(&gather->parts[i]);
        }
    }
}

/* Those sources that are made of other items, when the last of these is there. */
static void start_made_of(struct laz_gather *gather, uint32_t item)
{
    uint32_t there = 0;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        there |= gather->reach.values[i] >= 0 ? 1U << i : 0;
    }
    for (uint32_t i = 0; i < gather->n_sources && !gather->is_over; i++) {
        struct laz_source *source = gather->sources[i];
        if ((source->needs >> item & 1U) != 0 && (source->needs & ~there) == 0) {
            source->kind->start(source);
        }
    }
}

/* Those that are made of one that is not there. */
static void fail_made_of(struct laz_gather *gather, uint32_t item)
{
    char why[LAZ_ERR_MESSAGE_MAX];
    const struct laz_part *missing = &gather->parts[item];
    (void)snprintf(why, sizeof(why), "%s[%s] is not there: %.240s",
            laz_fetch_list_name(missing->item), missing->item->name, missing->result.why);
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX && !gather->is_over; i++) {
        const struct laz_source *source = gather->parts[i].source;
        bool is_made_of = source != NULL && (source->needs >> item & 1U) != 0;
        if (is_made_of || gather->parts[i].previous == missing) {
            laz_part_fail(&gather->parts[i], LAZ_SECRET_FAULT_UNAVAILABLE, why, "");
        }
    }
}

static void on_ended(void *context, const struct laz_part *part)
{
    struct laz_gather *gather = context;
    const struct laz_secret_means *means = &gather->reach.means;
    uint32_t item = (uint32_t)(part - gather->parts);
    gather->left--;
    if (gather->is_over) {
        return;
    }
    if (part->result.end == LAZ_SECRET_END_FAILED && means->is_whole) {
        fail(gather, part->item, part->result.why);
        return;
    }
    if (!means->is_whole) {
        tell(gather, part);
    }
    if (gather->left > 0 && part->result.end == LAZ_SECRET_END_FETCHED) {
        gather->reach.values[item] = part->result.fd;
        go_on_with(gather, part);
        start_made_of(gather, item);
        return;
    }
    if (gather->left > 0 && part->result.end == LAZ_SECRET_END_ABSENT) {
        go_on_with(gather, part); /* nothing else is made of what may be absent */
        return;
    }
    if (gather->left > 0) {
        fail_made_of(gather, item);
        return;
    }
    for (uint32_t i = 0; i < means->config->n_items && means->is_whole; i++) {
        note_clock(gather, &gather->parts[i]);
        tell(gather, &gather->parts[i]);
    }
    gather->is_over = true;
    gather->owner.done(gather->owner.context);
}

static void on_given(void *context, uint32_t item, const char *version, const char *id)
{
    struct laz_gather *gather = context;
    laz_part_take(&gather->parts[item], version, id);
}

static void on_failed(void *context, const struct laz_source *source, enum laz_secret_fault fault,
        const char *why, const char *id)
{
    struct laz_gather *gather = context;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX && !gather->is_over; i++) {
        if ((source->items >> i & 1U) != 0 && !gather->parts[i].is_decrypting) {
            laz_part_fail(&gather->parts[i], fault, why, id);
        }
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct laz_gather *gather = context;
    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX && !gather->is_over; i++) {
        laz_part_expire(&gather->parts[i], gather->reach.means.wait_ms);
    }
}

/* ---- its life ---- */

/* Of an item that no earlier one's source brings. */
static int add_source(struct laz_gather *gather, uint32_t item, struct laz_err *err)
{
    const struct laz_source_owner owner = {.given = on_given,
            .failed = on_failed,
            .into = &gather->desk.source,
            .context = gather};
    struct laz_source *source = NULL;
    if (laz_source_new(&gather->reach, item, &owner, &source, err) != 0) {
        return -1;
    }
    gather->sources[gather->n_sources++] = source;
    for (uint32_t i = 0; i < gather->reach.means.config->n_items; i++) {
        if ((source->items >> i & 1U) != 0) {
            gather->parts[i].source = source;
        }
    }
    return 0;
}

/* A part that is asked for with the key of before waits for that. */
static void join_previous(struct laz_gather *gather, uint32_t item)
{
    uint32_t previous = gather->reach.means.config->items[item].previous;
    gather->parts[item].previous = previous == 0 ? NULL : &gather->parts[previous - 1];
}

static int prepare_all(struct laz_gather *gather, struct laz_err *err)
{
    const struct laz_fetch_config *config = gather->reach.means.config;
    for (uint32_t i = 0; i < config->n_items; i++) {
        struct laz_part *part = &gather->parts[i];
        if ((gather->reach.means.asked >> i & 1U) == 0) {
            continue;
        }
        join_previous(gather, i);
        if (laz_part_prepare(part, &gather->reach, i, err) == 0 &&
                (part->source != NULL || add_source(gather, i, err) == 0)) {
            continue;
        }
        if (!laz_reach_is_about_service(err)) {
            return laz_err_context(err, "items[%s]", config->items[i].name);
        }
        (void)snprintf(part->result.why, sizeof(part->result.why), "%s", err->message);
        *err = (struct laz_err){0};
    }
    return 0;
}

static int set_up(struct laz_gather *gather, struct event_base *base,
        const struct laz_secret_means *means, struct laz_err *err)
{
    if (laz_desk_init(&gather->desk, err) != 0) {
        return -1;
    }
    gather->deadline = evtimer_new(base, on_deadline, gather);
    if (gather->deadline == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return laz_reach_init(&gather->reach, base, means, err) != 0 ? -1 : prepare_all(gather, err);
}

int laz_gather_new(struct event_base *base, const struct laz_secret_means *means,
        const struct laz_gather_owner *owner, struct laz_gather **ret, struct laz_err *err)
{
    struct laz_err why = {0};
    struct laz_gather *gather = calloc(1, sizeof(*gather));
    if (gather == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for secrets");
    }
    gather->owner = *owner;
    gather->desk = (struct laz_desk){.key = means->key, .ended = on_ended, .context = gather};
    gather->left = (uint32_t)__builtin_popcount(means->asked);
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX; i++) {
        gather->parts[i] = (struct laz_part){
                .desk = &gather->desk, .held = -1, .result.fd = -1, .result.masks = -1};
    }
    if (set_up(gather, base, means, &why) != 0) {
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
        laz_part_done(&gather->parts[i]);
    }
    for (uint32_t i = 0; i < gather->n_sources; i++) {
        laz_source_free(gather->sources[i]);
    }
    laz_reach_done(&gather->reach);
    if (gather->deadline != NULL) {
        event_free(gather->deadline);
    }
    laz_desk_done(&gather->desk);
    free(gather);
}

static void start(struct laz_gather *gather, bool waits)
{
    for (uint32_t i = 0; i < gather->n_sources && !gather->is_over; i++) {
        if (gather->sources[i]->kind->waits == waits && gather->sources[i]->needs == 0) {
            gather->sources[i]->kind->start(gather->sources[i]);
        }
    }
}

/* Those that nobody can be asked for. */
static void fail_unprepared(struct laz_gather *gather)
{
    for (uint32_t i = 0; i < LAZ_FETCH_ITEMS_MAX && !gather->is_over; i++) {
        char why[LAZ_ERR_MESSAGE_MAX];
        struct laz_part *part = &gather->parts[i];
        if (part->state == LAZ_PART_OPEN && part->result.why[0] != '\0') {
            (void)snprintf(why, sizeof(why), "%s", part->result.why);
            laz_part_fail(part, LAZ_SECRET_FAULT_SYSTEM, why, "");
        }
    }
}

/* What takes time first. */
void laz_gather_start(struct laz_gather *gather)
{
    const uint32_t ms = gather->reach.means.wait_ms;
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(gather->deadline, &wait);
    fail_unprepared(gather);
    start(gather, true);
    start(gather, false);
}
