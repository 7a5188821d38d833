/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what lazaret-helper is told. What is taken is in range, borrows from nothing but the
 * bytes, and is written again byte for byte.
 */
#include "policy/ship.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

struct bytes {
    const char *start;
    size_t length;
};

/* Ends inside the bytes. */
static void check_text(struct bytes block, const char *text, size_t max)
{
    require(text >= block.start && text < block.start + block.length);
    size_t rest = block.length - (size_t)(text - block.start);
    require(strnlen(text, rest) < rest && strlen(text) <= max);
}

static void check_sink(struct bytes block, const struct laz_ship_sink *sink)
{
    const char *const paths[] = {
            sink->path, sink->tls_ca, sink->tls_cert, sink->tls_key, sink->enrol_password};
    check_text(block, sink->name, LAZ_SHIP_NAME_MAX);
    check_text(block, sink->host, LAZ_SHIP_HOST_MAX);
    check_text(block, sink->tls_peer, LAZ_SHIP_HOST_MAX);
    check_text(block, sink->group, LAZ_SHIP_GROUP_MAX);
    check_text(block, sink->stream, LAZ_SHIP_GROUP_MAX);
    check_text(block, sink->region, LAZ_SHIP_REGION_MAX);
    check_text(block, sink->space, LAZ_SHIP_SPACE_MAX);
    check_text(block, sink->enrol_host, LAZ_SHIP_HOST_MAX);
    check_text(block, sink->enrol_name, LAZ_SHIP_HOST_MAX);
    require(sink->format < LAZ_FORMAT_COUNT);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        check_text(block, paths[i], LAZ_SHIP_MAX);
        require(paths[i][0] == '\0' || paths[i][0] == '/');
    }
    require(sink->name[0] != '\0' && sink->type < LAZ_SINK_TYPE_COUNT &&
            (sink->classes != 0) == (sink->type != LAZ_SINK_EMF));
    require(sink->transport < LAZ_TRANSPORT_COUNT && sink->min_severity <= LAZ_SHIP_SEVERITY_MAX);
}

static void check(const struct laz_ship_config *config, struct bytes block)
{
    require(config->n_sinks >= 1 && config->n_sinks <= LAZ_SHIP_SINKS_MAX);
    require(config->n_literals <= LAZ_SHIP_LITERALS_MAX && config->n_seal_to <= LAZ_SHIP_KEYS_MAX);
    require(config->spool_segment_bytes <= config->spool_max_bytes / LAZ_SHIP_SEGMENTS_MIN);
    require(config->max_line >= LAZ_SHIP_LINE_MIN && config->max_line <= LAZ_SHIP_LINE_MAX);
    require(config->checkpoint_records >= 1);
    require(config->workload.n_groups <= LAZ_PARTY_GROUPS_MAX);
    check_text(block, config->multiline_start, LAZ_SHIP_PATTERN_MAX);
    check_text(block, config->mrn, LAZ_SHIP_PATTERN_MAX);
    check_text(block, config->open_with, LAZ_SHIP_MAX);
    for (uint32_t i = 0; i < config->n_literals; i++) {
        check_text(block, config->literals[i], LAZ_SHIP_LITERAL_MAX);
        require(strlen(config->literals[i]) >= LAZ_SHIP_LITERAL_MIN);
    }
    for (uint32_t i = 0; i < config->n_seal_to; i++) {
        check_text(block, config->seal_to[i], LAZ_SHIP_MAX);
        require(config->seal_to[i][0] == '/');
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        check_sink(block, &config->sinks[i]);
    }
    struct laz_buf again;
    struct laz_err err = {0};
    laz_buf_init_heap(&again, LAZ_SHIP_MAX + 1);
    require(laz_ship_encode(config, &again, &err) == 0);
    require(again.len == block.length && memcmp(again.data, block.start, block.length) == 0);
    laz_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = exact_copy(data, size);
    const struct bytes block = {.start = copy, .length = size};
    struct laz_ship_config config;
    struct laz_err err = {0};
    if (laz_ship_decode(copy, size, &config, &err) == 0) {
        check(&config, block);
    } else {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
    }
    free(copy);
    return 0;
}
