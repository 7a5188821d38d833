/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of CloudWatch Logs at each of their limits, and what answers say about them.
 */
#include "sink/cloudwatch_codec.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "sink/cloudwatch.h"

#define NOW INT64_C(1795347763000)

static char *make_record(size_t length)
{
    char *text = malloc(length + 1);
    (void)memset(text, 'x', length);
    (void)memcpy(text, "{\"a\":\"", 6);
    (void)memcpy(text + length - 2, "\"}", 3);
    return text;
}

Test(cloudwatch_codec, a_batch_is_full_at_the_byte)
{
    struct laz_cloudwatch_batch batch;
    char *longest = make_record(LAZ_CLOUDWATCH_MESSAGE_MAX + 1);
    laz_cloudwatch_batch_init(&batch);
    laz_cloudwatch_batch_begin(&batch, "g", "s");
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, longest, LAZ_CLOUDWATCH_MESSAGE_MAX + 1, NOW),
            LAZ_CLOUDWATCH_TOO_LONG);
    free(longest);
    longest = make_record(LAZ_CLOUDWATCH_MESSAGE_MAX);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, longest, LAZ_CLOUDWATCH_MESSAGE_MAX, NOW),
            LAZ_CLOUDWATCH_FITS);
    cr_assert_eq(batch.bytes, LAZ_CLOUDWATCH_BATCH_MAX);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}", 2, NOW), LAZ_CLOUDWATCH_FULL);
    free(longest);
    laz_cloudwatch_batch_begin(&batch, "g", "s");
    longest = make_record(LAZ_CLOUDWATCH_MESSAGE_MAX - 28);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, longest, LAZ_CLOUDWATCH_MESSAGE_MAX - 28, NOW),
            LAZ_CLOUDWATCH_FITS);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{ }", 3, NOW), LAZ_CLOUDWATCH_FULL);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}\n", 3, NOW), LAZ_CLOUDWATCH_FITS);
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}", 2, NOW), LAZ_CLOUDWATCH_FULL);
    free(longest);
    laz_cloudwatch_batch_done(&batch);
}

Test(cloudwatch_codec, a_batch_is_full_at_the_event)
{
    struct laz_cloudwatch_batch batch;
    laz_cloudwatch_batch_init(&batch);
    laz_cloudwatch_batch_begin(&batch, "g", "s");
    for (uint32_t i = 0; i < LAZ_CLOUDWATCH_EVENTS_MAX; i++) {
        cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}", 2, NOW), LAZ_CLOUDWATCH_FITS);
    }
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}", 2, NOW), LAZ_CLOUDWATCH_FULL);
    cr_assert(laz_cloudwatch_batch_end(&batch));
    cr_assert_eq(laz_cloudwatch_batch_add(&batch, "{}", 2, NOW), LAZ_CLOUDWATCH_FULL);
    laz_cloudwatch_batch_done(&batch);
}

Test(cloudwatch_codec, writes_the_request_as_documented_and_stamps_by_the_rules)
{
    static const struct {
        const char *ts;
        const char *stamp;
    } rows[] = {
            {"2026-11-22T11:00:00.999999Z", "1795345200999"},
            {"2026-11-22T10:00:00.000000Z", "1795345200999"}, /* never back */
            {"2026-11-21T12:42:42.999999Z", "1795347763000"}, /* 23 hours and more */
            {"2026-11-22T11:42:43.000000Z", "1795347763000"},
            {"2026-11-22T11:42:43.001000Z", "1795347763000"}, /* the future */
            {"2026-11-22T11:00:00Z", "1795347763000"},        /* another form */
    };
    struct laz_cloudwatch_batch batch;
    laz_cleanup_buf struct laz_buf expected;
    laz_buf_init_heap(&expected, 4096);
    laz_cloudwatch_batch_init(&batch);
    laz_cloudwatch_batch_begin(&batch, "/a\"b", "s");
    laz_buf_str(&expected, "{\"logGroupName\":\"/a\\\"b\",\"logStreamName\":\"s\",\"logEvents\":[");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, 256);
        laz_buf_printf(&text, "{\"m\":\"\\\\\",\"ts\":\"%s\"}", rows[i].ts);
        cr_assert_eq(
                laz_cloudwatch_batch_add(&batch, text.data, text.len, NOW), LAZ_CLOUDWATCH_FITS);
        laz_buf_printf(&expected,
                "%s{\"timestamp\":%s,\"message\":\"{\\\"m\\\":\\\"\\\\\\\\\\\",\\\"ts\\\":"
                "\\\"%s\\\"}\"}",
                i == 0 ? "" : ",", rows[i].stamp, rows[i].ts);
    }
    laz_buf_str(&expected, "]}");
    cr_assert(laz_cloudwatch_batch_end(&batch));
    cr_assert_str_eq(batch.body.data, expected.data);
    laz_cloudwatch_batch_done(&batch);
}

Test(cloudwatch_codec, reads_which_events_were_rejected_and_believes_no_nonsense)
{
#define INFO(text) "{\"rejectedLogEventsInfo\":{" text "}}"
    static const struct {
        const char *text;
        const char *expected; /* of 4 events: o, e, n or . for each */
        const char *wrong;
    } rows[] = {
            {"{}", "....", NULL},
            {"{\"nextSequenceToken\":\"x\",\"rejectedLogEventsInfo\":null}", "....", NULL},
            {INFO("\"tooOldLogEventEndIndex\":1"), "o...", NULL},
            {INFO("\"expiredLogEventEndIndex\":2"), "ee..", NULL},
            {INFO("\"tooNewLogEventStartIndex\":3"), "...n", NULL},
            {INFO("\"tooNewLogEventStartIndex\":0"), "nnnn", NULL},
            {INFO("\"tooOldLogEventEndIndex\":1,\"expiredLogEventEndIndex\":2,"
                  "\"tooNewLogEventStartIndex\":3"),
                    "oe.n", NULL},
            {INFO("\"tooOldLogEventEndIndex\":4"), "oooo", NULL},
            {INFO("\"tooOldLogEventEndIndex\":null"), "....", NULL},
            {INFO("\"tooOldLogEventEndIndex\":5"), NULL, "it rejects events that were not sent"},
            {INFO("\"tooOldLogEventEndIndex\":-1"), NULL, "it rejects events that were not sent"},
            {INFO("\"tooOldLogEventEndIndex\":\"1\""), NULL,
                    "it rejects events that were not sent"},
            {"{\"rejectedLogEventsInfo\":1}", NULL, "it rejects events that were not sent"},
            {"[]", NULL, "an answer that is none"},
            {"", NULL, "not JSON: byte 0: no value"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_cloudwatch_rejected rejected = {0};
        struct laz_err err = {0};
        int result =
                laz_cloudwatch_read_answer(rows[i].text, strlen(rows[i].text), 4, &rejected, &err);
        cr_assert_eq(result, rows[i].wrong == NULL ? 0 : -1, "%s", rows[i].text);
        cr_assert_str_eq(err.message, rows[i].wrong == NULL ? "" : rows[i].wrong);
        for (uint32_t k = 0; rows[i].expected != NULL && k < 4; k++) {
            const char *why = laz_cloudwatch_why_rejected(&rejected, k);
            const char *letter = why == NULL   ? "."
                    : strstr(why, "retention") ? "e"
                    : strstr(why, "new")       ? "n"
                                               : "o";
            cr_assert_eq(*letter, rows[i].expected[k], "%s: %u", rows[i].text, k);
        }
    }
}

Test(cloudwatch_codec, judges_by_code_first_and_by_status_else)
{
    static const struct {
        unsigned status;
        const char *code;
        enum laz_cloudwatch_verdict verdict;
    } rows[] = {
            {200, "", LAZ_CLOUDWATCH_TAKEN},
            {200, "ThrottlingException", LAZ_CLOUDWATCH_TAKEN},
            {400, "DataAlreadyAcceptedException", LAZ_CLOUDWATCH_TAKEN},
            {400, "ThrottlingException", LAZ_CLOUDWATCH_AGAIN},
            {429, "", LAZ_CLOUDWATCH_AGAIN},
            {500, "", LAZ_CLOUDWATCH_AGAIN},
            {503, "Whatever", LAZ_CLOUDWATCH_AGAIN},
            {400, "ExpiredTokenException", LAZ_CLOUDWATCH_CREDENTIALS},
            {403, "InvalidSignatureException", LAZ_CLOUDWATCH_CLOCK},
            {400, "ResourceNotFoundException", LAZ_CLOUDWATCH_MISSING},
            {400, "InvalidParameterException", LAZ_CLOUDWATCH_UNFIT},
            {413, "", LAZ_CLOUDWATCH_UNFIT},
            {400, "AccessDeniedException", LAZ_CLOUDWATCH_REFUSED},
            {302, "", LAZ_CLOUDWATCH_REFUSED},
            {204, "", LAZ_CLOUDWATCH_REFUSED},
            {400, "", LAZ_CLOUDWATCH_REFUSED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_cloudwatch_judge(rows[i].status, rows[i].code), rows[i].verdict, "%u %s",
                rows[i].status, rows[i].code);
    }
}

Test(cloudwatch_codec, waits_as_long_as_it_is_asked_to_within_bounds)
{
    static const struct {
        uint32_t own_ms;
        uint32_t asked_ms;
        uint32_t expected_ms;
    } rows[] = {{100, 0, 100}, {100, 99, 100}, {100, 1500, 1500}, {100, 5100, 5100},
            {100, 5101, 5100}, {0, UINT32_MAX, 5000}, {30000, 20000, 30000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_cloudwatch_wait_ms(rows[i].own_ms, rows[i].asked_ms), rows[i].expected_ms,
                "%u, asked for %u", rows[i].own_ms, rows[i].asked_ms);
    }
}

Test(cloudwatch_names, come_from_policy_and_environment)
{
    static const struct laz_aws_environment aws = {
            .region = "us-gov-west-1", .default_region = "eu-west-1"};
    static const struct laz_aws_environment odd = {.region = "a.b", .default_region = "cn-north-1"};
    static const struct {
        struct laz_ship_sink config;
        const struct laz_aws_environment *aws;
        const char *host;
        const char *stream;
    } rows[] = {
            {{.host = "", .region = "us-east-1", .stream = "{policy}/{host}"}, &aws,
                    "logs.us-east-1.amazonaws.com", "my-policy/my-host-"},
            {{.host = "", .region = "", .stream = "x", .fips = true}, &aws,
                    "logs-fips.us-gov-west-1.amazonaws.com", "x"},
            {{.host = "", .region = "", .stream = "{host}{host}"}, &odd,
                    "logs.cn-north-1.amazonaws.com.cn", "my-host-my-host-"},
            {{.host = "vpce.internal", .region = "", .stream = "{policy}"}, &aws, "vpce.internal",
                    "my-policy"},
            {{.host = "", .region = "", .stream = "s"}, NULL, NULL, "s"},
            {{.host = "", .region = "", .stream = "a{task}b"}, NULL, NULL, "a8f03b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_cloudwatch_names names = {.config = &rows[i].config,
                .aws = rows[i].aws,
                .policy = "my-policy",
                .task = "8f03",
                .host = "my-host:"};
        char host_memory[300];
        char stream_memory[300];
        struct laz_buf host;
        struct laz_buf stream;
        laz_buf_init_fixed(&host, host_memory, sizeof(host_memory));
        laz_buf_init_fixed(&stream, stream_memory, sizeof(stream_memory));
        cr_assert_eq(laz_cloudwatch_region(&names) == NULL, rows[i].host == NULL);
        laz_cloudwatch_put_host(&host, &names);
        laz_cloudwatch_put_stream(&stream, &names);
        cr_assert_str_eq(host_memory, rows[i].host == NULL ? "" : rows[i].host);
        cr_assert_str_eq(stream_memory, rows[i].stream);
    }
}
