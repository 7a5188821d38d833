/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/gate: times, verdicts, what is read of others' JSON, and that unknown is never good.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "gate/report.h"

/* ---- Times ---- */

Test(gate_time, is_read_in_each_form_that_is_written)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
            {"1971-01-01T00:00:00Z", 31536000000},
            {"2026-11-22T00:28:33Z", 1795307313000},
            {"2026-11-22T00:28:33.5Z", 1795307313500},
            {"2026-11-22T00:28:33.123456+00:00", 1795307313123},
            {"2026-11-22T02:28:33+02:00", 1795307313000},
            {"2026-11-21T16:28:33-08:00", 1795307313000},
            {"2024-02-29T12:00:00Z", 1709208000000},
            {"2000-03-01T00:00:00Z", 951868800000},
            {"2100-03-01T00:00:00Z", 4107542400000},
            {"", -1},
            {"2026-11-22", -1},
            {"2026-11-22T00:28:33", -1},
            {"2026-11-22 00:28:33Z", -1},
            {"2026-13-22T00:28:33Z", -1},
            {"2026-00-22T00:28:33Z", -1},
            {"2026-11-32T00:28:33Z", -1},
            {"2026-11-22T24:28:33Z", -1},
            {"2026-11-22T00:60:33Z", -1},
            {"2026-11-22T00:28:61Z", -1},
            {"2026-11-22T00:28:33.Z", -1},
            {"2026-11-22T00:28:33Zx", -1},
            {"2026-11-22T00:28:33+2:00", -1},
            {"2026-11-22T00:28:33+24:00", -1},
            {"1970-11-22T00:28:33Z", -1},
            {"2026-11-22T00:28:33.00000000000000000000000000000000Z", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(laz_gate_time(rows[i].text, strlen(rows[i].text)), rows[i].ms, "%s: %lld",
                rows[i].text, (long long)laz_gate_time(rows[i].text, strlen(rows[i].text)));
    }
}

Test(gate_time, is_written_as_it_is_read)
{
    char text[LAZ_GATE_TIME_MAX];
    for (int64_t ms = 31536000000; ms < 7258118400000; ms += 86399999999) {
        laz_gate_time_write(ms, text);
        cr_assert_eq(laz_gate_time(text, strlen(text)), ms, "%s", text);
    }
    laz_gate_time_write(-1, text);
    cr_assert_str_eq(text, "");
}

/* ---- Verdicts ---- */

static enum laz_gate_result verdict_of(const char *results)
{
    struct laz_gate_rows rows = {0};
    for (const char *at = results; *at != '\0'; at++) {
        const struct laz_gate_say say = {.check = "x",
                .target = "",
                .wanted = "",
                .result = *at == 'p' ? LAZ_GATE_PASS
                        : *at == 'f' ? LAZ_GATE_FAIL
                        : *at == 'i' ? LAZ_GATE_INCONCLUSIVE
                                     : LAZ_GATE_SKIPPED};
        laz_gate_rows_add(&rows, &say, "%s", "y");
    }
    enum laz_gate_result result = laz_gate_rows_verdict(&rows);
    laz_gate_rows_done(&rows);
    return result;
}

Test(gate_verdict, is_the_worst_and_nothing_is_no_pass)
{
    cr_assert_eq(verdict_of(""), LAZ_GATE_INCONCLUSIVE);
    cr_assert_eq(verdict_of("sss"), LAZ_GATE_INCONCLUSIVE);
    cr_assert_eq(verdict_of("p"), LAZ_GATE_PASS);
    cr_assert_eq(verdict_of("sp"), LAZ_GATE_PASS);
    cr_assert_eq(verdict_of("pip"), LAZ_GATE_INCONCLUSIVE);
    cr_assert_eq(verdict_of("pifi"), LAZ_GATE_FAIL);
}

Test(gate_verdict, of_rows_that_do_not_fit_is_no_pass)
{
    struct laz_gate_rows rows = {0};
    const struct laz_gate_say say = {
            .check = "x", .target = "a\nb", .wanted = "\x7F", .result = LAZ_GATE_PASS};
    for (size_t i = 0; i <= LAZ_GATE_ROWS_MAX; i++) {
        laz_gate_rows_add(&rows, &say, "%s", "\xE2\x82\xAC");
    }
    cr_assert(rows.overflow && rows.n == LAZ_GATE_ROWS_MAX);
    cr_assert_str_eq(rows.items[0].target, "a?b");
    cr_assert_str_eq(rows.items[0].wanted, "?");
    cr_assert_str_eq(rows.items[0].observed, "\?\?\?");
    cr_assert_eq(laz_gate_rows_verdict(&rows), LAZ_GATE_INCONCLUSIVE);
    laz_gate_rows_done(&rows);
}

Test(gate_verdict, of_too_few_depends_on_what_may_still_come)
{
    cr_assert_eq(laz_gate_judge_number(2, 0, 2), LAZ_GATE_PASS);
    cr_assert_eq(laz_gate_judge_number(3, 0, 2), LAZ_GATE_PASS);
    cr_assert_eq(laz_gate_judge_number(1, 1, 2), LAZ_GATE_INCONCLUSIVE);
    cr_assert_eq(laz_gate_judge_number(1, 0, 2), LAZ_GATE_FAIL);
    cr_assert_eq(laz_gate_judge_number(0, 1, 2), LAZ_GATE_FAIL);
}

/* ---- Documents ---- */

static struct laz_gate_sample sample_of(const char *text)
{
    struct laz_gate_sample sample = {.at_ms = -1, .date_ms = -1};
    laz_gate_health_take(text, strlen(text), &sample);
    return sample;
}

Test(gate_health, that_says_nothing_is_unknown_in_everything)
{
    const struct laz_gate_sample sample = sample_of("{\"schema\":\"lazaret.health/1\"}");
    const struct laz_gate_health *health = &sample.health;
    cr_assert(sample.has_document);
    cr_assert_str_eq(health->state, "");
    cr_assert_eq(health->ready, -1);
    cr_assert_eq(health->now_ms, -1);
    cr_assert_eq(health->uptime_s, -1);
    cr_assert_eq(health->restarts, -1);
    cr_assert_eq(health->violations, -1);
    cr_assert_eq(health->n_certificates, -1);
    cr_assert_eq(health->least_days, -1);
    cr_assert_eq(health->key_match, -1);
    cr_assert_eq(health->n_sinks, -1);
    cr_assert_eq(health->dropped, -1);
    cr_assert_eq(health->sinks_up, -1);
    cr_assert_eq(health->accepted, -1);
    cr_assert_eq(health->last_connection_s, -1);
}

Test(gate_health, of_several_is_the_worst)
{
    const struct laz_gate_sample sample = sample_of(
            "{\"schema\":\"lazaret.health/1\",\"state\":\"not_ready\",\"tls\":["
            "{\"name\":\"a\",\"days_left\":40,\"key_match\":true},"
            "{\"name\":\"b\",\"days_left\":3,\"key_match\":true},"
            "{\"name\":\"c\",\"days_left\":30,\"key_match\":false}],"
            "\"logs\":[{\"sink\":\"x\",\"up\":true,\"dropped\":1},"
            "{\"sink\":\"y\",\"up\":false,\"dropped\":2},{\"sink\":\"z\",\"dropped\":3}]}");
    const struct laz_gate_health *health = &sample.health;
    cr_assert_str_eq(health->state, "not-ready");
    cr_assert_eq(health->least_days, 3);
    cr_assert_str_eq(health->least_name, "b");
    cr_assert_eq(health->key_match, 0);
    cr_assert_str_eq(health->mismatch_name, "c");
    cr_assert_eq(health->dropped, 6);
    cr_assert_eq(health->sinks_up, 0);
    cr_assert_str_eq(health->down_name, "y");
}

Test(gate_health, with_one_unknown_among_several_is_unknown)
{
    const struct laz_gate_sample sample = sample_of(
            "{\"schema\":\"lazaret.health/1\",\"tls\":[{\"days_left\":40,\"key_match\":true},{}],"
            "\"logs\":[{\"up\":true,\"dropped\":9223372036854775807},{\"up\":true,\"dropped\":1}]"
            "}");
    cr_assert_eq(sample.health.least_days, -1);
    cr_assert_eq(sample.health.key_match, -1);
    cr_assert_eq(sample.health.dropped, -1, "the sum does not wrap");
    cr_assert_eq(sample.health.sinks_up, 1);
}

Test(gate_health, that_is_none_says_why)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
            {"", "the document: "},
            {"{", "the document: "},
            {"[]", "the document is no object"},
            {"{}", "its schema is not lazaret.health/1"},
            {"{\"schema\":\"lazaret.health/2\"}", "its schema is not lazaret.health/1"},
            {"{\"schema\":1}", "its schema is not lazaret.health/1"},
            {"{\"schema\":\"lazaret.health/1\"}x", "the document: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_gate_sample sample = sample_of(rows[i].text);
        cr_assert(!sample.has_document, "%s", rows[i].text);
        cr_assert_eq(strncmp(sample.why, rows[i].why, strlen(rows[i].why)), 0, "%s: %s",
                rows[i].text, sample.why);
    }
    char *large = malloc(LAZ_GATE_DOCUMENT_MAX + 1);
    cr_assert(large != NULL);
    (void)memset(large, ' ', LAZ_GATE_DOCUMENT_MAX + 1);
    struct laz_gate_sample sample = {0};
    laz_gate_health_take(large, LAZ_GATE_DOCUMENT_MAX + 1, &sample);
    cr_assert(!sample.has_document);
    cr_assert_str_eq(sample.why, "the document is larger than 65536 bytes");
    free(large);
}
