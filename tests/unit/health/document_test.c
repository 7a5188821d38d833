/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/health/document, gauges and answer: what is written and what is read.
 */
#include "health/document.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/json_read.h"
#include "health/answer.h"

#define S     UINT64_C(1000000000)
#define NODES 2048

static const struct laz_health_facts facts = {
        .policy = "portal", .digest = "abc", .color = "gr\"een\\", .version = "", .is_pid1 = true};

static void check_json(const struct laz_buf *buf)
{
    static struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_INTERNAL};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    cr_assert(!buf->overflow);
    cr_expect_eq(laz_json_read(buf->data, buf->len - 1, &room, &doc, &err), 0, "%s: %s",
            err.message, buf->data);
}

Test(health_document, every_answer_is_json_and_the_short_ones_name_nothing)
{
    static const struct laz_health_check check = {
            .name = "secretcheck", .list = LAZ_HEALTH_READY, .every_ms = 1000, .timeout_ms = 500};
    static struct laz_health_config config = {
            .ready_rise = 1, .ready_fall = 1, .n_checks = 1, .n_items = 1, .items = {"itemname"}};
    static struct laz_health health;
    struct laz_health_view view = {.health = &health, .facts = &facts};
    struct laz_err err = {0};
    static const char gauges[] =
            "{\"ecs\":{\"az\":\"a\\\"b\",\"revision\":\"24\"},\"logs\":[{\"sink\":\"sinkname\","
            "\"required\":true,\"up\":false,\"behind_bytes\":7,\"dropped\":1}],"
            "\"spool\":{\"used\":1,\"limit\":2,\"full\":false}}";
    view.now = (struct laz_health_now){.ns = 100 * S, .unix_s = 1800000000};
    config.checks[0] = check;
    laz_health_init(&health, &config, &view.now);
    cr_assert_eq(laz_health_gauges_read(gauges, strlen(gauges), &health.gauges, &err), 0, "%s",
            err.message);
    struct laz_status status = {.phase = LAZ_PHASE_RUNNING, .started_ns = 90 * S, .n_items = 1};
    status.items[0].expires = 1800000000 + 40 * 86400;
    status.degraded = 3;
    health.gauges_ns = view.now.ns;
    laz_health_hear(&health, &status, view.now.ns);
    laz_health_watch_begin(&health.watches[0], view.now.ns);
    laz_health_watch_end(&health.watches[0], view.now.ns, "connection \"refused\"");
    (void)laz_health_judge(&health, &view.now);
    for (unsigned i = 0; i < 2 * LAZ_HEALTH_QUESTION_COUNT; i++) {
        enum laz_health_question question = (enum laz_health_question)(i / 2);
        bool is_full = i % 2 == 1;
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, LAZ_HEALTH_DOCUMENT_MAX);
        laz_health_write_answer(&view, question, is_full, &buf);
        if (question != LAZ_HEALTH_ASK_METRICS) {
            check_json(&buf);
        }
        bool names = question == LAZ_HEALTH_ASK_WHOLE || question == LAZ_HEALTH_ASK_METRICS;
        cr_expect_eq(strstr(buf.data, "itemname") != NULL, names && is_full, "%s", buf.data);
        cr_expect_eq(strstr(buf.data, "sinkname") != NULL, names && is_full, "%s", buf.data);
        cr_expect_eq(strstr(buf.data, "\"az\":\"a\\\"b\"") != NULL,
                question == LAZ_HEALTH_ASK_WHOLE && is_full, "%s", buf.data);
        cr_expect(strstr(buf.data, "gr\\\"een\\\\") != NULL, "%s", buf.data);
        cr_expect_eq(strstr(buf.data, "days_left\":40") != NULL,
                question == LAZ_HEALTH_ASK_WHOLE && is_full, "%s", buf.data);
    }
}

Test(health_document, a_certificate_is_over_at_its_second_or_as_soon_as_init_says_so)
{
    static struct laz_health_config config = {.n_items = 1, .items = {"itemname"}};
    static struct laz_health health;
    struct laz_health_view view = {.health = &health, .facts = &facts};
    static const struct {
        int64_t left_s;
        enum laz_control_state state;
        const char *says;
    } rows[] = {{86400, LAZ_CONTROL_GOOD, "days_left\":1,"},
            {1, LAZ_CONTROL_GOOD, "days_left\":0,"}, {1, LAZ_CONTROL_EXPIRED, "days_left\":-1,"},
            {0, LAZ_CONTROL_GOOD, "days_left\":-1,"}, {-1, LAZ_CONTROL_EXPIRED, "days_left\":-1,"}};
    view.now = (struct laz_health_now){.ns = 100 * S, .unix_s = 1800000000};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        laz_health_init(&health, &config, &view.now);
        struct laz_status status = {.phase = LAZ_PHASE_RUNNING, .n_items = 1};
        status.items[0].expires = (uint64_t)(1800000000 + rows[i].left_s);
        status.items[0].state = rows[i].state;
        laz_health_hear(&health, &status, view.now.ns);
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, LAZ_HEALTH_DOCUMENT_MAX);
        laz_health_write_answer(&view, LAZ_HEALTH_ASK_WHOLE, true, &buf);
        cr_expect(strstr(buf.data, rows[i].says) != NULL, "row %zu: %s", i, buf.data);
    }
}

Test(health_document, a_probe_has_one_line_with_the_worst_first)
{
    static struct laz_health_config config = {.ready_rise = 1, .ready_fall = 1, .live_fall = 1};
    static struct laz_health health;
    static char names[LAZ_HEALTH_CHECKS_MAX][LAZ_HEALTH_NAME_MAX + 1];
    struct laz_health_view view = {.health = &health, .facts = &facts};
    char memory[LAZ_HEALTH_LINE_OUT_MAX + 2];
    struct laz_buf buf;
    config.n_checks = LAZ_HEALTH_CHECKS_MAX;
    for (unsigned i = 0; i < LAZ_HEALTH_CHECKS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%.*s%02u", LAZ_HEALTH_NAME_MAX - 2,
                "a-check-with-a-name-of-32-bytes-", i);
        config.checks[i] = (struct laz_health_check){
                .name = names[i], .list = LAZ_HEALTH_LIVE, .every_ms = 1000, .timeout_ms = 500};
    }
    laz_health_init(&health, &config, &view.now);
    struct laz_status status = {.phase = LAZ_PHASE_RUNNING, .started_ns = 1};
    laz_health_hear(&health, &status, 1);
    for (unsigned i = 0; i < LAZ_HEALTH_CHECKS_MAX; i++) {
        laz_health_watch_begin(&health.watches[i], 1);
        laz_health_watch_end(&health.watches[i], 2, "no");
    }
    view.now.ns = 5 * S;
    (void)laz_health_judge(&health, &view.now);
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_health_write_line(&view, LAZ_HEALTH_ASK_LIVE, &buf);
    cr_expect(strncmp(buf.data, "not live: check:a-check-with", 28) == 0, "%s", buf.data);
    cr_expect(buf.len <= LAZ_HEALTH_LINE_OUT_MAX && strchr(buf.data, '\n') == NULL);
}

Test(health_document, knows_paths_and_bytes)
{
    cr_expect_eq(laz_health_question_of_path("/livez"), LAZ_HEALTH_ASK_LIVE);
    cr_expect_eq(laz_health_question_of_path("/metrics"), LAZ_HEALTH_ASK_METRICS);
    cr_expect_eq(laz_health_question_of_path("/livez/"), LAZ_HEALTH_QUESTION_COUNT);
    cr_expect_eq(laz_health_question_of_path(""), LAZ_HEALTH_QUESTION_COUNT);
    cr_expect_eq(laz_health_question_of_byte('s'), LAZ_HEALTH_ASK_STARTUP);
    cr_expect_eq(laz_health_question_of_byte('x'), LAZ_HEALTH_QUESTION_COUNT);
    cr_expect_eq(laz_health_question_of_byte('\0'), LAZ_HEALTH_QUESTION_COUNT);
}

Test(health_gauges, what_is_not_whole_changes_nothing)
{
    static const char *const bad[] = {"", "{}", "[]", "{\"logs\":[{\"sink\":\"a\"}]}",
            "{\"logs\":[{\"sink\":\"a\",\"behind_bytes\":-1,\"dropped\":0}]}",
            "{\"logs\":[{\"sink\":\"a-name-of-more-than-32-bytes-is-none\",\"behind_bytes\":1,"
            "\"dropped\":0}]}",
            "{\"logs\":[],\"spool\":{\"used\":1}}",
            "{\"logs\":[]} "
            "x"};
    static struct laz_health_gauges gauges;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct laz_err err = {0};
        cr_expect_eq(
                laz_health_gauges_read(bad[i], strlen(bad[i]), &gauges, &err), -1, "%s", bad[i]);
        cr_expect(err.kind == LAZ_E_INTERNAL && err.message[0] != '\0' && !gauges.is_known);
    }
}

static enum laz_health_answered hear(const char *text, size_t piece, uint16_t *ret)
{
    struct laz_health_answer answer;
    enum laz_health_answered result = LAZ_HEALTH_ANSWER_MORE;
    laz_health_answer_init(&answer);
    for (size_t at = 0; at < strlen(text) && result == LAZ_HEALTH_ANSWER_MORE; at += piece) {
        size_t left = strlen(text) - at;
        result = laz_health_answer_take(&answer, text + at, left < piece ? left : piece);
    }
    *ret = answer.status;
    return result;
}

Test(health_answer, reads_a_status)
{
    static const struct {
        const char *text;
        enum laz_health_answered result;
        uint16_t status;
    } rows[] = {
            {"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", LAZ_HEALTH_ANSWER_DONE, 200},
            {"HTTP/1.0 503\r\n\r\n", LAZ_HEALTH_ANSWER_DONE, 503},
            {"HTTP/1.1 204 \n\n", LAZ_HEALTH_ANSWER_DONE, 204},
            {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 301 x\r\n\r\n", LAZ_HEALTH_ANSWER_DONE, 301},
            {"HTTP/1.1 200 OK\r\nA: b\r\n", LAZ_HEALTH_ANSWER_MORE, 200},
            {"HTTP/2 200\r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"HTTP/1.1 2000\r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"HTTP/1.1 099 x\r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"HTTP/1.1 600 x\r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"HTTP/1.1 \r\n\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
            {"SSH-2.0-OpenSSH_9.2p1\r\n", LAZ_HEALTH_ANSWER_BROKEN, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece < 70; piece += 17) {
            uint16_t status = 0;
            cr_expect_eq(hear(rows[i].text, piece, &status), rows[i].result, "%s", rows[i].text);
            cr_expect_eq(status, rows[i].status, "%s", rows[i].text);
        }
    }
}

Test(health_answer, a_head_has_a_ceiling)
{
    static char head[LAZ_HEALTH_HEAD_MAX + 32];
    uint16_t status = 0;
    (void)memset(head, 'a', sizeof(head) - 1);
    (void)memcpy(head, "HTTP/1.1 200 OK\r\n", 17);
    cr_expect_eq(hear(head, 4096, &status), LAZ_HEALTH_ANSWER_BROKEN);
}

Test(health_answer, asks_as_servers_want_it)
{
    char memory[512];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_health_answer_ask(&buf, "::1", 8080, false, "/health?a=b");
    cr_expect(strncmp(buf.data, "GET /health?a=b HTTP/1.1\r\nHost: [::1]:8080\r\n", 44) == 0, "%s",
            buf.data);
    cr_expect(strstr(buf.data, "Connection: close\r\n\r\n") != NULL, "%s", buf.data);
}
