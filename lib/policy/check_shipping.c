/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about records, beyond its types: has each sink what its type needs, and
 * nothing that another type needs? Can the patterns be compiled?
 */
#include <inttypes.h>
#include <string.h>

#include "core/pattern.h"
#include "core/url.h"
#include "policy/address.h"
#include "policy/check.h"

#define TYPE(id) (1U << LAZ_SINK_##id)

/* Keys that not every type has. */
static const struct {
    enum laz_field_id field;
    unsigned types;
} keys[] = {
        {LAZ_FIELD_SINK_PATH, TYPE(FILE) | TYPE(SYSLOG) | TYPE(OSSEC)},
        {LAZ_FIELD_SINK_TO, TYPE(RELP) | TYPE(SYSLOG) | TYPE(OSSEC)},
        {LAZ_FIELD_SINK_TRANSPORT, TYPE(SYSLOG)},
        {LAZ_FIELD_SINK_TLS,
                TYPE(RELP) | TYPE(SYSLOG) | TYPE(CLOUDWATCH) | TYPE(EMF) | TYPE(OSSEC)},
        {LAZ_FIELD_SINK_PLAIN, TYPE(RELP) | TYPE(SYSLOG) | TYPE(OSSEC)},
        {LAZ_FIELD_SINK_WINDOW, TYPE(RELP)},
        {LAZ_FIELD_SINK_ENROL, TYPE(OSSEC)},
        {LAZ_FIELD_SINK_FORMAT,
                TYPE(FILE) | TYPE(STDOUT) | TYPE(RELP) | TYPE(SYSLOG) | TYPE(CLOUDWATCH)},
        {LAZ_FIELD_SINK_CLASSES, ~TYPE(EMF)},
        {LAZ_FIELD_SINK_REQUIRED, ~TYPE(EMF)},
        {LAZ_FIELD_SINK_MIN_SEVERITY, ~TYPE(EMF)},
        {LAZ_FIELD_SINK_SPACE, TYPE(EMF)},
        {LAZ_FIELD_SINK_INTERVAL, TYPE(EMF)},
        {LAZ_FIELD_SINK_GROUP, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_STREAM, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_REGION, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_ENDPOINT, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_FIPS, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_CREATE, TYPE(CLOUDWATCH) | TYPE(EMF)},
        {LAZ_FIELD_SINK_IMDS, TYPE(CLOUDWATCH) | TYPE(EMF)},
};

static void check_keys(struct laz_report *report, struct laz_node *sink, enum laz_sink_type type)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct laz_node *node = laz_check_child(sink, keys[i].field);
        if (node != NULL && (keys[i].types >> type & 1) == 0) {
            laz_report_key(report, LAZ_E_POLICY_INVALID, node,
                    "a sink of type \"%s\" has no such key", laz_sink_type_name(type));
        }
    }
}

static bool is_true(const struct laz_node *node)
{
    return node != NULL && node->number != 0;
}

static void check_needed(struct laz_report *report, struct laz_node *sink, enum laz_field_id field,
        enum laz_sink_type type)
{
    if (laz_check_child(sink, field) == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, sink,
                "a sink of type \"%s\" needs the key \"%s\"", laz_sink_type_name(type),
                laz_field_at(field)->key);
    }
}

/* Keys that make no sense with this transport. */
static void check_transport(
        struct laz_report *report, struct laz_node *sink, enum laz_transport transport)
{
    struct laz_node *path = laz_check_child(sink, LAZ_FIELD_SINK_PATH);
    struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    bool is_unix = transport == LAZ_TRANSPORT_UNIX;
    static const enum laz_field_id of_hosts[] = {LAZ_FIELD_SINK_TO, LAZ_FIELD_SINK_PLAIN};
    if (path != NULL && !is_unix) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, path,
                "goes with \"transport: unix\" alone; another host is named by \"to\"");
    }
    for (size_t i = 0; is_unix && i < sizeof(of_hosts) / sizeof(of_hosts[0]); i++) {
        struct laz_node *node = laz_check_child(sink, of_hosts[i]);
        if (node != NULL) {
            laz_report_key(report, LAZ_E_POLICY_INVALID, node,
                    "with \"transport: unix\" there is no other host; the socket is named by "
                    "\"path\"");
        }
    }
    if (tls != NULL && transport != LAZ_TRANSPORT_TLS) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, tls,
                "goes with \"transport: tls\" alone, not with \"%s\"",
                laz_transport_name(transport));
    }
}

/* Headers are for collectors and files, events without one for whoever reads JSON. */
static void check_format(struct laz_report *report, struct laz_node *sink, enum laz_sink_type type)
{
    static const unsigned types[LAZ_FORMAT_COUNT] = {
            [LAZ_FORMAT_NATIVE] = ~0U,
            [LAZ_FORMAT_OSSEC] = TYPE(FILE) | TYPE(RELP) | TYPE(SYSLOG),
            [LAZ_FORMAT_OCSF] = TYPE(FILE) | TYPE(STDOUT) | TYPE(CLOUDWATCH),
    };
    struct laz_node *format = laz_check_child(sink, LAZ_FIELD_SINK_FORMAT);
    if (format != NULL && (types[format->number] >> type & 1) == 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, format,
                "\"%s\" is no format of a sink of type \"%s\"",
                laz_ship_format_name((enum laz_ship_format)format->number),
                laz_sink_type_name(type));
    }
}

static void check_pair(struct laz_report *report, struct laz_node *tls)
{
    if ((laz_check_child(tls, LAZ_FIELD_SINK_TLS_CERT) == NULL) !=
            (laz_check_child(tls, LAZ_FIELD_SINK_TLS_KEY) == NULL)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, tls,
                "\"cert\" and \"key\" go together: one is missing");
    }
}

/* Where records leave this host they are encrypted, or the policy says in so many words that they
 * are not. */
static void check_encryption(
        struct laz_report *report, struct laz_node *sink, enum laz_transport transport)
{
    struct laz_node *to = laz_check_child(sink, LAZ_FIELD_SINK_TO);
    struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    struct laz_node *plain = laz_check_child(sink, LAZ_FIELD_SINK_PLAIN);
    struct laz_address address;
    if (to == NULL || sink->has_bad || !laz_address_split(to->text, to->length, &address)) {
        return;
    }
    if (tls != NULL) {
        if (is_true(plain)) {
            laz_report_node(report, LAZ_E_POLICY_INVALID, plain,
                    "with \"tls\" it is not plain: say one of the two");
        }
        check_pair(report, tls);
        return;
    }
    if (laz_check_child(sink, LAZ_FIELD_SINK_TRANSPORT) != NULL && transport == LAZ_TRANSPORT_TLS) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, sink,
                "\"transport: tls\" needs the key \"tls\", with \"ca\" at least");
        return;
    }
    if (!is_true(plain) && !laz_host_is_loopback(address.host, address.host_length)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, to,
                "records would travel to another host unencrypted: say \"tls: {ca: FILE}\", or "
                "\"plain: true\", a relaxation");
    }
}

/* Always encrypted, but to this host; who may be the peer is known by its address. */
static void check_cloudwatch(
        struct laz_report *report, struct laz_node *sink, enum laz_sink_type type)
{
    struct laz_node *endpoint = laz_check_child(sink, LAZ_FIELD_SINK_ENDPOINT);
    struct laz_node *fips = laz_check_child(sink, LAZ_FIELD_SINK_FIPS);
    struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    static const enum laz_field_id others[] = {
            LAZ_FIELD_SINK_TLS_CERT, LAZ_FIELD_SINK_TLS_KEY, LAZ_FIELD_SINK_TLS_PEER};
    struct laz_url url = {.is_https = true};
    check_needed(report, sink, LAZ_FIELD_SINK_GROUP, type);
    for (size_t i = 0; tls != NULL && i < sizeof(others) / sizeof(others[0]); i++) {
        struct laz_node *node = laz_check_child(tls, others[i]);
        if (node != NULL) {
            laz_report_key(report, LAZ_E_POLICY_INVALID, node,
                    "a sink of type \"%s\" has no such key", laz_sink_type_name(type));
        }
    }
    if (endpoint == NULL || endpoint->is_bad || !laz_url_split(endpoint->text, &url)) {
        return;
    }
    if (is_true(fips)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, fips,
                "names an endpoint, as \"endpoint\" does: say one of the two");
    }
    if (!url.is_https && !laz_host_is_loopback(url.host, url.host_length)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, endpoint,
                "records would travel to another host unencrypted: it must be https");
    }
    if (!url.is_https && tls != NULL) {
        laz_report_key(
                report, LAZ_E_POLICY_INVALID, tls, "goes with an \"endpoint\" of https alone");
    }
}

static bool has_any_of_aws(struct laz_node *sink)
{
    static const enum laz_field_id of_aws[] = {LAZ_FIELD_SINK_TLS, LAZ_FIELD_SINK_GROUP,
            LAZ_FIELD_SINK_STREAM, LAZ_FIELD_SINK_REGION, LAZ_FIELD_SINK_ENDPOINT,
            LAZ_FIELD_SINK_FIPS, LAZ_FIELD_SINK_CREATE, LAZ_FIELD_SINK_IMDS};
    bool has = false;
    for (size_t i = 0; i < sizeof(of_aws) / sizeof(of_aws[0]); i++) {
        has = has || laz_check_child(sink, of_aws[i]) != NULL;
    }
    return has;
}

/* Where the key comes from; and what OSSEC calls encryption is none to rely on. */
static void check_agent(struct laz_report *report, struct laz_node *sink)
{
    struct laz_node *to = laz_check_child(sink, LAZ_FIELD_SINK_TO);
    struct laz_node *path = laz_check_child(sink, LAZ_FIELD_SINK_PATH);
    struct laz_node *enrol = laz_check_child(sink, LAZ_FIELD_SINK_ENROL);
    struct laz_node *tls = laz_check_child(sink, LAZ_FIELD_SINK_TLS);
    struct laz_address address;
    if ((path == NULL) == (enrol == NULL)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, sink,
                "the agent's key comes from one of \"path\" and \"enrol\": say %s",
                path == NULL ? "which" : "only one");
    }
    if (enrol != NULL && tls == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, enrol,
                "needs the key \"tls\" beside it, with \"ca\" at least");
    }
    if (enrol == NULL && tls != NULL) {
        laz_report_key(report, LAZ_E_POLICY_INVALID, tls,
                "goes with \"enrol\": what follows travels over UDP, without TLS");
    }
    if (tls != NULL) {
        check_pair(report, tls);
    }
    if (to != NULL && laz_address_split(to->text, to->length, &address) &&
            !laz_host_is_loopback(address.host, address.host_length) &&
            !is_true(laz_check_child(sink, LAZ_FIELD_SINK_PLAIN))) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, to,
                "records would travel to another host under OSSEC's own encryption, which nothing "
                "authenticates: say \"plain: true\", a relaxation");
    }
}

static void check_one(struct laz_report *report, struct laz_node *sink)
{
    const struct laz_node *said = laz_check_child(sink, LAZ_FIELD_SINK_TYPE);
    const struct laz_node *transport_said = laz_check_child(sink, LAZ_FIELD_SINK_TRANSPORT);
    struct laz_node *required = laz_check_child(sink, LAZ_FIELD_SINK_REQUIRED);
    struct laz_node *classes = laz_check_child(sink, LAZ_FIELD_SINK_CLASSES);
    if (said == NULL) {
        return; /* reported */
    }
    enum laz_sink_type type = (enum laz_sink_type)said->number;
    enum laz_transport transport =
            transport_said == NULL ? LAZ_TRANSPORT_TLS : (enum laz_transport)transport_said->number;
    check_keys(report, sink, type);
    if (classes != NULL && laz_check_item(classes, NULL) == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, classes, "empty: nothing would go there");
    }
    if (sink->has_bad) {
        return;
    }
    bool is_unix = type == LAZ_SINK_SYSLOG && transport == LAZ_TRANSPORT_UNIX;
    check_format(report, sink, type);
    if (type == LAZ_SINK_SYSLOG) {
        check_transport(report, sink, transport);
    }
    if (type == LAZ_SINK_FILE || is_unix) {
        check_needed(report, sink, LAZ_FIELD_SINK_PATH, type);
    } else if (type == LAZ_SINK_CLOUDWATCH || (type == LAZ_SINK_EMF && has_any_of_aws(sink))) {
        check_cloudwatch(report, sink, type);
    } else if (type == LAZ_SINK_OSSEC) {
        check_needed(report, sink, LAZ_FIELD_SINK_TO, type);
        check_agent(report, sink);
    } else if (type != LAZ_SINK_STDOUT && type != LAZ_SINK_EMF) {
        check_needed(report, sink, LAZ_FIELD_SINK_TO, type);
        check_encryption(report, sink, transport);
    }
    if (type == LAZ_SINK_STDOUT && is_true(required)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, required,
                "nobody acknowledges what goes to standard output");
    }
    if (type == LAZ_SINK_OSSEC && is_true(required)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, required,
                "nobody acknowledges what goes to an OSSEC manager");
    }
}

/* The earlier sink of this list that has the name. */
static const struct laz_node *find_earlier(struct laz_node *list, const struct laz_node *sink)
{
    const struct laz_node *name = laz_check_child(sink, LAZ_FIELD_SINK_NAME);
    for (struct laz_node *other = laz_check_item(list, NULL); name != NULL && other != sink;
            other = laz_check_item(list, other)) {
        const struct laz_node *other_name = laz_check_child(other, LAZ_FIELD_SINK_NAME);
        if (other_name != NULL && strcmp(other_name->text, name->text) == 0) {
            return other_name;
        }
    }
    return NULL;
}

static void check_pattern(
        struct laz_report *report, struct laz_node *node, enum laz_pattern_use use)
{
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    if (node == NULL || node->is_bad) {
        return;
    }
    if (laz_pattern_new(node->text, use, &pattern, &err) < 0) {
        laz_report_node(report, err.kind, node, "%s", err.message);
    }
    laz_pattern_free(pattern);
}

void laz_check_shipping(struct laz_document *document, struct laz_report *report)
{
    struct laz_node *list = document->at[LAZ_FIELD_SINKS];
    struct laz_node *literals = document->at[LAZ_FIELD_REDACT_LITERALS];
    for (struct laz_node *sink = laz_check_item(list, NULL); sink != NULL;
            sink = laz_check_item(list, sink)) {
        const struct laz_node *earlier = find_earlier(list, sink);
        if (earlier != NULL) {
            struct laz_quoted quoted;
            laz_report_node(report, LAZ_E_POLICY_INVALID,
                    laz_check_child(sink, LAZ_FIELD_SINK_NAME),
                    "%s is the name of another sink, at line %" PRIu32,
                    laz_quote(&quoted, earlier->text, earlier->length), earlier->pos.line);
        }
        check_one(report, sink);
    }
    check_pattern(report, document->at[LAZ_FIELD_MULTILINE_START], LAZ_PATTERN_LINE);
    check_pattern(report, document->at[LAZ_FIELD_REDACT_MRN], LAZ_PATTERN_NUMBER);
    if (laz_check_item(literals, NULL) != NULL) {
        laz_report_warning(report, literals,
                "everybody can read a policy: no place for what is secret in itself");
    }
}
