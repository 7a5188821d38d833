/* SPDX-License-Identifier: Apache-2.0
 *
 * Health documents: read from anywhere, written as evidence with what was read.
 */
#include "gate/health.h"

#include <stdlib.h>
#include <time.h>

#include "core/format.h"

#define SCHEMA     "lazaret.health/1"
#define SCHEMA_MAX 32

void laz_gate_samples_done(struct laz_gate_samples *samples)
{
    free(samples->items);
    *samples = (struct laz_gate_samples){0};
}

struct laz_gate_sample *laz_gate_samples_add(struct laz_gate_samples *samples, const char *target)
{
    if (samples->n == samples->room) {
        size_t room = samples->room == 0 ? 16 : 2 * samples->room;
        struct laz_gate_sample *items = room > LAZ_GATE_SAMPLES_MAX
                ? NULL
                : reallocarray(samples->items, room, sizeof(*samples->items));
        if (items == NULL) {
            samples->overflow = true;
            return NULL;
        }
        samples->items = items;
        samples->room = room;
    }
    struct laz_gate_sample *sample = &samples->items[samples->n++];
    *sample = (struct laz_gate_sample){.at_ms = -1, .date_ms = -1};
    (void)laz_format(sample->target, sizeof(sample->target), "%s", target);
    laz_format_printable(sample->target);
    return sample;
}

/* ---- Reading ---- */

#define TEXT(object, key, ret)                                                                     \
    laz_ignore(laz_gate_json_text(laz_gate_json_member(object, key), ret, sizeof(ret)))

/* Days that are left; -1 for one that says nothing. */
static int64_t read_days(struct laz_gate_json value)
{
    bool is_negative =
            laz_gate_json_is(value, LAZ_JSON_NUMBER) && value.doc->text[value.node->start] == '-';
    return is_negative ? LAZ_GATE_EXPIRED : laz_gate_json_number(value);
}

/* The certificates: the one that ends first, and whether all keys fit. */
static void read_certificates(struct laz_gate_json list, struct laz_gate_health *ret)
{
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    ret->n_certificates = laz_gate_json_is(list, LAZ_JSON_ARRAY) ? 0 : -1;
    ret->least_days = INT64_MAX;
    ret->key_match = 1;
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        int64_t days = read_days(laz_gate_json_member(item, "days_left"));
        int match = laz_gate_json_flag(laz_gate_json_member(item, "key_match"));
        ret->n_certificates++;
        if (days < ret->least_days) {
            ret->least_days = days;
            TEXT(item, "name", ret->least_name);
        }
        if (match != 1 && ret->key_match != 0) {
            ret->key_match = match;
            TEXT(item, "name", ret->mismatch_name);
        }
    }
    if (ret->n_certificates <= 0) {
        ret->least_days = -1;
        ret->key_match = -1;
    }
}

static void read_sinks(struct laz_gate_json list, struct laz_gate_health *ret)
{
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    bool is_list = laz_gate_json_is(list, LAZ_JSON_ARRAY);
    ret->n_sinks = is_list ? 0 : -1;
    ret->dropped = is_list ? 0 : -1;
    ret->sinks_up = is_list ? 1 : -1;
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        int64_t dropped = laz_gate_json_number(laz_gate_json_member(item, "dropped"));
        int up = laz_gate_json_flag(laz_gate_json_member(item, "up"));
        ret->n_sinks++;
        if (dropped < 0 || ret->dropped < 0 || dropped > INT64_MAX - ret->dropped) {
            ret->dropped = -1;
        } else {
            ret->dropped += dropped;
        }
        if (up != 1 && ret->sinks_up != 0) {
            ret->sinks_up = up;
            TEXT(item, "sink", ret->down_name);
        }
    }
}

/* Of the checks that fail, the one that the reason names, or else the first. */
static void read_checks(struct laz_gate_json list, struct laz_gate_health *ret)
{
    static const char prefix[] = "check:";
    bool names_one = strncmp(ret->reason, prefix, strlen(prefix)) == 0;
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char name[LAZ_GATE_TEXT_SHOWN];
        TEXT(item, "name", name);
        bool is_named = names_one && strcmp(ret->reason + strlen(prefix), name) == 0;
        if (laz_gate_json_flag(laz_gate_json_member(item, "ok")) == 0 &&
                (is_named || ret->failing_name[0] == '\0')) {
            (void)laz_format(ret->failing_name, sizeof(ret->failing_name), "%s", name);
            TEXT(item, "why", ret->failing_why);
        }
    }
}

bool laz_gate_health_is_minimal(const struct laz_gate_health *health)
{
    return health->policy_sha256[0] == '\0' && health->mode[0] == '\0' && health->restarts < 0 &&
            health->n_sinks < 0 && health->accepted < 0;
}

static void read_members(struct laz_gate_json object, struct laz_gate_health *ret)
{
    struct laz_gate_json build = laz_gate_json_member(object, "build");
    struct laz_gate_json policy = laz_gate_json_member(object, "policy");
    struct laz_gate_json net = laz_gate_json_member(object, "net");
    struct laz_gate_json ecs = laz_gate_json_member(object, "ecs");
    struct laz_gate_json app = laz_gate_json_member(object, "app");
    TEXT(object, "state", ret->state);
    for (char *c = ret->state; *c != '\0'; c++) {
        if (*c == '_') {
            *c = '-';
        }
    }
    ret->ready = laz_gate_json_flag(laz_gate_json_member(object, "ready"));
    ret->live = laz_gate_json_flag(laz_gate_json_member(object, "live"));
    TEXT(object, "reason", ret->reason);
    read_checks(laz_gate_json_member(object, "checks"), ret);
    TEXT(object, "version", ret->version);
    TEXT(object, "color", ret->color);
    ret->now_ms = laz_gate_json_time(laz_gate_json_member(object, "now"));
    ret->uptime_s = laz_gate_json_number(laz_gate_json_member(object, "uptime_s"));
    TEXT(build, "policy_sha256", ret->policy_sha256);
    TEXT(build, "config_sha256", ret->config_sha256);
    ret->restarts = laz_gate_json_number(laz_gate_json_member(app, "restarts"));
    ret->helper_restarts = laz_gate_json_number(laz_gate_json_member(app, "helper_restarts"));
    TEXT(policy, "mode", ret->mode);
    ret->violations = laz_gate_json_number(laz_gate_json_member(policy, "violations"));
    read_certificates(laz_gate_json_member(object, "tls"), ret);
    read_sinks(laz_gate_json_member(object, "logs"), ret);
    ret->established = laz_gate_json_number(laz_gate_json_member(net, "established"));
    ret->accepted = laz_gate_json_number(laz_gate_json_member(net, "passive_opens"));
    ret->last_connection_s = laz_gate_json_number(laz_gate_json_member(net, "last_new_conn_age_s"));
    ret->has_ecs = laz_gate_json_is(ecs, LAZ_JSON_OBJECT);
    TEXT(ecs, "clock", ret->clock);
    TEXT(ecs, "image_id", ret->image_id);
}

void laz_gate_health_read(struct laz_gate_json object, struct laz_gate_sample *sample)
{
    char schema[SCHEMA_MAX];
    sample->has_document = false;
    if (!laz_gate_json_is(object, LAZ_JSON_OBJECT)) {
        (void)laz_format(sample->why, sizeof(sample->why), "the document is no object");
    } else if (!laz_gate_json_text(
                       laz_gate_json_member(object, "schema"), schema, sizeof(schema)) ||
            strcmp(schema, SCHEMA) != 0) {
        (void)laz_format(sample->why, sizeof(sample->why), "its schema is not " SCHEMA);
    } else {
        sample->has_document = true;
        sample->why[0] = '\0';
        read_members(object, &sample->health);
        sample->date_ms = sample->health.now_ms >= 0 ? sample->health.now_ms : sample->date_ms;
    }
}

void laz_gate_health_take(const char *text, size_t length, struct laz_gate_sample *sample)
{
    struct laz_gate_input input = {.length = length};
    if (length > LAZ_GATE_DOCUMENT_MAX) {
        (void)laz_format(sample->why, sizeof(sample->why), "the document is larger than %u bytes",
                LAZ_GATE_DOCUMENT_MAX);
        return;
    }
    input.text = malloc(length + 1);
    if (input.text == NULL) {
        (void)laz_format(sample->why, sizeof(sample->why), "no memory for the document");
        return;
    }
    (void)memcpy(input.text, text, length);
    laz_gate_input_parse(&input);
    if (input.is_good) {
        laz_gate_health_read(laz_gate_json_root(&input), sample);
    } else {
        (void)laz_format(sample->why, sizeof(sample->why), "the document: %s", input.why);
    }
    laz_gate_input_done(&input);
}

/* An entry of an array: a document, or one with its target and time around it. */
static bool read_entry(struct laz_gate_json entry, const char *name, struct laz_gate_samples *ret)
{
    char target[LAZ_GATE_NAME_MAX];
    struct laz_gate_json health = laz_gate_json_member(entry, "health");
    bool is_wrapped =
            laz_gate_json_text(laz_gate_json_member(entry, "target"), target, sizeof(target));
    struct laz_gate_sample *sample = laz_gate_samples_add(ret, is_wrapped ? target : name);
    if (sample == NULL) {
        return false;
    }
    if (!is_wrapped) {
        laz_gate_health_read(entry, sample);
        sample->at_ms = sample->date_ms;
        return true;
    }
    sample->at_ms = laz_gate_json_time(laz_gate_json_member(entry, "at"));
    sample->date_ms = laz_gate_json_time(laz_gate_json_member(entry, "date"));
    if (health.node != NULL) {
        laz_gate_health_read(health, sample);
    } else if (!laz_gate_json_text(
                       laz_gate_json_member(entry, "error"), sample->why, sizeof(sample->why))) {
        (void)laz_format(sample->why, sizeof(sample->why), "no document was kept");
    }
    return true;
}

int laz_gate_samples_read(const struct laz_gate_input *input, const char *name,
        struct laz_gate_samples *ret, struct laz_err *err)
{
    struct laz_gate_json root = laz_gate_json_root(input);
    struct laz_gate_json list = root;
    if (laz_gate_json_is(root, LAZ_JSON_OBJECT)) {
        list = laz_gate_json_member(root, "samples");
        if (list.node == NULL) {
            (void)read_entry(root, name, ret);
        }
    }
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    if (list.node != NULL && item.node == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "it has no health documents");
    }
    while (item.node != NULL && read_entry(item, name, ret)) {
        item = laz_gate_json_element(list, item);
    }
    return ret->overflow ? laz_err_set(err, LAZ_E_MEMORY, 0, "it has too many health documents")
                         : 0;
}

/* ---- Writing ---- */

void laz_gate_time_write(int64_t ms, char ret[LAZ_GATE_TIME_MAX])
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[LAZ_GATE_TIME_MAX];
    ret[0] = '\0';
    if (ms >= 0 && gmtime_r(&seconds, &parts) != NULL &&
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) > 0) {
        (void)laz_format(ret, LAZ_GATE_TIME_MAX, "%s.%03uZ", text, (unsigned)(ms % 1000));
    }
}

static void put_text(struct laz_json *json, const char *key, const char *text)
{
    if (text[0] != '\0') {
        laz_json_string(json, key, text);
    }
}

static void put_number(struct laz_json *json, const char *key, int64_t number)
{
    if (number >= 0) {
        laz_json_i64(json, key, number);
    }
}

static void put_flag(struct laz_json *json, const char *key, int flag)
{
    if (flag >= 0) {
        laz_json_bool(json, key, flag == 1);
    }
}

static void put_time(struct laz_json *json, const char *key, int64_t ms)
{
    char text[LAZ_GATE_TIME_MAX];
    laz_gate_time_write(ms, text);
    put_text(json, key, text);
}

/* One entry stands for all certificates, one for all sinks, and one for all checks: the worst. */
static void put_lists(struct laz_json *json, const struct laz_gate_health *health)
{
    if (health->n_certificates >= 0) {
        laz_json_array(json, "tls");
        if (health->n_certificates > 0) {
            laz_json_object(json, NULL);
            put_text(json, "name", health->least_name);
            if (health->least_days != -1) {
                laz_json_i64(json, "days_left",
                        health->least_days == LAZ_GATE_EXPIRED ? -1 : health->least_days);
            }
            put_flag(json, "key_match", health->key_match);
            laz_json_object_end(json);
        }
        laz_json_array_end(json);
    }
    if (health->n_sinks >= 0) {
        laz_json_array(json, "logs");
        if (health->n_sinks > 0) {
            laz_json_object(json, NULL);
            put_text(json, "sink", health->down_name);
            put_flag(json, "up", health->sinks_up);
            put_number(json, "dropped", health->dropped);
            laz_json_object_end(json);
        }
        laz_json_array_end(json);
    }
    if (health->failing_name[0] != '\0') {
        laz_json_array(json, "checks");
        laz_json_object(json, NULL);
        laz_json_string(json, "name", health->failing_name);
        laz_json_bool(json, "ok", false);
        put_text(json, "why", health->failing_why);
        laz_json_object_end(json);
        laz_json_array_end(json);
    }
}

static void put_document(struct laz_json *json, const struct laz_gate_health *health)
{
    laz_json_object(json, "health");
    laz_json_string(json, "schema", SCHEMA);
    put_text(json, "state", health->state);
    put_flag(json, "ready", health->ready);
    put_flag(json, "live", health->live);
    put_text(json, "reason", health->reason);
    put_text(json, "version", health->version);
    put_text(json, "color", health->color);
    put_time(json, "now", health->now_ms);
    put_number(json, "uptime_s", health->uptime_s);
    laz_json_object(json, "build");
    put_text(json, "policy_sha256", health->policy_sha256);
    put_text(json, "config_sha256", health->config_sha256);
    laz_json_object_end(json);
    laz_json_object(json, "app");
    put_number(json, "restarts", health->restarts);
    put_number(json, "helper_restarts", health->helper_restarts);
    laz_json_object_end(json);
    laz_json_object(json, "policy");
    put_text(json, "mode", health->mode);
    put_number(json, "violations", health->violations);
    laz_json_object_end(json);
    put_lists(json, health);
    laz_json_object(json, "net");
    put_number(json, "established", health->established);
    put_number(json, "passive_opens", health->accepted);
    put_number(json, "last_new_conn_age_s", health->last_connection_s);
    laz_json_object_end(json);
    if (health->has_ecs) {
        laz_json_object(json, "ecs");
        put_text(json, "clock", health->clock);
        put_text(json, "image_id", health->image_id);
        laz_json_object_end(json);
    }
    laz_json_object_end(json);
}

void laz_gate_samples_write(const struct laz_gate_samples *samples, struct laz_json *json)
{
    laz_json_array(json, "samples");
    for (size_t i = 0; i < samples->n; i++) {
        const struct laz_gate_sample *sample = &samples->items[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "target", sample->target);
        put_time(json, "at", sample->at_ms);
        put_time(json, "date", sample->date_ms);
        if (sample->has_document) {
            put_document(json, &sample->health);
        } else {
            laz_json_string(json, "error", sample->why);
        }
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}
