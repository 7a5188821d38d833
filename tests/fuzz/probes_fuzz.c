/* SPDX-License-Identifier: Apache-2.0
 *
 * What health reads of others, by the first byte: gauges of ship's, a table of /proc/net, its
 * counters, an answer to a check over gRPC or HTTP. What is taken stays inside the bytes, and is
 * written as JSON that a strict reader takes; pieces of any size give the same.
 */
#include <stdlib.h>

#include "core/json_read.h"
#include "fuzz.h"
#include "health/answer.h"
#include "health/document.h"
#include "health/grpc.h"
#include "health/net.h"

#define NODES     4096
#define REPLY_MAX (1U << 20)

static void check_gauges(const char *bytes, size_t size)
{
    static const struct laz_health_config config = {.ready_rise = 1};
    static const struct laz_health_facts facts = {"", "", "", "", true};
    static struct laz_health health;
    static struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_INTERNAL};
    struct laz_health_view view = {.health = &health, .facts = &facts};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    char word[64];
    laz_health_init(&health, &config, &view.now);
    if (laz_health_gauges_read(bytes, size, &health.gauges, &err) < 0) {
        require(err.kind == LAZ_E_INTERNAL && err.message[0] != '\0');
        return;
    }
    require(health.gauges.n_sinks <= LAZ_HEALTH_SINKS_MAX);
    require(health.gauges.ecs_length <= LAZ_GAUGES_MAX);
    laz_health_gauges_task(&health.gauges, "az", word, sizeof(word));
    struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_HEALTH_DOCUMENT_MAX);
    laz_health_write_answer(&view, LAZ_HEALTH_ASK_WHOLE, true, &buf);
    require(!buf.overflow);
    require(laz_json_read(buf.data, buf.len - 1, &room, &doc, &err) == 0);
    laz_buf_done(&buf);
}

static void check_table(const char *bytes, size_t size)
{
    static const struct laz_health_config config = {.n_own_ports = 1, .own_ports = {9100}};
    static struct laz_health_count count;
    struct laz_health_sample found[2] = {0};
    bool is_good[2];
    for (unsigned i = 0; i < 2; i++) {
        size_t piece = i == 0 ? size + 1 : 7;
        laz_health_count_begin(&count, false);
        laz_health_count_file(&count, (enum laz_health_table)(size % LAZ_HEALTH_TABLE_COUNT));
        for (size_t at = 0; at < size; at += piece) {
            size_t left = size - at;
            laz_health_count_take(&count, &config, bytes + at, left < piece ? left : piece);
        }
        is_good[i] = laz_health_count_end(&count, &found[i]);
    }
    require(is_good[0] == is_good[1] && found[0].established == found[1].established &&
            found[0].has_udp == found[1].has_udp);
}

static void check_answer(const char *bytes, size_t size)
{
    enum laz_health_answered results[2];
    struct laz_health_answer answers[2];
    for (unsigned i = 0; i < 2; i++) {
        size_t piece = i == 0 ? size + 1 : 3;
        results[i] = LAZ_HEALTH_ANSWER_MORE;
        laz_health_answer_init(&answers[i]);
        for (size_t at = 0; at < size && results[i] == LAZ_HEALTH_ANSWER_MORE; at += piece) {
            size_t left = size - at;
            results[i] =
                    laz_health_answer_take(&answers[i], bytes + at, left < piece ? left : piece);
        }
    }
    require(results[0] == results[1] && answers[0].status == answers[1].status);
    require(results[0] != LAZ_HEALTH_ANSWER_DONE ||
            (answers[0].status >= 200 && answers[0].status <= 599));
}

static void check_grpc(const char *bytes, size_t size)
{
    enum laz_health_answered results[2];
    struct laz_health_grpc calls[2];
    struct laz_buf replies[2];
    for (unsigned i = 0; i < 2; i++) {
        size_t piece = i == 0 ? size + 1 : 5;
        results[i] = LAZ_HEALTH_ANSWER_MORE;
        laz_health_grpc_init(&calls[i]);
        laz_buf_init_heap(&replies[i], REPLY_MAX);
        for (size_t at = 0; at < size && results[i] == LAZ_HEALTH_ANSWER_MORE; at += piece) {
            size_t left = size - at;
            results[i] = laz_health_grpc_take(&calls[i], (const uint8_t *)bytes + at,
                    left < piece ? left : piece, &replies[i]);
        }
    }
    require(results[0] == results[1] && calls[0].status == calls[1].status);
    require(calls[0].n_message <= LAZ_HEALTH_GRPC_MESSAGE);
    require(replies[0].len == replies[1].len);
    laz_buf_done(&replies[0]);
    laz_buf_done(&replies[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t opens = 0;
    if (size == 0) {
        return 0;
    }
    char *bytes = exact_copy(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        check_gauges(bytes, size - 1);
        break;
    case 1:
        check_table(bytes, size - 1);
        break;
    case 2:
        require(laz_health_passive_opens(bytes, size - 1, &opens) || opens == 0);
        break;
    case 3:
        check_grpc(bytes, size - 1);
        break;
    default:
        check_answer(bytes, size - 1);
        break;
    }
    free(bytes);
    return 0;
}
