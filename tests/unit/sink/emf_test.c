/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of metrics as the specification has them, and what is none.
 */
#include "sink/emf.h"

#include <criterion/criterion.h>

Test(emf, writes_a_line_as_specified)
{
    static const struct laz_emf_text dimensions[] = {{"Policy", "a\"b"}, {"Sink", ""}};
    static const struct laz_emf_text properties[] = {{"Host", "h"}};
    static const struct laz_emf_metric metrics[] = {
            {"Records", "Count", UINT64_MAX}, {"Bytes", "Bytes", 0}};
    const struct laz_emf_line line = {.space = "Lazaret",
            .time_ms = 1795347763000,
            .dimensions = dimensions,
            .n_dimensions = 2,
            .properties = properties,
            .n_properties = 1,
            .metrics = metrics,
            .n_metrics = 2};
    struct laz_err err = {0};
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, 1024);
    cr_assert_eq(laz_emf_put(&buf, &line, &err), 0, "%s", err.message);
    cr_assert_str_eq(buf.data,
            "{\"_aws\":{\"Timestamp\":1795347763000,\"CloudWatchMetrics\":[{\"Namespace\":"
            "\"Lazaret\",\"Dimensions\":[[\"Policy\",\"Sink\"]],\"Metrics\":[{\"Name\":\"Records\","
            "\"Unit\":\"Count\"},{\"Name\":\"Bytes\",\"Unit\":\"Bytes\"}]}]},\"Policy\":\"a\\\"b\","
            "\"Sink\":\"-\",\"Host\":\"h\",\"Records\":18446744073709551615,\"Bytes\":0}\n");
}

Test(emf, refuses_what_the_service_would_drop)
{
    static struct laz_emf_metric metrics[LAZ_EMF_METRICS_MAX + 1];
    static struct laz_emf_text dimensions[LAZ_EMF_DIMENSIONS_MAX + 1];
    static const struct {
        size_t n_metrics;
        size_t n_dimensions;
        size_t room;
        const char *expected;
    } rows[] = {
            {0, 1, 16384, "0 metrics, 1 dimensions"},
            {LAZ_EMF_METRICS_MAX + 1, 1, 16384, "101 metrics, 1 dimensions"},
            {1, LAZ_EMF_DIMENSIONS_MAX + 1, 16384, "1 metrics, 31 dimensions"},
            {LAZ_EMF_METRICS_MAX, LAZ_EMF_DIMENSIONS_MAX, 64, "a line of metrics does not fit"},
            {LAZ_EMF_METRICS_MAX, LAZ_EMF_DIMENSIONS_MAX, 16384, NULL},
    };
    for (size_t i = 0; i <= LAZ_EMF_METRICS_MAX; i++) {
        metrics[i] = (struct laz_emf_metric){"Name", "Count", i};
    }
    for (size_t i = 0; i <= LAZ_EMF_DIMENSIONS_MAX; i++) {
        dimensions[i] = (struct laz_emf_text){"Name", "value"};
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_emf_line line = {.space = "S",
                .dimensions = dimensions,
                .n_dimensions = rows[i].n_dimensions,
                .metrics = metrics,
                .n_metrics = rows[i].n_metrics};
        struct laz_err err = {0};
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, rows[i].room);
        cr_assert_eq(laz_emf_put(&buf, &line, &err), rows[i].expected == NULL ? 0 : -1, "%zu", i);
        cr_assert_str_eq(err.message, rows[i].expected == NULL ? "" : rows[i].expected);
        cr_assert_eq(err.kind, rows[i].expected == NULL ? LAZ_E_NONE : LAZ_E_INTERNAL);
    }
}
