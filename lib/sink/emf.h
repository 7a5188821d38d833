/* SPDX-License-Identifier: Apache-2.0
 *
 * A line in CloudWatch's Embedded Metric Format: numbers, and what of them the service makes
 * metrics of. Pure.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
#ifndef LAZ_SINK_EMF_H
#define LAZ_SINK_EMF_H

#include "core/buf.h"

#define LAZ_EMF_METRICS_MAX    100 /* of a line */
#define LAZ_EMF_DIMENSIONS_MAX 30

struct laz_emf_metric {
    const char *name;
    const char *unit; /* "Count", "Bytes", "Seconds", "None" */
    uint64_t value;
};

struct laz_emf_text {
    const char *name;
    const char *value;
};

struct laz_emf_line {
    const char *space; /* the namespace */
    int64_t time_ms;   /* since 1970 */
    const struct laz_emf_text *dimensions;
    size_t n_dimensions;
    const struct laz_emf_text *properties; /* beside them, of which no metric is made */
    size_t n_properties;
    const struct laz_emf_metric *metrics;
    size_t n_metrics;
};

/* Append it, with a line feed. LAZ_E_INTERNAL if it is none or does not fit. */
LAZ_MUST_CHECK int laz_emf_put(
        struct laz_buf *buf, const struct laz_emf_line *line, struct laz_err *err);

#endif
