/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about health, beyond its types: does each check ask in one way, have what that
 * way needs and nothing else, and end before it begins again?
 */
#include <inttypes.h>
#include <string.h>

#include "policy/address.h"
#include "policy/check.h"

const enum laz_field_id laz_check_lists[] = {
        LAZ_FIELD_STARTUP_CHECKS, LAZ_FIELD_READY_CHECKS, LAZ_FIELD_LIVE_CHECKS, LAZ_FIELD_ROOT};

/* Of all lists, the one before this node that has its name. */
static const struct laz_node *find_earlier(
        struct laz_document *document, const struct laz_node *name)
{
    for (size_t i = 0; laz_check_lists[i] != LAZ_FIELD_ROOT; i++) {
        struct laz_node *list = document->at[laz_check_lists[i]];
        for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
                item = laz_check_item(list, item)) {
            const struct laz_node *other = laz_check_child(item, LAZ_FIELD_CHECK_NAME);
            if (other == NULL || other == name || other->pos.line > name->pos.line ||
                    (other->pos.line == name->pos.line && other->pos.col > name->pos.col)) {
                continue;
            }
            if (strcmp(other->text, name->text) == 0) {
                return other;
            }
        }
    }
    return NULL;
}

static void check_name(
        struct laz_document *document, struct laz_report *report, struct laz_node *name)
{
    const struct laz_node *earlier = name == NULL ? NULL : find_earlier(document, name);
    if (earlier != NULL) {
        struct laz_quoted quoted;
        laz_report_node(report, LAZ_E_POLICY_INVALID, name,
                "%s is the name of another check, at line %" PRIu32,
                laz_quote(&quoted, name->text, name->length), earlier->pos.line);
    }
}

static void check_command(struct laz_report *report, struct laz_node *command)
{
    struct laz_node *first = laz_check_item(command, NULL);
    if (command->n_children > LAZ_HEALTH_ARGS_MAX) {
        laz_report_node(
                report, LAZ_E_POLICY_TOO_LARGE, command, "more than %d words", LAZ_HEALTH_ARGS_MAX);
    } else if (first == NULL && !command->has_bad) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, command,
                "names no command: such as [/bin/app, --ping]");
    } else if (first != NULL && strchr(first->text, ' ') != NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, first,
                "a blank in the name of a program: no shell takes it apart, so each word is an "
                "element of its own, such as [/bin/app, --ping]");
    } else if (first != NULL && first->text[0] != '/') {
        laz_report_node(report, LAZ_E_POLICY_INVALID, first,
                "must be an absolute path: there is no shell, and PATH is not searched");
    }
}

static bool is_https(const struct laz_node *http)
{
    return http != NULL && strncmp(http->text, "https:", strlen("https:")) == 0;
}

/* Which keys go with which way of asking. */
static void check_keys(struct laz_report *report, struct laz_node *item, const struct laz_node *way)
{
    const struct laz_node *http = way->field == LAZ_FIELD_CHECK_HTTP ? way : NULL;
    const struct {
        enum laz_field_id field;
        bool fits;
        const char *with;
    } rows[] = {
            {LAZ_FIELD_CHECK_EXPECT, http != NULL, "\"http\""},
            {LAZ_FIELD_CHECK_CA, is_https(http), "\"http\" and a URL of https"},
            {LAZ_FIELD_CHECK_SERVER_NAME, is_https(http), "\"http\" and a URL of https"},
            {LAZ_FIELD_CHECK_SERVICE, way->field == LAZ_FIELD_CHECK_GRPC, "\"grpc\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_node *node = laz_check_child(item, rows[i].field);
        if (node != NULL && !rows[i].fits) {
            laz_report_key(report, LAZ_E_POLICY_INVALID, node, "goes with %s alone", rows[i].with);
        }
    }
    if (is_https(http) && laz_check_child(item, LAZ_FIELD_CHECK_CA) == NULL) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, item,
                "missing key \"ca\": https is verified, and this says by whose certificates");
    }
}

static void check_times(struct laz_report *report, const struct laz_node *item)
{
    struct laz_node *timeout = laz_check_child(item, LAZ_FIELD_CHECK_TIMEOUT);
    const struct laz_node *every = laz_check_child(item, LAZ_FIELD_CHECK_EVERY);
    uint64_t every_ms = every == NULL ? LAZ_HEALTH_EVERY : every->number;
    if (timeout != NULL && timeout->number >= every_ms) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, timeout,
                "%" PRIu64 "ms must be less than \"every\", which is %" PRIu64
                "ms%s: an attempt ends before the next one begins",
                timeout->number, every_ms, every == NULL ? " (default)" : "");
    }
}

static void check_item(
        struct laz_document *document, struct laz_report *report, struct laz_node *item)
{
    static const enum laz_field_id ways[] = {
            LAZ_FIELD_CHECK_TCP, LAZ_FIELD_CHECK_HTTP, LAZ_FIELD_CHECK_EXEC, LAZ_FIELD_CHECK_GRPC};
    const struct laz_node *way = NULL;
    size_t n = 0;
    check_name(document, report, laz_check_child(item, LAZ_FIELD_CHECK_NAME));
    check_times(report, item);
    struct laz_node *command = laz_check_child(item, LAZ_FIELD_CHECK_EXEC);
    if (command != NULL) {
        check_command(report, command);
    }
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const struct laz_node *node = laz_check_child(item, ways[i]);
        way = node != NULL ? node : way;
        n += node != NULL ? 1 : 0;
    }
    if (n == 1) {
        check_keys(report, item, way);
    } else if (n > 1 || !item->has_bad) { /* what is wrong may be the one that is missing */
        laz_report_node(report, LAZ_E_POLICY_INVALID, item,
                "a check asks in one way: name %s \"tcp\", \"http\", \"exec\" and \"grpc\"",
                n == 0 ? "one of" : "only one of");
    }
}

void laz_check_health(struct laz_document *document, struct laz_report *report)
{
    struct laz_node *listen = document->at[LAZ_FIELD_HEALTH_LISTEN];
    struct laz_address address;
    for (size_t i = 0; laz_check_lists[i] != LAZ_FIELD_ROOT; i++) {
        struct laz_node *list = document->at[laz_check_lists[i]];
        for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
                item = laz_check_item(list, item)) {
            check_item(document, report, item);
        }
    }
    if (listen != NULL && laz_socket_split(listen->text, listen->length, &address) &&
            address.port == 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, listen,
                "an address and a port, such as \"0.0.0.0:9100\": there is a unix socket without "
                "this key");
    }
}
