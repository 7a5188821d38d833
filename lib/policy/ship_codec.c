/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that lazaret-helper reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include <string.h>

#include "core/words.h"
#include "policy/party.h"
#include "policy/section.h"
#include "policy/ship.h"

#define FORMAT 8

LAZ_WORDS(laz_ship_class_name, laz_ship_class, LAZ_SHIP_CLASSES, LAZ_SHIP_CLASS_COUNT)
LAZ_WORDS(laz_sink_type_name, laz_sink_type, LAZ_SINK_TYPES, LAZ_SINK_TYPE_COUNT)
LAZ_WORDS(laz_transport_name, laz_transport, LAZ_TRANSPORTS, LAZ_TRANSPORT_COUNT)
LAZ_WORDS(laz_ship_format_name, laz_ship_format, LAZ_FORMATS, LAZ_FORMAT_COUNT)
LAZ_WORDS(laz_redaction_name, laz_redaction, LAZ_REDACTIONS, LAZ_REDACT_COUNT)

/* ---- Encoding ---- */

static void put_logs(struct laz_buf *buf, const struct laz_ship_config *config)
{
    laz_section_put_uint(buf, config->pipe_bytes, 4);
    laz_section_put_uint(buf, config->passthrough, 1);
    laz_section_put_uint(buf, config->logs_block, 1);
    laz_section_put_uint(buf, config->max_line, 4);
    laz_section_put_string(buf, config->multiline_start);
    laz_section_put_uint(buf, config->multiline_wait_ms, 4);
    laz_section_put_uint(buf, config->redact, 1);
    laz_section_put_string(buf, config->mrn);
    laz_section_put_uint(buf, config->n_literals, 4);
    for (uint32_t i = 0; i < config->n_literals; i++) {
        laz_section_put_string(buf, config->literals[i]);
    }
}

static void put_keeping(struct laz_buf *buf, const struct laz_ship_config *config)
{
    laz_section_put_uint(buf, config->durability_acked, 1);
    laz_section_put_uint(buf, config->checkpoint_records, 4);
    laz_section_put_uint(buf, config->checkpoint_ms, 4);
    laz_section_put_uint(buf, config->spool_max_bytes, 8);
    laz_section_put_uint(buf, config->spool_segment_bytes, 4);
    laz_section_put_uint(buf, config->n_seal_to, 4);
    for (uint32_t i = 0; i < config->n_seal_to; i++) {
        laz_section_put_string(buf, config->seal_to[i]);
    }
    laz_section_put_string(buf, config->open_with);
    laz_section_put_uint(buf, config->sync_audit_ms, 4);
    laz_section_put_uint(buf, config->sync_log_ms, 4);
}

static void put_sink(struct laz_buf *buf, const struct laz_ship_sink *sink)
{
    laz_section_put_string(buf, sink->name);
    laz_section_put_uint(buf, sink->type, 1);
    laz_section_put_uint(buf, sink->required, 1);
    laz_section_put_uint(buf, sink->classes, 1);
    laz_section_put_uint(buf, sink->min_severity, 1);
    laz_section_put_uint(buf, sink->format, 1);
    laz_section_put_string(buf, sink->path);
    laz_section_put_string(buf, sink->host);
    laz_section_put_uint(buf, sink->port, 2);
    laz_section_put_uint(buf, sink->transport, 1);
    laz_section_put_uint(buf, sink->window, 4);
    laz_section_put_uint(buf, sink->has_tls, 1);
    laz_section_put_string(buf, sink->tls_ca);
    laz_section_put_string(buf, sink->tls_cert);
    laz_section_put_string(buf, sink->tls_key);
    laz_section_put_string(buf, sink->tls_peer);
    laz_section_put_string(buf, sink->group);
    laz_section_put_string(buf, sink->stream);
    laz_section_put_string(buf, sink->region);
    laz_section_put_uint(buf, sink->fips, 1);
    laz_section_put_uint(buf, sink->create, 1);
    laz_section_put_uint(buf, sink->imds, 1);
    laz_section_put_string(buf, sink->space);
    laz_section_put_uint(buf, sink->interval_ms, 4);
    laz_section_put_string(buf, sink->enrol_host);
    laz_section_put_uint(buf, sink->enrol_port, 2);
    laz_section_put_string(buf, sink->enrol_password);
    laz_section_put_string(buf, sink->enrol_name);
}

int laz_ship_encode(const struct laz_ship_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    if (config->n_sinks > LAZ_SHIP_SINKS_MAX || config->n_seal_to > LAZ_SHIP_KEYS_MAX ||
            config->n_literals > LAZ_SHIP_LITERALS_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more sinks, recovery keys or literals than there can be");
    }
    laz_section_put_uint(ret, FORMAT, 4);
    put_logs(ret, config);
    put_keeping(ret, config);
    laz_section_put_uint(ret, config->tls_profile, 1);
    laz_section_put_uint(ret, config->tls_fips, 1);
    laz_section_put_uint(ret, config->n_sinks, 4);
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        put_sink(ret, &config->sinks[i]);
    }
    laz_section_put_party(ret, &config->workload);
    if (ret->overflow || ret->len - start > LAZ_SHIP_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "what the sinks are told is longer than %d bytes: name fewer literals or sinks",
                LAZ_SHIP_MAX);
    }
    return 0;
}

/* ---- Decoding ---- */

/* An absolute path, or "". */
static const char *take_path(struct laz_section *in)
{
    const char *text = laz_section_string(in, 0, LAZ_SHIP_MAX);
    laz_section_require(in, text[0] == '\0' || text[0] == '/', "a path is not absolute");
    return text;
}

static void take_logs(struct laz_section *in, struct laz_ship_config *config)
{
    config->pipe_bytes = laz_section_u32(in, LAZ_SHIP_PIPE_MIN, LAZ_SHIP_PIPE_MAX);
    config->passthrough = laz_section_bool(in);
    config->logs_block = laz_section_bool(in);
    config->max_line = laz_section_u32(in, LAZ_SHIP_LINE_MIN, LAZ_SHIP_LINE_MAX);
    config->multiline_start = laz_section_string(in, 0, LAZ_SHIP_PATTERN_MAX);
    config->multiline_wait_ms = laz_section_u32(in, LAZ_SHIP_WAIT_MIN, LAZ_SHIP_WAIT_MAX);
    config->redact = (uint8_t)laz_section_uint(in, 1, 0, (1U << LAZ_REDACT_SECRET) - 1);
    config->mrn = laz_section_string(in, 0, LAZ_SHIP_PATTERN_MAX);
    config->n_literals = laz_section_u32(in, 0, LAZ_SHIP_LITERALS_MAX);
    for (uint32_t i = 0; i < config->n_literals; i++) {
        config->literals[i] = laz_section_string(in, LAZ_SHIP_LITERAL_MIN, LAZ_SHIP_LITERAL_MAX);
    }
    bool has_mrn = (config->redact >> LAZ_REDACT_MRN & 1) != 0;
    bool has_literal = (config->redact >> LAZ_REDACT_LITERAL & 1) != 0;
    laz_section_require(in,
            has_mrn == (config->mrn[0] != '\0') && has_literal == (config->n_literals > 0),
            "what is to be redacted does not fit together");
}

static void take_keeping(struct laz_section *in, struct laz_ship_config *config)
{
    config->durability_acked = laz_section_bool(in);
    config->checkpoint_records = laz_section_u32(in, 1, LAZ_SHIP_CHECKPOINT_MAX);
    config->checkpoint_ms =
            laz_section_u32(in, LAZ_SHIP_CHECKPOINT_MS_MIN, LAZ_SHIP_CHECKPOINT_MS_MAX);
    config->spool_max_bytes = laz_section_uint(in, 8, LAZ_SHIP_SPOOL_MIN, LAZ_SHIP_SPOOL_MAX);
    config->spool_segment_bytes = laz_section_u32(in, LAZ_SHIP_SEGMENT_MIN, LAZ_SHIP_SEGMENT_MAX);
    laz_section_require(in,
            config->spool_segment_bytes <= config->spool_max_bytes / LAZ_SHIP_SEGMENTS_MIN,
            "a segment is larger than a quarter of the spool");
    config->n_seal_to = laz_section_u32(in, 0, LAZ_SHIP_KEYS_MAX);
    for (uint32_t i = 0; i < config->n_seal_to; i++) {
        config->seal_to[i] = take_path(in);
        laz_section_require(in, config->seal_to[i][0] != '\0', "a path is empty");
    }
    config->open_with = take_path(in);
    config->sync_audit_ms = laz_section_u32(in, 0, LAZ_SHIP_SYNC_MAX);
    config->sync_log_ms = laz_section_u32(in, 0, LAZ_SHIP_SYNC_MAX);
}

static bool has_nothing_of_aws(const struct laz_ship_sink *sink)
{
    return sink->group[0] == '\0' && sink->stream[0] == '\0' && sink->region[0] == '\0' &&
            !sink->fips && !sink->create && !sink->imds;
}

/* One with a host of its own has no other; without, it is AWS's, and encrypted. */
static bool cloudwatch_fits_together(const struct laz_ship_sink *sink)
{
    bool has_host = sink->host[0] != '\0';
    return sink->format == LAZ_FORMAT_NATIVE && sink->path[0] == '\0' &&
            sink->transport == LAZ_TRANSPORT_TLS && sink->window == 0 && sink->port != 0 &&
            sink->tls_cert[0] == '\0' && sink->tls_key[0] == '\0' && sink->tls_peer[0] == '\0' &&
            (sink->has_tls || sink->tls_ca[0] == '\0') &&
            (has_host ? !sink->fips : sink->has_tls && sink->port == 443) &&
            sink->group[0] != '\0' && sink->stream[0] != '\0';
}

/* To standard output, or as one of cloudwatch; nobody waits for metrics. */
static bool emf_fits_together(const struct laz_ship_sink *sink)
{
    bool is_bare = has_nothing_of_aws(sink) && sink->host[0] == '\0' && sink->port == 0 &&
            !sink->has_tls && sink->tls_ca[0] == '\0' && sink->tls_cert[0] == '\0' &&
            sink->tls_key[0] == '\0' && sink->tls_peer[0] == '\0' && sink->path[0] == '\0' &&
            sink->transport == LAZ_TRANSPORT_TLS && sink->window == 0 &&
            sink->format == LAZ_FORMAT_NATIVE;
    return (is_bare || cloudwatch_fits_together(sink)) && sink->classes == 0 && !sink->required &&
            sink->min_severity == 0 && sink->space[0] != '\0' &&
            sink->interval_ms >= LAZ_SHIP_INTERVAL_MIN;
}

static bool format_fits(const struct laz_ship_sink *sink)
{
    switch (sink->format) {
    case LAZ_FORMAT_OSSEC:
        return sink->type == LAZ_SINK_FILE || sink->type == LAZ_SINK_RELP ||
                sink->type == LAZ_SINK_SYSLOG;
    case LAZ_FORMAT_OCSF:
        return sink->type == LAZ_SINK_FILE || sink->type == LAZ_SINK_STDOUT ||
                sink->type == LAZ_SINK_CLOUDWATCH;
    case LAZ_FORMAT_NATIVE:
    case LAZ_FORMAT_COUNT:
        break;
    }
    return sink->format == LAZ_FORMAT_NATIVE;
}

/* Does the sink have what its type needs, and nothing else? */
static bool fits_together(const struct laz_ship_sink *sink)
{
    if (sink->type == LAZ_SINK_EMF) {
        return emf_fits_together(sink);
    }
    if (sink->classes == 0 || sink->space[0] != '\0' || sink->interval_ms != 0) {
        return false;
    }
    if (sink->type == LAZ_SINK_CLOUDWATCH) {
        return cloudwatch_fits_together(sink);
    }
    bool is_unix = sink->type == LAZ_SINK_SYSLOG && sink->transport == LAZ_TRANSPORT_UNIX;
    bool needs_path = sink->type == LAZ_SINK_FILE || is_unix ||
            (sink->type == LAZ_SINK_OSSEC && sink->enrol_host[0] == '\0');
    bool is_ossec = sink->type == LAZ_SINK_OSSEC;
    bool enrols = sink->enrol_host[0] != '\0';
    bool needs_peer =
            is_ossec || sink->type == LAZ_SINK_RELP || (sink->type == LAZ_SINK_SYSLOG && !is_unix);
    bool may_have_tls = enrols || sink->type == LAZ_SINK_RELP ||
            (sink->type == LAZ_SINK_SYSLOG && sink->transport == LAZ_TRANSPORT_TLS);
    bool must_have_tls = may_have_tls && sink->type != LAZ_SINK_RELP;
    bool is_asked = sink->enrol_password[0] != '\0' || sink->enrol_name[0] != '\0';
    bool has_pair = sink->tls_cert[0] != '\0';
    return has_nothing_of_aws(sink) && needs_path == (sink->path[0] != '\0') &&
            needs_peer == (sink->host[0] != '\0') && needs_peer == (sink->port != 0) &&
            (sink->type == LAZ_SINK_SYSLOG || sink->transport == LAZ_TRANSPORT_TLS) &&
            (sink->type == LAZ_SINK_RELP) == (sink->window != 0) && format_fits(sink) &&
            (is_ossec || !enrols) && enrols == (sink->enrol_port != 0) && (enrols || !is_asked) &&
            (may_have_tls || !sink->has_tls) && (sink->has_tls || !must_have_tls) &&
            sink->has_tls == (sink->tls_ca[0] != '\0') &&
            sink->has_tls == (sink->tls_peer[0] != '\0') && (sink->has_tls || !has_pair) &&
            has_pair == (sink->tls_key[0] != '\0');
}

static void take_sink(struct laz_section *in, struct laz_ship_sink *sink)
{
    sink->name = laz_section_string(in, 1, LAZ_SHIP_NAME_MAX);
    laz_section_require(in, strspn(sink->name, LAZ_SHIP_NAME_LETTERS) == strlen(sink->name),
            "the name of a sink is none");
    sink->type = (enum laz_sink_type)laz_section_uint(in, 1, 0, LAZ_SINK_TYPE_COUNT - 1);
    sink->required = laz_section_bool(in);
    sink->classes = (uint8_t)laz_section_uint(in, 1, 0, (1U << LAZ_SHIP_CLASS_COUNT) - 1);
    sink->min_severity = (uint8_t)laz_section_uint(in, 1, 0, LAZ_SHIP_SEVERITY_MAX);
    sink->format = (enum laz_ship_format)laz_section_uint(in, 1, 0, LAZ_FORMAT_COUNT - 1);
    sink->path = take_path(in);
    sink->host = laz_section_string(in, 0, LAZ_SHIP_HOST_MAX);
    sink->port = (uint16_t)laz_section_uint(in, 2, 0, UINT16_MAX);
    sink->transport = (enum laz_transport)laz_section_uint(in, 1, 0, LAZ_TRANSPORT_COUNT - 1);
    sink->window = laz_section_u32(in, 0, LAZ_SHIP_WINDOW_MAX);
    sink->has_tls = laz_section_bool(in);
    sink->tls_ca = take_path(in);
    sink->tls_cert = take_path(in);
    sink->tls_key = take_path(in);
    sink->tls_peer = laz_section_string(in, 0, LAZ_SHIP_HOST_MAX);
    sink->group = laz_section_string(in, 0, LAZ_SHIP_GROUP_MAX);
    sink->stream = laz_section_string(in, 0, LAZ_SHIP_GROUP_MAX);
    sink->region = laz_section_string(in, 0, LAZ_SHIP_REGION_MAX);
    laz_section_require(in, strspn(sink->region, LAZ_SHIP_NAME_LETTERS) == strlen(sink->region),
            "the name of a region is none");
    sink->fips = laz_section_bool(in);
    sink->create = laz_section_bool(in);
    sink->imds = laz_section_bool(in);
    sink->space = laz_section_string(in, 0, LAZ_SHIP_SPACE_MAX);
    sink->interval_ms = laz_section_u32(in, 0, LAZ_SHIP_INTERVAL_MAX);
    sink->enrol_host = laz_section_string(in, 0, LAZ_SHIP_HOST_MAX);
    sink->enrol_port = (uint16_t)laz_section_uint(in, 2, 0, UINT16_MAX);
    sink->enrol_password = take_path(in);
    sink->enrol_name = laz_section_string(in, 0, LAZ_SHIP_HOST_MAX);
    laz_section_require(in, fits_together(sink), "a sink does not fit together");
}

static void take_sinks(struct laz_section *in, struct laz_ship_config *config)
{
    config->n_sinks = laz_section_u32(in, 1, LAZ_SHIP_SINKS_MAX);
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        take_sink(in, &config->sinks[i]);
        for (uint32_t k = 0; k < i && in->wrong == NULL; k++) {
            laz_section_require(in, strcmp(config->sinks[k].name, config->sinks[i].name) != 0,
                    "two sinks have one name");
        }
    }
}

int laz_ship_decode(
        const void *block, size_t length, struct laz_ship_config *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_ship_config config = {0};
    laz_section_require(&in, length <= LAZ_SHIP_MAX, "it is too long");
    laz_section_require(
            &in, laz_section_u32(&in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    take_logs(&in, &config);
    take_keeping(&in, &config);
    config.tls_profile =
            (enum laz_tls_profile)laz_section_uint(&in, 1, 0, LAZ_TLS_PROFILE_COUNT - 1);
    config.tls_fips = (enum laz_tls_fips)laz_section_uint(&in, 1, 0, LAZ_TLS_FIPS_COUNT - 1);
    take_sinks(&in, &config);
    laz_section_party(&in, &config.workload);
    laz_section_require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what ship is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
