/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of metrics.
 */
#include "sink/emf.h"

#include "core/json.h"

static void put_directive(struct laz_json *json, const struct laz_emf_line *line)
{
    laz_json_object(json, "_aws");
    laz_json_i64(json, "Timestamp", line->time_ms);
    laz_json_array(json, "CloudWatchMetrics");
    laz_json_object(json, NULL);
    laz_json_string(json, "Namespace", line->space);
    laz_json_array(json, "Dimensions");
    laz_json_array(json, NULL);
    for (size_t i = 0; i < line->n_dimensions; i++) {
        laz_json_string(json, NULL, line->dimensions[i].name);
    }
    laz_json_array_end(json);
    laz_json_array_end(json);
    laz_json_array(json, "Metrics");
    for (size_t i = 0; i < line->n_metrics; i++) {
        laz_json_object(json, NULL);
        laz_json_string(json, "Name", line->metrics[i].name);
        laz_json_string(json, "Unit", line->metrics[i].unit);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
    laz_json_array_end(json);
    laz_json_object_end(json);
}

int laz_emf_put(struct laz_buf *buf, const struct laz_emf_line *line, struct laz_err *err)
{
    struct laz_json json;
    if (line->n_metrics == 0 || line->n_metrics > LAZ_EMF_METRICS_MAX ||
            line->n_dimensions > LAZ_EMF_DIMENSIONS_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "%zu metrics, %zu dimensions", line->n_metrics,
                line->n_dimensions);
    }
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    put_directive(&json, line);
    for (size_t i = 0; i < line->n_dimensions; i++) {
        /* A dimension that is empty makes the service drop the line. */
        const char *value = line->dimensions[i].value;
        laz_json_string(&json, line->dimensions[i].name, value[0] == '\0' ? "-" : value);
    }
    for (size_t i = 0; i < line->n_properties; i++) {
        laz_json_string(&json, line->properties[i].name, line->properties[i].value);
    }
    for (size_t i = 0; i < line->n_metrics; i++) {
        laz_json_u64(&json, line->metrics[i].name, line->metrics[i].value);
    }
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
    return buf->overflow ? laz_err_set(err, LAZ_E_INTERNAL, 0, "a line of metrics does not fit")
                         : 0;
}
