/* SPDX-License-Identifier: Apache-2.0
 *
 * sinks, logs, audit and spool: what is recorded and where it goes. A sink is one value: a later
 * file that names it replaces it.
 */
#include <string.h>

#include "core/url.h"
#include "policy/address.h"
#include "policy/merge.h"

#define FLUSH_MS      2000              /* where there are sinks and nothing is said */
#define STREAM_NAME   "{policy}/{host}" /* likewise */
#define SEGMENT_BYTES 4194304           /* likewise, where a quarter of the spool is not less */

/* ---- One document more ---- */

static const char *name_of(const struct laz_node *sink)
{
    return laz_check_child(sink, LAZ_FIELD_SINK_NAME)->text;
}

static void merge_sinks(struct laz_merge *merge, struct laz_node *list)
{
    uint32_t *n = &merge->policy->shipping.config.n_sinks;
    for (struct laz_node *sink = laz_check_item(list, NULL); sink != NULL;
            sink = laz_check_item(list, sink)) {
        if (sink->has_bad) {
            continue;
        }
        uint32_t slot = 0;
        while (slot < *n && strcmp(name_of(merge->sinks[slot]), name_of(sink)) != 0) {
            slot++;
        }
        if (slot == LAZ_SHIP_SINKS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, sink, "more than %d sinks",
                    LAZ_SHIP_SINKS_MAX);
            return;
        }
        merge->sinks[slot] = sink;
        *n += slot == *n ? 1 : 0;
    }
}

const char *laz_merge_text(struct laz_merge *merge, const struct laz_node *node)
{
    const char *text = node == NULL ? "" : laz_arena_copy(merge->arena, node->text, node->length);
    return text == NULL ? "" : text; /* the load fails for want of memory */
}

void laz_merge_texts(
        struct laz_merge *merge, struct laz_node *list, struct laz_string_list *texts, size_t max)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        bool is_known = laz_string_list_has(texts, node->text);
        if (!is_known && texts->n == max) {
            laz_report_node(
                    merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %zu entries", max);
            return;
        }
        if (!is_known) {
            laz_strings_append(merge->arena, texts, node->text, node->length, node->pos);
        }
    }
}

void laz_merge_shipping(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy_shipping *shipping = &merge->policy->shipping;
    struct laz_node *patterns = document->at[LAZ_FIELD_REDACT_PATTERNS];
    struct laz_node *literals = document->at[LAZ_FIELD_REDACT_LITERALS];
    merge_sinks(merge, document->at[LAZ_FIELD_SINKS]);
    for (struct laz_node *node = laz_check_item(patterns, NULL); node != NULL;
            node = laz_check_item(patterns, node)) {
        shipping->config.redact |= (uint8_t)(1U << node->number);
        shipping->redact_pos[node->number] = node->pos;
    }
    laz_merge_texts(merge, literals, &shipping->literals, LAZ_SHIP_LITERALS_MAX);
    laz_merge_texts(
            merge, document->at[LAZ_FIELD_SPOOL_SEAL_TO], &shipping->seal_to, LAZ_SHIP_KEYS_MAX);
}

/* ---- When all are in ---- */

static uint64_t number_of(const struct laz_node *sink, enum laz_field_id field)
{
    const struct laz_node *node = laz_check_child(sink, field);
    return node != NULL ? node->number : laz_preset_number(laz_field_at(field));
}

static uint8_t classes_of(const struct laz_node *sink)
{
    struct laz_node *list = laz_check_child(sink, LAZ_FIELD_SINK_CLASSES);
    uint8_t classes = 0;
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        classes |= (uint8_t)(1U << node->number);
    }
    return list != NULL ? classes : 1U << LAZ_SHIP_CLASS_AUDIT | 1U << LAZ_SHIP_CLASS_IDS;
}

static void fill_peer(struct laz_merge *merge, const struct laz_node *sink,
        const struct laz_address *address, struct laz_ship_sink *ret)
{
    const struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    const char *host = laz_arena_copy(merge->arena, address->host, address->host_length);
    ret->host = host == NULL ? "" : host;
    ret->port = address->port;
    if (tls == NULL) {
        return;
    }
    const struct laz_node *peer = laz_check_child(tls, LAZ_FIELD_SINK_TLS_PEER);
    ret->has_tls = true;
    ret->tls_ca = laz_merge_text(merge, laz_check_child(tls, LAZ_FIELD_SINK_TLS_CA));
    ret->tls_cert = laz_merge_text(merge, laz_check_child(tls, LAZ_FIELD_SINK_TLS_CERT));
    ret->tls_key = laz_merge_text(merge, laz_check_child(tls, LAZ_FIELD_SINK_TLS_KEY));
    ret->tls_peer = peer != NULL ? laz_merge_text(merge, peer) : ret->host;
}

static void fill_cloudwatch(
        struct laz_merge *merge, const struct laz_node *sink, struct laz_ship_sink *ret)
{
    const struct laz_node *endpoint = laz_check_child(sink, LAZ_FIELD_SINK_ENDPOINT);
    const struct laz_node *stream = laz_check_child(sink, LAZ_FIELD_SINK_STREAM);
    const struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    struct laz_url url;
    ret->group = laz_merge_text(merge, laz_check_child(sink, LAZ_FIELD_SINK_GROUP));
    ret->stream = stream != NULL ? laz_merge_text(merge, stream) : STREAM_NAME;
    ret->region = laz_merge_text(merge, laz_check_child(sink, LAZ_FIELD_SINK_REGION));
    ret->fips = number_of(sink, LAZ_FIELD_SINK_FIPS) != 0;
    ret->create = number_of(sink, LAZ_FIELD_SINK_CREATE) != 0;
    ret->imds = number_of(sink, LAZ_FIELD_SINK_IMDS) != 0;
    ret->has_tls = true;
    ret->port = 443;
    if (endpoint != NULL && laz_url_split(endpoint->text, &url)) {
        const char *host = laz_arena_copy(merge->arena, url.host, url.host_length);
        ret->host = host == NULL ? "" : host;
        ret->port = url.port;
        ret->has_tls = url.is_https;
    }
    ret->tls_ca =
            tls == NULL ? "" : laz_merge_text(merge, laz_check_child(tls, LAZ_FIELD_SINK_TLS_CA));
}

/* Of an OSSEC agent. TLS is for this alone. */
static void fill_enrolment(
        struct laz_merge *merge, const struct laz_node *sink, struct laz_ship_sink *ret)
{
    const struct laz_node *enrol = laz_check_child(sink, LAZ_FIELD_SINK_ENROL);
    const struct laz_node *to = enrol == NULL ? NULL : laz_check_child(enrol, LAZ_FIELD_ENROL_TO);
    const struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    struct laz_address address;
    if (to == NULL || !laz_address_split(to->text, to->length, &address)) {
        return;
    }
    const char *host = laz_arena_copy(merge->arena, address.host, address.host_length);
    ret->enrol_host = host == NULL ? "" : host;
    ret->enrol_port = address.port;
    ret->enrol_password = laz_merge_text(merge, laz_check_child(enrol, LAZ_FIELD_ENROL_PASSWORD));
    ret->enrol_name = laz_merge_text(merge, laz_check_child(enrol, LAZ_FIELD_ENROL_NAME));
    if (tls != NULL && laz_check_child(tls, LAZ_FIELD_SINK_TLS_PEER) == NULL) {
        ret->tls_peer = ret->enrol_host;
    }
}

static void fill_sink(struct laz_merge *merge, const struct laz_node *sink, uint32_t slot)
{
    struct laz_policy_shipping *shipping = &merge->policy->shipping;
    struct laz_ship_sink *ret = &shipping->config.sinks[slot];
    *ret = (struct laz_ship_sink){
            .name = laz_merge_text(merge, laz_check_child(sink, LAZ_FIELD_SINK_NAME)),
            .type = (enum laz_sink_type)number_of(sink, LAZ_FIELD_SINK_TYPE),
            .required = number_of(sink, LAZ_FIELD_SINK_REQUIRED) != 0,
            .classes = classes_of(sink),
            .min_severity = (uint8_t)number_of(sink, LAZ_FIELD_SINK_MIN_SEVERITY),
            .format = (enum laz_ship_format)number_of(sink, LAZ_FIELD_SINK_FORMAT),
            .path = laz_merge_text(merge, laz_check_child(sink, LAZ_FIELD_SINK_PATH)),
    };
    laz_ship_sink_fill(ret);
    if (ret->type == LAZ_SINK_SYSLOG) {
        ret->transport = (enum laz_transport)number_of(sink, LAZ_FIELD_SINK_TRANSPORT);
    }
    if (ret->type == LAZ_SINK_RELP) {
        ret->window = (uint32_t)number_of(sink, LAZ_FIELD_SINK_WINDOW);
    }
    if (ret->type == LAZ_SINK_EMF) {
        const struct laz_node *space = laz_check_child(sink, LAZ_FIELD_SINK_SPACE);
        ret->space = space != NULL ? laz_merge_text(merge, space)
                                   : laz_field_at(LAZ_FIELD_SINK_SPACE)->preset;
        ret->interval_ms = (uint32_t)number_of(sink, LAZ_FIELD_SINK_INTERVAL);
        ret->classes = 0;
    }
    if (ret->type == LAZ_SINK_CLOUDWATCH || laz_check_child(sink, LAZ_FIELD_SINK_GROUP) != NULL) {
        fill_cloudwatch(merge, sink, ret);
    }
    const struct laz_node *to = laz_check_child(sink, LAZ_FIELD_SINK_TO);
    struct laz_address address;
    if (to != NULL && laz_address_split(to->text, to->length, &address)) {
        fill_peer(merge, sink, &address, ret);
        fill_enrolment(merge, sink, ret);
        shipping->plain[slot] = (ret->type == LAZ_SINK_OSSEC || !ret->has_tls) &&
                !laz_host_is_loopback(address.host, address.host_length);
    }
    shipping->sinks[slot] = sink;
}

void laz_finish_shipping(struct laz_merge *merge)
{
    struct laz_policy_shipping *shipping = &merge->policy->shipping;
    struct laz_ship_config *config = &shipping->config;
    const struct laz_node *dir = merge->said[LAZ_FIELD_SPOOL_DIR];
    shipping->spool_dir =
            dir != NULL ? laz_merge_text(merge, dir) : laz_field_at(LAZ_FIELD_SPOOL_DIR)->preset;
    config->multiline_start = laz_merge_text(merge, merge->said[LAZ_FIELD_MULTILINE_START]);
    config->mrn = laz_merge_text(merge, merge->said[LAZ_FIELD_REDACT_MRN]);
    config->open_with = laz_merge_text(merge, merge->said[LAZ_FIELD_SPOOL_OPEN_WITH]);
    for (size_t i = 0; i < shipping->literals.n; i++) {
        config->literals[config->n_literals++] = shipping->literals.items[i];
        config->redact |= 1U << LAZ_REDACT_LITERAL;
    }
    for (size_t i = 0; i < shipping->seal_to.n; i++) {
        config->seal_to[config->n_seal_to++] = shipping->seal_to.items[i];
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        fill_sink(merge, merge->sinks[i], i);
    }
    laz_merge_party(merge->policy, &config->workload);
    if (merge->said[LAZ_FIELD_SPOOL_SEGMENT] == NULL) {
        uint64_t quarter = config->spool_max_bytes / LAZ_SHIP_SEGMENTS_MIN;
        config->spool_segment_bytes =
                quarter < SEGMENT_BYTES ? (uint32_t)quarter : (uint32_t)SEGMENT_BYTES;
    }
    if (merge->said[LAZ_FIELD_SHUTDOWN_FLUSH] == NULL) {
        merge->policy->shutdown.flush_ms = config->n_sinks > 0 ? FLUSH_MS : 0;
    }
}

bool laz_policy_ships(const struct laz_policy *policy, enum laz_ship_class class)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        if ((config->sinks[i].classes >> class & 1) != 0) {
            return true;
        }
    }
    return false;
}

struct laz_pos laz_policy_pos_of_sink(const struct laz_policy *policy, size_t sink, const char *key)
{
    if (sink >= policy->shipping.config.n_sinks) {
        return (struct laz_pos){0};
    }
    const struct laz_node *node = policy->shipping.sinks[sink];
    enum laz_field_id field = laz_field_find(LAZ_FIELD_SINKS, key, strlen(key));
    const struct laz_node *child = field == LAZ_FIELD_ROOT ? NULL : laz_check_child(node, field);
    return child != NULL ? child->pos : node->pos;
}
