/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads what `ship` says.
 */
#include "health/gauges.h"

#include "core/json_read.h"

#define NODES 512

static bool is_true(const struct laz_json_node *node)
{
    return node != NULL && node->type == LAZ_JSON_TRUE;
}

static bool read_sink(const struct laz_json_doc *doc, const struct laz_json_node *node,
        struct laz_health_sink *ret)
{
    *ret = (struct laz_health_sink){0};
    ret->is_required = is_true(laz_json_member(doc, node, "required"));
    ret->is_up = is_true(laz_json_member(doc, node, "up"));
    ret->has_ack = laz_json_number(
            doc, laz_json_member(doc, node, "last_ack_age_s"), UINT64_MAX, &ret->ack_age_s);
    return laz_json_copy(doc, laz_json_member(doc, node, "sink"), ret->name, sizeof(ret->name)) &&
            laz_json_number(doc, laz_json_member(doc, node, "behind_bytes"), UINT64_MAX,
                    &ret->behind_bytes) &&
            laz_json_number(doc, laz_json_member(doc, node, "dropped"), UINT64_MAX, &ret->dropped);
}

static bool read_sinks(const struct laz_json_doc *doc, struct laz_health_gauges *gauges)
{
    const struct laz_json_node *logs = laz_json_member(doc, laz_json_root(doc), "logs");
    const struct laz_json_node *one = NULL;
    if (logs == NULL || logs->type != LAZ_JSON_ARRAY) {
        return false;
    }
    while ((one = laz_json_next(doc, logs, one)) != NULL) {
        if (gauges->n_sinks == LAZ_HEALTH_SINKS_MAX ||
                !read_sink(doc, one, &gauges->sinks[gauges->n_sinks])) {
            return false;
        }
        gauges->n_sinks++;
    }
    return true;
}

static bool read_spool(const struct laz_json_doc *doc, struct laz_health_gauges *gauges)
{
    const struct laz_json_node *spool = laz_json_member(doc, laz_json_root(doc), "spool");
    gauges->has_spool = spool != NULL && spool->type == LAZ_JSON_OBJECT;
    if (!gauges->has_spool) {
        return true;
    }
    gauges->spool_is_full = is_true(laz_json_member(doc, spool, "full"));
    return laz_json_number(
                   doc, laz_json_member(doc, spool, "used"), UINT64_MAX, &gauges->spool_used) &&
            laz_json_number(
                    doc, laz_json_member(doc, spool, "limit"), UINT64_MAX, &gauges->spool_limit);
}

int laz_health_gauges_read(
        const char *text, size_t length, struct laz_health_gauges *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_INTERNAL};
    struct laz_json_doc doc;
    if (length > LAZ_GAUGES_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "gauges of %zu bytes", length);
    }
    if (laz_json_read(text, length, &room, &doc, err) < 0) {
        return -1;
    }
    struct laz_health_gauges gauges = {.is_known = true};
    if (!read_sinks(&doc, &gauges) || !read_spool(&doc, &gauges)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "gauges lack a member");
    }
    const struct laz_json_node *ecs = laz_json_member(&doc, laz_json_root(&doc), "ecs");
    if (ecs != NULL && ecs->type == LAZ_JSON_OBJECT) {
        gauges.ecs_length = ecs->end - ecs->start;
        (void)memcpy(gauges.ecs, text + ecs->start, gauges.ecs_length);
    }
    *ret = gauges;
    return 0;
}

void laz_health_gauges_task(
        const struct laz_health_gauges *gauges, const char *key, char *ret, size_t size)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_INTERNAL};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    ret[0] = '\0';
    if (gauges->ecs_length == 0 ||
            laz_json_read(gauges->ecs, gauges->ecs_length, &room, &doc, &ignored) < 0 ||
            !laz_json_copy(&doc, laz_json_member(&doc, laz_json_root(&doc), key), ret, size)) {
        ret[0] = '\0';
    }
}
